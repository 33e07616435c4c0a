import type { Clock, Events } from '@portcullis/core';
import { errors } from './error-codes.js';
import type { AuditKind } from './entry.js';
import type { PreparedEntry } from './record.js';
import type { Spool } from './spool.js';
import type { AuditStore } from './store.js';

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
  readonly entry: PreparedEntry;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
}

const BATCH = 512;
const BATCH_BYTES = 4 << 20;

/**
 * Group commit: one batch is in flight, everything that arrives meanwhile goes into the next; a record is
 * acknowledged when its batch is durable, in the store or in the spool.
 * After a failure the store is left alone for `retryMs`: records go to the spool at once, or are refused or dropped.
 */
export class Writer {
  readonly #deps: WriterDeps;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #downSince: number | undefined;
  #retryAt = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
    if (deps.spool && !deps.spool.isEmpty) this.#wake();
  }

  write(entry: PreparedEntry): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const waiting = { entry, resolve, reject };
      if (this.#closed) this.#lose([waiting], 'closed');
      else if (this.#queue.length >= this.#deps.maxPending) this.#lose([waiting], 'too many waiting');
      else {
        this.#queue.push(waiting);
        this.#wake();
      }
    });
  }

  get status(): WriterStatus {
    return {
      store: this.#downSince === undefined ? 'up' : 'down',
      pending: this.#queue.length,
      spooledBytes: this.#deps.spool?.bytes ?? 0,
      dropped: this.#dropped,
    };
  }

  /** Writes what is waiting; later records are refused. The spool stays on disk for the next start. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#deps.spool?.close();
  }

  #wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#wake();
      else this.#scheduleReplay();
    });
  }

  /** One task at a time: spooled lines first, so that the oldest records reach the store first. */
  async #run(): Promise<void> {
    // Callers of the same turn share the first batch.
    await Promise.resolve();
    const { spool } = this.#deps;
    for (;;) {
      if (spool && !spool.isEmpty && !this.#closed && this.#mayTry()) await this.#replay(spool);
      const batch = this.#take();
      if (batch.length > 0) await this.#commit(batch);
      else if (!spool || spool.isEmpty || this.#closed || !this.#mayTry()) return;
    }
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const { store, spool } = this.#deps;
    const behind = spool !== undefined && !spool.isEmpty;
    if (behind || !this.#mayTry()) return this.#divert(batch, 'store is down');
    try {
      await store.append(batch.map((waiting) => waiting.entry.body));
    } catch (error) {
      if (isOutage(error)) {
        this.#failed(error);
        return this.#divert(batch, reasonOf(error));
      }
      return batch.length === 1 ? this.#refuse(batch[0]!, error) : this.#oneByOne(batch);
    }
    this.#succeeded();
    for (const waiting of batch) this.#acknowledge(waiting);
  }

  /** One entry that the store will not take must not take the others down with it. */
  async #oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) await this.#commit([waiting]);
  }

  async #divert(batch: readonly Waiting[], reason: string): Promise<void> {
    const { spool, events } = this.#deps;
    if (!spool) return this.#lose(batch, reason);
    try {
      await spool.append(batch.map((waiting) => waiting.entry.body));
    } catch (error) {
      return this.#lose(batch, reasonOf(error));
    }
    events.emit({ type: 'audit.spooled', count: batch.length });
    for (const waiting of batch) this.#acknowledge(waiting);
  }

  async #replay(spool: Spool): Promise<void> {
    try {
      const count = await spool.replay(BATCH, (bodies) => this.#deps.store.append(bodies));
      this.#succeeded();
      this.#deps.events.emit({ type: 'audit.replayed', count });
    } catch (error) {
      this.#failed(error);
    }
  }

  #acknowledge(waiting: Waiting): void {
    this.#deps.settled(waiting.entry, true);
    waiting.resolve({ id: waiting.entry.id, durable: true });
  }

  #refuse(waiting: Waiting, cause: unknown): void {
    this.#lose([waiting], reasonOf(cause), cause);
  }

  #lose(batch: readonly Waiting[], reason: string, cause?: unknown): void {
    const dropped: Record<AuditKind, number> = { action: 0, request: 0 };
    for (const waiting of batch) {
      if (this.#deps.policyOf(waiting.entry) === 'block') {
        waiting.reject(errors.E_AUDIT_UNAVAILABLE({ details: { reason }, cause }));
      } else {
        dropped[waiting.entry.kind]++;
        this.#dropped++;
        this.#deps.settled(waiting.entry, false);
        waiting.resolve({ id: waiting.entry.id, durable: false });
      }
    }
    for (const kind of ['action', 'request'] as const) {
      if (dropped[kind] > 0) {
        this.#deps.events.emit({ type: 'audit.dropped', count: dropped[kind], of: kind, reason });
      }
    }
  }

  #take(): Waiting[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < BATCH && bytes < BATCH_BYTES) {
      bytes += this.#queue[count]!.entry.body.length;
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

  /** Spooled lines are brought home even if nobody writes. Does not keep the process alive: the lines are safe. */
  #scheduleReplay(): void {
    const { spool, retryMs } = this.#deps;
    clearTimeout(this.#timer);
    if (!spool || spool.isEmpty || this.#closed) return;
    this.#timer = setTimeout(() => this.#wake(), retryMs);
    this.#timer.unref();
  }
}

/** Errors that say "not now" rather than "not this". Unknown errors count as an outage: that is the safe side. */
function isOutage(error: unknown): boolean {
  const { kind } = error as { kind?: unknown };
  return typeof kind !== 'string' || !['check', 'not-null', 'foreign-key', 'unique', 'other'].includes(kind);
}

/** For events: a code, never the message, which may quote values. */
function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown';
}
