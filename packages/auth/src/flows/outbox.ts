import { isError, type Events } from '@portcullis/core';
import { errors } from '../error-codes.js';

/** Work that no answer may wait for: whether there is a message to send must not show in the time of a request. */
export interface Outbox {
  /**
   * Runs later, up to three times if it rejects.
   * @throws E_NOTIFICATIONS_BUSY (503) if too much waits
   */
  add(kind: string, job: () => Promise<void>): void;
  /** Resolves when nothing waits or runs. */
  settled(): Promise<void>;
}

const MOST = 1_000;
const AT_ONCE = 4;
const DELAYS_MS = [0, 1_000, 10_000];

export interface OutboxDeps {
  readonly events: Events;
  /** @default a timer that does not keep the process alive */
  readonly wait?: (ms: number) => Promise<void>;
}

export function createOutbox({ events, wait = pause }: OutboxDeps): Outbox {
  const queue: (() => Promise<void>)[] = [];
  let running = 0;
  const idle: (() => void)[] = [];

  async function attempt(kind: string, job: () => Promise<void>): Promise<void> {
    for (const [i, delay] of DELAYS_MS.entries()) {
      if (delay > 0) await wait(delay);
      try {
        return await job();
      } catch (error) {
        if (i < DELAYS_MS.length - 1) continue;
        events.emit({
          type: 'auth.notification-failed',
          kind,
          reason: isError(error) ? error.name : 'unknown',
        });
      }
    }
  }
  function next(): void {
    while (running < AT_ONCE && queue.length > 0) {
      running++;
      void queue.shift()!().finally(() => {
        running--;
        next();
      });
    }
    if (running > 0 || queue.length > 0) return;
    for (const resolve of idle.splice(0)) resolve();
  }

  return {
    add(kind, job) {
      if (queue.length >= MOST) throw errors.E_NOTIFICATIONS_BUSY({ headers: { 'Retry-After': '5' } });
      queue.push(() => attempt(kind, job));
      // After the answer of the request that asked for it.
      setImmediate(next);
    },
    async settled() {
      if (running === 0 && queue.length === 0) return;
      await new Promise<void>((resolve) => idle.push(resolve));
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
