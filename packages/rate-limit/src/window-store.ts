import type { Events } from '@portcullis/core';

/** The state of one key after a call. */
export interface WindowHits {
  /** Hits in the running window, this one included. */
  readonly hits: number;
  /** Milliseconds until the window ends. */
  readonly ttlMs: number;
}

/** The counters of one limit. Keys are short, printable and already free of personal data. */
export interface WindowCounter {
  /** Counts one hit; the first one of a key starts its window. */
  increment(key: string): WindowHits | Promise<WindowHits>;
  /** Takes one hit back, if the window still runs. */
  undo(key: string): void | Promise<void>;
  /** Forgets the key. */
  reset(key: string): void | Promise<void>;
}

export interface WindowPolicy {
  readonly name: string;
  readonly windowMs: number;
  /** Where the store reports changes of its state; each change is told once. */
  readonly events: Events;
}

/**
 * Where fixed windows are counted: `memoryWindows()`, or `redisWindows()` of `@portcullis/rate-limit/redis`.
 * One store serves many limits; limits of one name and window share their counts in a shared store.
 * A store that cannot answer rejects, without letting callers wait once it knows.
 */
export interface WindowStore {
  /** Short name for events and messages: `memory`, `redis`. */
  readonly kind: string;
  /** True if other processes see the counts. */
  readonly shared: boolean;
  open(policy: WindowPolicy): WindowCounter;
}
