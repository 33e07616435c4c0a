import type { Clock } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { Compute } from './computations.js';

/** Runs at most `slots` tasks at once, each with a computer of its own, and lets at most `maxQueue` wait. */
export interface Gate {
  /** @throws E_PASSWORD_BUSY (503 with Retry-After) at once if the queue is full */
  run<T>(task: (compute: Compute) => Promise<T>): Promise<T>;
}

/** Without a bound a burst of sign-ins takes every processor and as much memory as there are requests. */
export function createGate(options: {
  slots: number;
  maxQueue: number;
  clock: Clock;
  createSlot: () => Compute;
}): Gate {
  const { slots, maxQueue, clock, createSlot } = options;
  // The last one given back is the first one taken, so that threads that are not needed end.
  const free = Array.from({ length: slots }, createSlot);
  const waiting: ((slot: Compute) => void)[] = [];
  let meanMs = 100;

  return {
    async run(task) {
      if (free.length === 0 && waiting.length >= maxQueue) {
        const seconds = Math.max(1, Math.ceil((waiting.length * meanMs) / slots / 1000));
        throw errors.E_PASSWORD_BUSY({ headers: { 'Retry-After': String(seconds) } });
      }
      const slot = free.pop() ?? (await new Promise<Compute>((resolve) => waiting.push(resolve)));
      const startedAt = clock.monotonic();
      try {
        return await task(slot);
      } finally {
        meanMs += (clock.monotonic() - startedAt - meanMs) / 8;
        const next = waiting.shift();
        // Handed over, so that a newcomer cannot slip in between.
        if (next) next(slot);
        else free.push(slot);
      }
    },
  };
}
