import type { Change } from './change-feed.js';

/**
 * "A fact was revoked; every process must act on it within the lease." Caches ask {@link Freshness.current} before they
 * use an entry; it is true only while a lease, counted on the monotonic clock from before the read of the log, holds.
 */
export interface Freshness {
  /** True while the lease holds: cached facts count. Synchronous and cheap; for the request path. */
  current(): boolean;
  /**
   * Resolves when the lease holds, after at most one shared renewal.
   * @throws E_STALE (503) if the log cannot be read within the deadline
   */
  ensure(): Promise<void>;
  /** The newest revision that has been applied here. */
  readonly revision: number;
  /** The revision at which this subject of the topic last changed, as far as applied here; for the fill rule. */
  changedAt(topic: string, subject: string): number;
  /** Evict what these changes concern; `undefined` means everything (the log was reset). Called in order, synchronously. */
  onChanges(topic: string, evict: (changes: readonly Change[] | undefined) => void): () => void;
  /** Resolves when no process can still act on what was true before now: one lease later; at once for synchronous feeds. */
  settled(): Promise<void>;
  readonly leaseMs: number;
  /** Stops polling. Timers never keep the process alive. */
  stop(): Promise<void>;
}
