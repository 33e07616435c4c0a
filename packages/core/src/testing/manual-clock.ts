import type { Clock } from '../clock.js';
import { toMs, type Duration } from '../duration.js';

/** A clock that stands still until it is told otherwise. */
export interface ManualClock extends Clock {
  /** Moves both times forward: `advance('15m')`. */
  advance(by: Duration): void;
  /** Moves only the wall clock, in either direction, as an administrator or NTP would. */
  setNow(now: number): void;
}

/** Starts at 2026-01-01T00:00:00Z unless told otherwise; monotonic time starts at 1,000,000. */
export function manualClock(start: { readonly now?: number } = {}): ManualClock {
  let now = start.now ?? Date.UTC(2026, 0, 1);
  let monotonic = 1_000_000;
  return {
    now: () => now,
    monotonic: () => monotonic,
    advance(by) {
      const ms = toMs(by);
      if (ms === undefined) throw new TypeError('advance() takes milliseconds or a duration such as "15m".');
      now += ms;
      monotonic += ms;
    },
    setNow(next) {
      now = next;
    },
  };
}
