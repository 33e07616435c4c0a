import type { Clock } from '@portcullis/core';
import { errors } from '../error-codes.js';

/** Runs at most `slots` tasks at once and lets at most `maxQueue` wait. */
export interface Gate {
  /** @throws E_PASSWORD_BUSY (503 with Retry-After) at once if the queue is full */
  run<T>(task: () => Promise<T>): Promise<T>;
}

/**
 * Password hashing takes a thread of libuv's pool for its whole time; without a bound a burst of sign-ins makes every
 * file access, DNS look-up and TLS handshake of the process wait behind it.
 */
export function createGate(options: { slots: number; maxQueue: number; clock: Clock }): Gate {
  const { slots, maxQueue, clock } = options;
  const waiting: (() => void)[] = [];
  let running = 0;
  let meanMs = 100;

  function release(startedAt: number): void {
    meanMs += (clock.monotonic() - startedAt - meanMs) / 8;
    running--;
    waiting.shift()?.();
  }

  return {
    async run(task) {
      if (running >= slots) {
        if (waiting.length >= maxQueue) {
          const seconds = Math.max(1, Math.ceil((waiting.length * meanMs) / slots / 1000));
          throw errors.E_PASSWORD_BUSY({ headers: { 'Retry-After': String(seconds) } });
        }
        // The slot is handed over within release(), so that a newcomer cannot slip in between.
        await new Promise<void>((resolve) => {
          waiting.push(() => {
            running++;
            resolve();
          });
        });
      } else {
        running++;
      }
      const startedAt = clock.monotonic();
      try {
        return await task();
      } finally {
        release(startedAt);
      }
    },
  };
}
