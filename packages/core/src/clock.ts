/** The only source of time. Tests move it by hand (`manualClock()` of `@portcullis/core/testing`). */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump; use it for dates that people or other machines see. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start. Use it for leases, deadlines and durations. */
  monotonic(): number;
}

export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
});
