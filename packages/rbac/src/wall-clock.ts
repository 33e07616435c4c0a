import type { Clock } from '@portcullis/core';

/**
 * The wall clock, and the latest time that it can be: the latest it was seen to show, and what has passed since on the
 * monotonic clock. A clock that is set back does not revive what has ended, whether or not anybody looked at its end.
 */
export class WallClock {
  readonly #clock: Clock;
  #latest: number;
  #seenAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#latest = clock.now();
    this.#seenAt = clock.monotonic();
  }

  read(): { readonly now: number; readonly latest: number } {
    const now = this.#clock.now();
    const at = this.#clock.monotonic();
    const latest = Math.max(now, Math.floor(this.#latest + (at - this.#seenAt)));
    if (now === latest) [this.#latest, this.#seenAt] = [now, at];
    return { now, latest };
  }
}
