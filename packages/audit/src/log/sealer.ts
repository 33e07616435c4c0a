import { within, type Clock, type Events } from '@portcullis/core';
import type { Anchor, AnchoredLog } from '../anchors/anchor.js';
import { AnchorRunner, type AnchorStatus } from '../anchors/anchor-runner.js';
import { openCheckpoint, signCheckpoint, type Checkpoint } from '../checkpoint.js';
import { errors } from '../error-codes.js';
import { consistencyProof, edgeOf, rootAt, TileAppender, TileMissingError } from '../merkle/tiles.js';
import type { ReadTiles, Tile } from '../merkle/tiles.js';
import { parseVerifierKey, type NoteKey } from '../note.js';
import type { LogSigner } from '../signer.js';
import { reasonOf } from '../writer.js';
import { EXTEND_LIMIT, type AuditTree, type TreeGrowth, type TreeState } from './tree.js';

export interface SealerDeps {
  readonly tree: AuditTree;
  readonly signer: LogSigner;
  readonly anchors: readonly Anchor[];
  readonly clock: Clock;
  readonly events: Events;
  readonly everyMs: number;
  readonly deadlineMs: number;
  readonly retryMs: number;
}

export interface TreeStatus {
  /** Entries under the newest checkpoint that this process knows. */
  readonly size: number;
  /** Why no checkpoint is made: a code of the store or signer; `inconsistent` if the log has been changed. */
  readonly trouble: string | undefined;
}

/** What this process knows that the log has said. */
type Known = Pick<Checkpoint, 'size' | 'root'>;

/** The store's tree is not a continuation of what the log has signed before. A log that signed it would lie. */
class InconsistentError extends Error {
  override readonly name = 'InconsistentError';
  readonly code = 'inconsistent';
}

/**
 * Appends batches to the Merkle tree and signs a checkpoint over it, at most once in `everyMs`. Every process tries; the store
 * lets one at a time, so that no process has to be chosen, and one that dies holds nothing up.
 * Never signs what is not a continuation of the largest checkpoint that this process or one of its anchors has seen.
 */
export class Sealer implements AnchoredLog {
  readonly #deps: SealerDeps;
  readonly #key: NoteKey;
  readonly #runners: readonly AnchorRunner[];
  readonly #timer: NodeJS.Timeout;
  #known: Known | undefined;
  #asked = false;
  #lastSize: number | undefined;
  #trouble: string | undefined;
  #running: Promise<Checkpoint | undefined> = Promise.resolve(undefined);
  #queued: Promise<Checkpoint | undefined> | undefined;
  /** Somebody waits for the queued run: it must not give way to another process. */
  #awaited = false;

  constructor(deps: SealerDeps) {
    this.#deps = deps;
    this.#key = parseVerifierKey(deps.signer.verifierKey);
    this.#runners = deps.anchors.map((anchor) => new AnchorRunner(anchor, { ...deps, log: this }));
    this.#timer = setInterval(() => void this.#next(false).catch(() => undefined), deps.everyMs);
    this.#timer.unref();
  }

  get status(): TreeStatus & { readonly anchors: readonly AnchorStatus[] } {
    return {
      size: this.#known?.size ?? 0,
      trouble: this.#trouble,
      anchors: this.#runners.map(({ status }) => status),
    };
  }

  /** Everything that is durable now is under the checkpoint that this resolves to; every anchor has been asked once. */
  async seal(): Promise<Checkpoint | undefined> {
    const checkpoint = await this.#next(true);
    if (checkpoint) await this.#publish(checkpoint);
    return checkpoint;
  }

  async consistency(from: number, to: number): Promise<Buffer[]> {
    return consistencyProof(from, to, this.#deps.tree.tiles);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.seal().catch(() => undefined);
    await Promise.all(this.#runners.map((runner) => runner.close()));
  }

  /** One run at a time; callers that come meanwhile share the next one. */
  #next(wait: boolean): Promise<Checkpoint | undefined> {
    this.#awaited ||= wait;
    if (this.#queued) return this.#queued;
    const start = (): Promise<Checkpoint | undefined> => {
      const awaited = this.#awaited;
      this.#queued = undefined;
      this.#awaited = false;
      return this.#run(awaited);
    };
    const queued = this.#running.then(start, start);
    this.#queued = queued;
    this.#running = queued;
    return queued;
  }

  async #run(wait: boolean): Promise<Checkpoint | undefined> {
    try {
      await this.#askAnchors();
      const { tree } = this.#deps;
      for (;;) {
        const growth = await this.#within(tree.extend((state) => this.#step(state), { wait }));
        this.#trouble = undefined;
        if (typeof growth === 'object' && growth.batches.length === EXTEND_LIMIT) continue;
        const checkpoint = await this.#newest();
        // What others have sealed is theirs to publish, unless it is still the newest one turn later.
        if (checkpoint && (typeof growth === 'object' || checkpoint.size === this.#lastSize))
          void this.#publish(checkpoint);
        this.#lastSize = checkpoint?.size;
        return checkpoint;
      }
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  #publish(checkpoint: Checkpoint): Promise<unknown> {
    return Promise.all(this.#runners.map((runner) => runner.publish(checkpoint)));
  }

  async #newest(): Promise<Checkpoint | undefined> {
    const note = await this.#within(this.#deps.tree.newest());
    const checkpoint = note === undefined ? undefined : this.open(note);
    await this.#check(checkpoint, this.#deps.tree.tiles);
    return checkpoint;
  }

  async #step({ newest, batches, tiles }: TreeState): Promise<TreeGrowth | undefined> {
    const before = newest === undefined ? undefined : this.open(newest);
    await this.#check(before, tiles);
    if (batches.length === 0) return undefined;
    const start = before?.size ?? 0;
    const appender = new TileAppender(start, await readEdge(start, tiles));
    for (const { leaves } of batches) {
      for (let at = 0; at < leaves.length; at += 32) appender.append(leaves.subarray(at, at + 32));
    }
    const changed = appender.tiles();
    const after = new Map(changed.map((tile) => [`${tile.level}/${tile.place}`, tile.hashes]));
    const root = await rootAt(appender.size, async (names) =>
      names.map(({ level, place }) => after.get(`${level}/${place}`)),
    );
    const { note } = await signCheckpoint(this.#deps.signer, appender.size, root);
    return { start, batches, tiles: changed, size: appender.size, note };
  }

  /** @throws InconsistentError if the log's key did not sign it */
  open(note: string): Checkpoint {
    const checkpoint = openCheckpoint(note, this.#key);
    if (!checkpoint)
      throw new InconsistentError('The newest checkpoint is not signed by the key of this log.');
    return checkpoint;
  }

  /** The store's tree has the root that its checkpoint says, and continues what is known. */
  async #check(checkpoint: Checkpoint | undefined, tiles: ReadTiles): Promise<void> {
    const known = this.#known;
    if (checkpoint === undefined) {
      if (known) throw new InconsistentError('The log had checkpoints, and there is none now.');
      return;
    }
    const { size, root } = checkpoint;
    if (known?.size === size && known.root.equals(root)) return;
    const isKnown = !known || (known.size <= size && (await rootIn(known.size, tiles))?.equals(known.root));
    if (!isKnown || !(await rootIn(size, tiles))?.equals(root)) {
      throw new InconsistentError('The log is not a continuation of what it has signed before.');
    }
    this.#known = { size, root };
  }

  /** At the first run: an old copy of the database must not be continued as if nothing had been after it. */
  async #askAnchors(): Promise<void> {
    if (this.#asked) return;
    const notes = await Promise.all(this.#runners.map((runner) => runner.latest(this.#key.name)));
    for (const note of notes) {
      const checkpoint = note === undefined ? undefined : openCheckpoint(note, this.#key);
      if (checkpoint && checkpoint.size > (this.#known?.size ?? 0)) this.#known = checkpoint;
    }
    this.#asked = true;
  }

  #failed(error: unknown): void {
    const inconsistent = error instanceof InconsistentError || error instanceof TileMissingError;
    const reason = inconsistent ? 'inconsistent' : reasonOf(error);
    if (this.#trouble === reason) return;
    this.#trouble = reason;
    const { events } = this.#deps;
    if (inconsistent) events.emit({ type: 'audit.rewritten', size: this.#known?.size ?? 0 });
    else events.emit({ type: 'audit.seal-failed', reason });
  }

  #within<T>(promise: Promise<T>): Promise<T> {
    const { deadlineMs } = this.#deps;
    return within(promise, deadlineMs, () => errors.E_AUDIT_UNAVAILABLE({ details: { deadlineMs } }));
  }
}

async function readEdge(size: number, tiles: ReadTiles): Promise<Tile[]> {
  const names = edgeOf(size);
  const found = await tiles(names);
  return names.map((name, i) => {
    const hashes = found[i];
    // Two processes with tiles of different ages cannot be: the store lets one at a time. So it is a change from outside.
    if (hashes?.length !== (Math.floor(size / 256 ** name.level) % 256) * 32) {
      throw new TileMissingError('The tree is not complete.');
    }
    return { ...name, hashes };
  });
}

async function rootIn(size: number, tiles: ReadTiles): Promise<Buffer | undefined> {
  try {
    return await rootAt(size, tiles);
  } catch (error) {
    if (error instanceof TileMissingError) return undefined;
    throw error;
  }
}
