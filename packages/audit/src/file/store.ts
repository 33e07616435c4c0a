import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  noEvents,
  option,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  type Clock,
  type Duration,
  type Events,
  type Random,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { fromBody, type StoredEntry } from '../entry.js';
import { syncFolder } from '../files/append-file.js';
import { linesOf, linesBackwards } from '../files/lines.js';
import { claimLock, releaseLock } from '../files/lock-file.js';
import type { PlacedEntry } from '../log/tree.js';
import type { CheckedQuery } from '../query.js';
import { matches, pageOf } from '../query-match.js';
import type { AuditBatch, AuditStore } from '../store.js';
import {
  ENTRIES,
  LOCK,
  PEOPLE,
  PRUNED,
  prunedIn,
  removeBefore,
  removeUnfinished,
  replaceFile,
  TREE,
} from './folder.js';
import { FilePeople } from './people.js';
import { isEntry, logPieces } from './reading.js';
import { Segments, type Segment } from './segments.js';
import { FileTree } from './tree.js';
import { Turns } from './turns.js';

export interface FileAuditOptions {
  /** A folder of this log alone, on a disk with room. Made if absent; readable by its user only (mode 0700). */
  readonly directory: string;
  /** A segment is full at so many bytes, 64 KiB to 1 GiB. @default 64 MiB */
  readonly segmentBytes?: number;
  /** A segment is full after so long, 1 min to 366 d: what retention removes, it removes by segments. @default '1d' */
  readonly segmentAge?: Duration;
  readonly clock?: Clock;
  readonly random?: Random;
  /** `audit.tail-cut`, at the opening after a crash. */
  readonly events?: Events;
}

const OWNER = 'fileAudit';

/**
 * The log in files, for one process: it holds a lock on the folder from here to `close()`, which `audit.close()` calls. An append is
 * one write and one `fdatasync` for all batches that wait. After a crash, what was never acknowledged is cut off.
 * Queries read from the newest entry back.
 * @throws OptionError for a folder that is in use or cannot be used; E_AUDIT_DAMAGED if entries are missing
 */
export function fileAudit(options: FileAuditOptions): AuditStore {
  const { directory, segmentBytes, segmentAge, clock, random, events } = readOptions(OWNER, options, {
    directory: option.string({ max: 4096 }),
    segmentBytes: option.integer({ min: 65_536, max: 2 ** 30, default: 64 << 20 }),
    segmentAge: option.duration({ minMs: 60_000, maxMs: 366 * 86_400_000, default: '1d' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const lock = join(directory, LOCK);
  claimFolder(directory, lock, random);
  try {
    const begin = prunedIn(directory)?.to ?? 0;
    // Left by a removal that a crash has cut short.
    for (const folder of [ENTRIES, PEOPLE]) removeBefore(join(directory, folder), begin);
    const segments = new Segments({
      folder: join(directory, ENTRIES),
      maxBytes: segmentBytes,
      maxAgeMs: segmentAge,
      clock,
    });
    const tree = new FileTree(directory, segments);
    checkWhole(segments, tree, begin);
    if (segments.torn > 0) events.emit({ type: 'audit.tail-cut', bytes: segments.torn });
    return new FileStore(directory, segments, tree).asStore();
  } catch (error) {
    releaseLock(lock);
    throw error;
  }
}

function claimFolder(directory: string, lock: string, random: Random): void {
  const refuse = (code: 'E_OPTION_VALUE' | 'E_OPTION_CONFLICT', why: string): never => {
    throw new OptionError(code, OWNER, 'directory', `directory ${why}`);
  };
  try {
    for (const folder of ['', ENTRIES, TREE, PEOPLE]) {
      mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
      // A folder that was there may be open to others.
      chmodSync(join(directory, folder), 0o700);
    }
    if (claimLock(lock, random)) return removeUnfinished(join(directory, ENTRIES));
  } catch (error) {
    refuse('E_OPTION_VALUE', `cannot be used: ${(error as { code?: string }).code ?? 'unknown error'}`);
  }
  refuse('E_OPTION_CONFLICT', 'is in use by another process, or by another store of this one');
}

/** What follows would otherwise stand where the missing entries stood. */
function checkWhole(segments: Segments, { sealed }: FileTree, begin: number): void {
  let next = begin;
  const problem = (text: string): never => {
    throw errors.E_AUDIT_DAMAGED({ details: { problem: text } });
  };
  for (const { first, entries } of segments.all) {
    if (first !== next) problem(`entries from ${next} up to ${first} are missing`);
    next += entries;
  }
  if (next < sealed) problem(`there are ${next} entries, and a checkpoint of ${sealed}`);
}

interface Waiting {
  readonly batch: AuditBatch;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class FileStore {
  readonly #directory: string;
  readonly #segments: Segments;
  readonly #tree: FileTree;
  readonly #people: FilePeople;
  readonly #turns = new Turns();
  #extending = new Turns();
  #waiting: Waiting[] = [];
  #closed: Promise<void> | undefined;

  constructor(directory: string, segments: Segments, tree: FileTree) {
    this.#directory = directory;
    this.#segments = segments;
    this.#tree = tree;
    this.#people = new FilePeople(directory);
  }

  asStore(): AuditStore {
    const [tree, people, extending] = [this.#tree, this.#people, this.#extending];
    return Object.freeze<AuditStore>({
      place: {
        where: `folder ${this.#directory}`,
        format: 'NDJSON of canonical JSON (RFC 8785)',
        access: "the process's user (mode 0700), one process at a time",
      },
      append: (batch) => this.#append(batch),
      query: (query) => this.#query(query),
      export: () => this.#export(),
      close: () => (this.#closed ??= this.#close()),
      tree: {
        newest: () => Promise.resolve(tree.newest),
        tiles: tree.tiles,
        find: (id) => this.#find(id),
        extend: (step, { wait }) =>
          extending.busy && !wait ? Promise.resolve('busy') : extending.run(() => tree.extend(step)),
      },
      pruning: {
        cutAt: (index) =>
          Promise.resolve(this.#segments.all.findLast(({ first }) => first <= index)?.first ?? 0),
        prune: (to, line) => this.#prune(to, line),
        finish: () => this.#cut(),
      },
      people: {
        find: (commitments) => people.find(commitments),
        erase: (subjects, at) => this.#turns.run(() => people.erase(subjects, at)),
      },
    });
  }

  async #prune(to: number, line: string): Promise<void> {
    replaceFile(this.#directory, PRUNED, line);
    await syncFolder(this.#directory);
    await this.#cut();
  }

  /** Whatever stands before the beginning goes. */
  async #cut(): Promise<void> {
    const to = prunedIn(this.#directory)?.to ?? 0;
    await this.#turns.run(() => this.#people.remove(this.#segments.cut(to)));
    if (to > 0) await this.#extending.run(() => this.#tree.cut(to));
  }

  /** Batches that come while one write is under way share the next one. */
  #append(batch: AuditBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(errors.E_AUDIT_UNAVAILABLE({ details: { reason: 'closed' } }));
      this.#waiting.push({ batch, resolve, reject });
      if (this.#waiting.length === 1) void this.#turns.run(() => this.#commit(this.#waiting.splice(0)));
    });
  }

  async #commit(waiting: readonly Waiting[]): Promise<void> {
    try {
      const fresh = new Map<string, AuditBatch>();
      for (const { batch } of waiting) {
        if (!this.#segments.has(batch)) fresh.set(`${batch.writer} ${batch.first}`, batch);
      }
      const batches = [...fresh.values()];
      if (batches.length > 0) {
        // The values first: without the entries they say nothing, and entries must not stand there without them.
        await this.#people.append(
          await this.#segments.place(),
          batches.flatMap(({ sealed }) => sealed),
        );
        await this.#segments.append(batches);
      }
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  async *#export(): AsyncGenerator<string> {
    // Checkpoints first: there is none then of entries that come later.
    const { checkpoints } = this.#tree;
    for await (const piece of logPieces(this.#segments.all, checkpoints, prunedIn(this.#directory)?.line)) {
      for (const line of linesOf(piece)) yield line.toString('utf8');
    }
  }

  async #query(query: CheckedQuery) {
    const parts = partsOf(query);
    const found: StoredEntry[] = [];
    for (const segment of this.#segments.all.toReversed()) {
      if (cannotHold(segment, query)) continue;
      for await (const { body, index } of entriesBackwards(segment)) {
        if (!parts.every((part) => body.includes(part))) continue;
        const entry = readEntry(body, index);
        if (!entry || !matches(entry, query)) continue;
        found.push(entry);
        if (found.length > query.limit) return pageOf(found, query.limit);
      }
    }
    return pageOf(found, query.limit);
  }

  async #find(id: string): Promise<PlacedEntry | undefined> {
    const part = `,"id":${JSON.stringify(id)},"k":"`;
    for (const segment of this.#segments.all.toReversed()) {
      for await (const { body, index } of entriesBackwards(segment)) {
        if (!body.includes(part) || readEntry(body, index)?.id !== id) continue;
        return { body, index: index < this.#tree.sealed ? index : undefined };
      }
    }
    return undefined;
  }

  async #close(): Promise<void> {
    await this.#extending.run(() => this.#tree.close());
    await this.#turns.run(async () => {
      await this.#segments.close();
      await this.#people.close();
      releaseLock(join(this.#directory, LOCK));
    });
  }
}

async function* entriesBackwards(segment: Segment): AsyncGenerator<{ body: string; index: number }> {
  let index = segment.first + segment.entries;
  for await (const body of linesBackwards(segment.path, segment.bytes)) {
    if (isEntry(body)) yield { body, index: --index };
  }
}

/** What every entry that matches has in its text: to look is faster than to read. */
function partsOf({ visibleTo, actor, action, outcome, target, requestId }: CheckedQuery): string[] {
  const values = [visibleTo, actor, outcome, target?.type, target?.id, requestId];
  const parts = values.flatMap((value) => (value === undefined ? [] : JSON.stringify(value)));
  if (action) parts.push(`"type":"${action.name}${action.prefix ? '' : '"'}`);
  return parts;
}

function cannotHold({ first, from, to }: Segment, query: CheckedQuery): boolean {
  return (
    (query.before !== undefined && BigInt(first) + 1n >= BigInt(query.before)) ||
    (query.from !== undefined && to < query.from) ||
    (query.to !== undefined && from >= query.to)
  );
}

/** Undefined for what is no entry: that is for the verifier to say. */
function readEntry(body: string, index: number): StoredEntry | undefined {
  try {
    return fromBody(body, String(index + 1));
  } catch {
    return undefined;
  }
}
