import { isError, type Events, type Random } from '@portcullis/core';
import { errors } from '../error-codes.js';

/** Work that no answer may wait for: whether there is a message to send must not show in the time of a request. */
export interface Outbox {
  /**
   * Runs at a random moment of the next second, up to three times if it rejects: at once, what it does would show in the time of the
   * request that comes next.
   * @throws E_NOTIFICATIONS_BUSY (503) if too much waits
   */
  add(kind: string, job: () => Promise<void>): void;
  /** Lets what waits run at once, and resolves when nothing waits or runs. */
  settled(): Promise<void>;
}

const MOST = 1_000;
const AT_ONCE = 4;
const WITHIN_MS = 1_000;
const DELAYS_MS = [0, 1_000, 10_000];

export interface OutboxDeps {
  readonly events: Events;
  readonly random: Random;
  /** @default a timer that does not keep the process alive */
  readonly wait?: (ms: number) => Promise<void>;
}

export function createOutbox({ events, random, wait = pause }: OutboxDeps): Outbox {
  /** Each until its moment comes. */
  const resting = new Map<() => Promise<void>, NodeJS.Timeout>();
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
    if (isBusy()) return;
    for (const resolve of idle.splice(0)) resolve();
  }
  const isBusy = (): boolean => running > 0 || queue.length > 0 || resting.size > 0;

  function wake(job: () => Promise<void>): void {
    clearTimeout(resting.get(job));
    resting.delete(job);
    queue.push(job);
    next();
  }

  return {
    add(kind, run) {
      if (queue.length + resting.size >= MOST)
        throw errors.E_NOTIFICATIONS_BUSY({ headers: { 'Retry-After': '5' } });
      const job = (): Promise<void> => attempt(kind, run);
      const delay = (random.bytes(2).readUInt16BE() * WITHIN_MS) / 65_536;
      const timer = setTimeout(() => wake(job), delay);
      resting.set(job, timer.unref());
    },
    async settled() {
      if (!isBusy()) return;
      const done = new Promise<void>((resolve) => idle.push(resolve));
      for (const job of resting.keys()) wake(job);
      await done;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
