import type { Events } from '@portcullis/core';
import type { BanRule } from './ban.js';
import type { Charge, Meter, Reading } from './meter.js';

/** The state of one key after a hit. */
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
  /** What stands there, without counting; undefined if no window runs. Without it `peek()` is not available. */
  read?(key: string): WindowHits | undefined | Promise<WindowHits | undefined>;
  /** Takes one hit back, if the window still runs. */
  undo(key: string): void | Promise<void>;
  /** Forgets the key. */
  reset(key: string): void | Promise<void>;
}

export interface WindowPolicy {
  readonly name: string;
  readonly windowMs: number;
  readonly onStoreDown: 'local' | 'refuse';
  /** Where the store reports changes of its state; each change is told once. */
  readonly events: Events;
}

/** What a limiter asks of a store: all its meters, and what it does without the store. */
export interface MetersPolicy {
  readonly name: string;
  readonly meters: readonly Meter[];
  readonly ban?: BanRule | undefined;
  /** Permits that the processes may hold ahead, all together; 1 asks the store for every request. */
  readonly lease: number;
  readonly onStoreDown: 'local' | 'refuse';
  readonly events: Events;
}

/** Several meters that are charged together. */
export interface Meters {
  /**
   * Takes all charges or none. A store that cannot answer goes on in this process or rejects, as its policy says, and
   * lets nobody wait once it knows.
   */
  take(charges: readonly Charge[]): readonly Reading[] | Promise<readonly Reading[]>;
  /** Forgets the keys of these charges, their bans included. */
  reset(charges: readonly Charge[]): void | Promise<void>;
}

/**
 * Where limits are counted: `memoryLimits()`, or `redisLimits()` of `@portcullis/rate-limit/redis`.
 * One store serves many limits; limits of one name and shape share their counts in a shared store.
 * A store of your own needs `open`, which is enough for limits of whole windows; everything else asks for `meters`.
 * A store that cannot answer rejects, without letting callers wait once it knows.
 */
export interface LimitStore {
  /** Short name for events and messages: `memory`, `redis`. */
  readonly kind: string;
  /** True if other processes see the counts. */
  readonly shared: boolean;
  /** Whole windows, one hit at a time. */
  open(policy: WindowPolicy): WindowCounter;
  /** Everything else. A store that has it also does what `onStoreDown` says. */
  meters?(policy: MetersPolicy): Meters;
}
