import type { Deadline } from './deadline.js';

/** First come, first served; who gives up waiting leaves the queue. */
export class Mutex {
  #last: Promise<void> = Promise.resolve();

  /** @throws SqlError `timeout` if the turn does not come in time */
  async run<T>(deadline: Deadline, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let leave!: () => void;
    this.#last = new Promise((resolve) => (leave = resolve));
    try {
      await deadline.bound(before, 'waiting for the one connection (inside a transaction, use its tx)');
    } catch (error) {
      void before.then(leave);
      throw error;
    }
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
