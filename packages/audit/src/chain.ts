import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { Clock, Random } from '@portcullis/core';
import { canonicalJson } from './canonical-json.js';
import { toDraft, type AuditEntry } from './entry.js';
import { BEFORE_FIRST, leafHash, placed } from './leaf.js';
import type { LogSigner } from './signer.js';
import { batchStatement, writerStatement } from './statements.js';
import type { AuditBatch, SealedValue } from './store.js';

export interface ChainDeps {
  /** Origin of the log. */
  readonly log: string;
  readonly signer: LogSigner | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** A key signs no longer than this. */
  readonly keyLifetimeMs: number;
}

/** Entries of an earlier chain of this process whose callers were refused although they may be in the store. */
export interface RefusedEntries {
  readonly writer: string;
  readonly from: number;
  readonly to: number;
}

/** What a chain is made of besides the entries. */
interface WriterKey {
  readonly privateKey: KeyObject;
  /** Raw, base64. */
  readonly publicKey: string;
  readonly retireAt: number;
  readonly lastNumber: number;
}

/** A key is replaced after so many entries, however young it is. */
const ENTRIES_PER_KEY = 100_000;

export interface ChainItem {
  readonly draft: string;
  readonly sealed?: readonly SealedValue[];
}

interface State {
  number: number;
  head: Buffer;
  key: WriterKey | undefined;
}

/**
 * The chain of one writer: entry 0 says which key speaks for it (certified by the log's key), every entry holds the hash of
 * the one before, every batch is signed. Keys are replaced while it runs: the last entry that an old key signs names the
 * new one, and the old one is dropped, so that whoever takes over the process cannot sign what was said before.
 */
export class Chain {
  readonly writer: string;
  readonly #deps: ChainDeps;
  readonly #opening: string;
  #state: State;

  private constructor(writer: string, deps: ChainDeps, opening: string, key: WriterKey | undefined) {
    this.writer = writer;
    this.#deps = deps;
    this.#opening = opening;
    this.#state = { number: 0, head: BEFORE_FIRST, key };
  }

  /** @throws what the signer throws */
  static async open(deps: ChainDeps, refused: readonly RefusedEntries[] = []): Promise<Chain> {
    const { log, signer, random } = deps;
    const writer = random.bytes(16).toString('base64url');
    const key = signer && newKey(deps, 0);
    const certificate =
      signer && key
        ? (await signer.sign(writerStatement(log, writer, key.publicKey))).toString('base64')
        : undefined;
    const opening = ownEntry(deps, 'writer.opened', {
      ...(key ? { key: key.publicKey, certificate } : {}),
      ...(refused.length > 0 ? { refused } : {}),
    });
    return new Chain(writer, deps, opening, key);
  }

  /** Number of the next entry: how many have been made. */
  get next(): number {
    return this.#state.number;
  }

  /** For {@link reset}: batches made after this can be taken back if it is certain that nobody has seen them. */
  mark(): unknown {
    return { ...this.#state };
  }

  reset(mark: unknown): void {
    this.#state = { ...(mark as State) };
  }

  /** Gives entries their places. The first batch begins with the chain's own first entry. */
  batch(items: readonly ChainItem[], outbox: readonly string[] = []): AuditBatch {
    const { log } = this.#deps;
    const state = this.#state;
    const first = state.number;
    const bodies: string[] = [];
    const leaves: Buffer[] = [];
    const add = (draft: string): void => {
      const previous = state.head.toString('base64');
      const body = placed(draft, { log, writer: this.writer, number: state.number, previous });
      state.head = leafHash(body);
      state.number++;
      bodies.push(body);
      leaves.push(state.head);
    };
    const sealed: SealedValue[] = [];
    if (first === 0) add(this.#opening);
    for (const item of items) {
      add(item.draft);
      if (item.sealed) sealed.push(...item.sealed);
    }
    const { key } = state;
    const due = key && (this.#deps.clock.monotonic() >= key.retireAt || state.number >= key.lastNumber);
    const next = due ? newKey(this.#deps, state.number) : key;
    if (due) add(ownEntry(this.#deps, 'writer.key-changed', { key: next!.publicKey }));
    const signature = key
      ? sign(
          null,
          batchStatement(log, this.writer, state.number - 1, state.head.toString('base64')),
          key.privateKey,
        ).toString('base64')
      : '';
    state.key = next;
    return { writer: this.writer, first, bodies, leaves: Buffer.concat(leaves), signature, sealed, outbox };
  }

  /** The last batch, which says that nothing follows; undefined if nothing was ever written. */
  close(): AuditBatch | undefined {
    if (this.#state.number === 0) return undefined;
    return this.batch([{ draft: ownEntry(this.#deps, 'writer.closed') }]);
  }
}

function newKey({ clock, keyLifetimeMs }: ChainDeps, number: number): WriterKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey,
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64'),
    retireAt: clock.monotonic() + keyLifetimeMs,
    lastNumber: number + ENTRIES_PER_KEY,
  };
}

/** What the log says about itself. */
function ownEntry(
  { clock, random }: ChainDeps,
  action: string,
  data?: Readonly<Record<string, unknown>>,
): string {
  const entry: AuditEntry = {
    id: random.uuid(),
    time: new Date(clock.now()).toISOString(),
    kind: 'log',
    action,
    outcome: 'success',
    actor: { kind: 'system' },
    ...(data === undefined ? {} : { data }),
    context: {},
  };
  return canonicalJson(toDraft(entry));
}
