import { within, type Clock, type Events } from '@portcullis/core';
import type { Chain, RefusedEntries } from './chain.js';
import type { AuditKind } from './entry.js';
import { errors } from './error-codes.js';
import type { RelayedRow } from './outbox-rows.js';
import type { PreparedEntry } from './record.js';
import type { Spool } from './spool.js';
import type { AuditBatch, AuditStore } from './store.js';

/** What happens to a record that cannot be made durable: its caller is refused, or it is counted and lost. */
export type LossPolicy = 'block' | 'drop-and-count';

export interface Receipt {
  readonly id: string;
  /** False only if the record was dropped, as its class allows. */
  readonly durable: boolean;
}

export interface WriterDeps {
  readonly store: AuditStore;
  readonly spool: Spool | undefined;
  readonly clock: Clock;
  readonly events: Events;
  readonly maxPending: number;
  readonly retryMs: number;
  /** Longest time for one batch, whatever the store does. */
  readonly deadlineMs: number;
  readonly openChain: (refused: readonly RefusedEntries[]) => Promise<Chain>;
  readonly policyOf: (entry: PreparedEntry) => LossPolicy;
  /** Called once per record when its fate is known; must not throw. */
  readonly settled: (entry: PreparedEntry, durable: boolean) => void;
}

export interface WriterStatus {
  readonly store: 'up' | 'down';
  readonly pending: number;
  readonly spooledBytes: number;
  readonly dropped: number;
}

interface Waiting {
  readonly entries: readonly [PreparedEntry, ...PreparedEntry[]];
  /** The row of the outbox in which it stands until the batch is durable: it cannot be lost. */
  readonly row: string | undefined;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
}

const BATCH = 512;
const BATCH_CHARS = 4 << 20;
const MAX_REFUSED = 8;

/**
 * Group commit: one batch is in flight, everything that arrives meanwhile is prepared and goes into the next; a record is
 * acknowledged when its batch is durable, in the store or in the spool.
 * After a failure the store is left alone for `retryMs`: records go to the spool at once, or are refused or dropped.
 */
export class Writer {
  readonly #deps: WriterDeps;
  #queue: Waiting[] = [];
  readonly #relaying = new Set<string>();
  #chain: Chain | undefined;
  #refused: RefusedEntries[] = [];
  #running: Promise<void> | undefined;
  #downSince: number | undefined;
  #retryAt = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #handled = 0;
  #watchers: { readonly upTo: number; readonly resolve: () => void }[] = [];
  #closed = false;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
    if (deps.spool && !deps.spool.isEmpty) this.#wake();
  }

  write(entry: PreparedEntry): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { entries: [entry], row: undefined, resolve, reject };
      if (this.#closed) this.#lose([waiting], 'closed');
      else if (this.#queue.length >= this.#deps.maxPending) this.#lose([waiting], 'too many waiting');
      else this.#enqueue(waiting);
    });
  }

  /** Rows of the outbox; returns those for which there is no room now. A writer that is closed takes none: they wait for another. */
  relay(rows: readonly RelayedRow[]): readonly RelayedRow[] {
    if (this.#closed) return [];
    return rows.filter((row) => {
      if (this.#relaying.has(row.id)) return false;
      if (this.#queue.length >= this.#deps.maxPending) return true;
      this.#relay(row);
      return false;
    });
  }

  #relay({ id, entries }: RelayedRow): void {
    const [first, ...rest] = entries;
    if (!first) return;
    this.#relaying.add(id);
    const done = (): void => void this.#relaying.delete(id);
    this.#enqueue({ entries: [first, ...rest], row: id, resolve: done, reject: done });
  }

  /** Resolves when everything that waits now has been dealt with. */
  settled(): Promise<void> {
    const upTo = this.#handled + this.#inFlight + this.#queue.length;
    if (upTo === this.#handled) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.push({ upTo, resolve }));
  }

  /** How many entries this process has in the chain it writes now. */
  get position(): { readonly writer: string; readonly next: number } | undefined {
    return this.#chain && { writer: this.#chain.writer, next: this.#chain.next };
  }

  get status(): WriterStatus {
    return {
      store: this.#downSince === undefined ? 'up' : 'down',
      pending: this.#queue.length,
      spooledBytes: this.#deps.spool?.bytes ?? 0,
      dropped: this.#dropped,
    };
  }

  /** Writes what is waiting and ends the chain; later records are refused. The spool stays on disk for the next start. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    const { store, spool } = this.#deps;
    const last = this.#mayTry() && (!spool || spool.isEmpty) ? this.#chain?.close() : undefined;
    // A chain that ends without it, as after a crash, is no worse evidence.
    if (last) await this.#append(store, last).catch(() => undefined);
    await spool?.close();
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#wake();
  }

  #wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#wake();
      else this.#scheduleReplay();
    });
  }

  /** One task at a time: spooled batches first, so that the oldest records reach the store first. */
  async #run(): Promise<void> {
    // Callers of the same turn share the first batch.
    await Promise.resolve();
    const { spool } = this.#deps;
    for (;;) {
      if (spool && !spool.isEmpty && !this.#closed && this.#mayTry()) await this.#replay(spool);
      const batch = this.#take();
      if (batch.length > 0) {
        this.#inFlight = batch.length;
        await this.#commit(batch);
        this.#passed();
      } else if (!spool || spool.isEmpty || this.#closed || !this.#mayTry()) return;
    }
  }

  #passed(): void {
    this.#handled += this.#inFlight;
    this.#inFlight = 0;
    const ready = this.#watchers.filter(({ upTo }) => upTo <= this.#handled);
    this.#watchers = this.#watchers.filter(({ upTo }) => upTo > this.#handled);
    for (const { resolve } of ready) resolve();
  }

  async #commit(waiting: readonly Waiting[]): Promise<void> {
    const { store, spool } = this.#deps;
    const behind = spool !== undefined && !spool.isEmpty;
    const reachable = !behind && this.#mayTry();
    const relayed = waiting[0]!.row !== undefined;
    if (!reachable && (relayed || !spool)) return this.#fail(waiting, 'store is down');
    let chain: Chain;
    try {
      chain = this.#chain ??= await this.#deps.openChain(this.#refused);
    } catch (error) {
      return this.#fail(waiting, reasonOf(error), error);
    }
    const mark = chain.mark();
    const batch = chain.batch(
      waiting.flatMap(({ entries }) => entries),
      waiting.flatMap(({ row }) => row ?? []),
    );
    if (!reachable) return this.#divert(waiting, batch, chain, mark, 'store is down');
    try {
      await this.#append(store, batch);
    } catch (error) {
      if (isOutage(error)) {
        this.#failed(error);
        return this.#divert(waiting, batch, chain, undefined, reasonOf(error));
      }
      chain.reset(mark);
      return waiting.length === 1 ? this.#refuse(waiting[0]!, error) : this.#oneByOne(waiting);
    }
    this.#refused = [];
    this.#succeeded();
    for (const one of waiting) this.#acknowledge(one);
  }

  /** One entry that the store will not take must not take the others down with it. */
  async #oneByOne(waiting: readonly Waiting[]): Promise<void> {
    for (const one of waiting) await this.#commit([one]);
  }

  /** `mark` is given if it is certain that the store has not seen the batch. */
  async #divert(
    waiting: readonly Waiting[],
    batch: AuditBatch,
    chain: Chain,
    mark: unknown,
    reason: string,
  ): Promise<void> {
    const { spool, events } = this.#deps;
    if (spool && waiting[0]!.row === undefined) {
      try {
        await spool.append(batch);
        events.emit({ type: 'audit.spooled', count: waiting.length });
        for (const one of waiting) this.#acknowledge(one);
        return;
      } catch (error) {
        reason = reasonOf(error);
      }
    }
    if (mark === undefined) this.#abandon(chain, batch);
    else chain.reset(mark);
    this.#fail(waiting, reason);
  }

  /** The batch may be in the store or not: its chain cannot go on. The next one says whose callers were refused. */
  #abandon(chain: Chain, { first, bodies }: AuditBatch): void {
    const refused = { writer: chain.writer, from: first, to: first + bodies.length - 1 };
    this.#refused = [...this.#refused, refused].slice(-MAX_REFUSED);
    this.#chain = undefined;
  }

  async #replay(spool: Spool): Promise<void> {
    try {
      const count = await spool.replay((batch) => this.#append(this.#deps.store, batch));
      this.#succeeded();
      this.#deps.events.emit({ type: 'audit.replayed', count });
    } catch (error) {
      this.#failed(error);
    }
  }

  #append(store: AuditStore, batch: AuditBatch): Promise<void> {
    const { deadlineMs } = this.#deps;
    return within(store.append(batch), deadlineMs, () =>
      errors.E_AUDIT_UNAVAILABLE({ details: { deadlineMs } }),
    );
  }

  #acknowledge(waiting: Waiting): void {
    // The mirror has seen relayed entries when their transaction was committed.
    const [entry] = waiting.entries;
    if (waiting.row === undefined) this.#deps.settled(entry, true);
    waiting.resolve({ id: entry.id, durable: true });
  }

  #refuse(waiting: Waiting, cause: unknown): void {
    this.#fail([waiting], reasonOf(cause), cause);
  }

  #fail(waiting: readonly Waiting[], reason: string, cause?: unknown): void {
    if (waiting[0]!.row !== undefined) for (const one of waiting) one.reject(cause);
    else this.#lose(waiting, reason, cause);
  }

  #lose(waiting: readonly Waiting[], reason: string, cause?: unknown): void {
    const dropped: Record<AuditKind, number> = { action: 0, request: 0, log: 0 };
    for (const one of waiting) {
      const [entry] = one.entries;
      if (this.#deps.policyOf(entry) === 'block') {
        one.reject(errors.E_AUDIT_UNAVAILABLE({ details: { reason }, cause }));
      } else {
        dropped[entry.kind]++;
        this.#dropped++;
        this.#deps.settled(entry, false);
        one.resolve({ id: entry.id, durable: false });
      }
    }
    for (const kind of ['action', 'request'] as const) {
      if (dropped[kind] > 0) {
        this.#deps.events.emit({ type: 'audit.dropped', count: dropped[kind], of: kind, reason });
      }
    }
  }

  /** The next batch: all from the outbox or none, because only the others may go to the spool. */
  #take(): Waiting[] {
    const relayed = this.#queue[0]?.row !== undefined;
    let [count, entries, chars] = [0, 0, 0];
    for (const waiting of this.#queue) {
      if (entries >= BATCH || chars >= BATCH_CHARS || (waiting.row !== undefined) !== relayed) break;
      for (const { draft } of waiting.entries) chars += draft.length;
      entries += waiting.entries.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  #mayTry(): boolean {
    return this.#downSince === undefined || this.#deps.clock.monotonic() >= this.#retryAt;
  }

  #failed(error: unknown): void {
    const now = this.#deps.clock.monotonic();
    this.#retryAt = now + this.#deps.retryMs;
    if (this.#downSince !== undefined) return;
    this.#downSince = now;
    this.#deps.events.emit({ type: 'audit.degraded', reason: reasonOf(error) });
  }

  #succeeded(): void {
    if (this.#downSince === undefined) return;
    const afterMs = this.#deps.clock.monotonic() - this.#downSince;
    this.#downSince = undefined;
    this.#deps.events.emit({ type: 'audit.recovered', afterMs });
  }

  /** Spooled batches are brought home even if nobody writes. Does not keep the process alive: the lines are safe. */
  #scheduleReplay(): void {
    const { spool, retryMs } = this.#deps;
    clearTimeout(this.#timer);
    if (!spool || spool.isEmpty || this.#closed) return;
    this.#timer = setTimeout(() => this.#wake(), retryMs);
    this.#timer.unref();
  }
}

/** Errors that say "not this" rather than "not now". Unknown errors count as an outage: that is the safe side. */
const REFUSALS = new Set(['check', 'not-null', 'foreign-key', 'unique', 'other']);

function isOutage(error: unknown): boolean {
  const { kind } = (error ?? {}) as { kind?: unknown };
  return typeof kind !== 'string' || !REFUSALS.has(kind);
}

/** For events: a code, never the message, which may quote values. */
export function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown';
}
