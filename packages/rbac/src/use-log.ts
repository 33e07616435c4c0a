import type { Clock, Events } from '@portcullis/core';
import type { GovernanceStore, Use } from './governance-store.js';

export const DAY_MS = 86_400_000;
const FLUSH_MS = 60_000;
const MAX_WAITING = 10_000;

/** Which permissions are used by whom, by the day: noted in memory, written once a minute. Losing some loses a day at most. */
export class UseLog {
  readonly #store: GovernanceStore;
  readonly #clock: Clock;
  readonly #events: Events;
  #waiting = new Map<string, Use>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: GovernanceStore, clock: Clock, events: Events) {
    this.#store = store;
    this.#clock = clock;
    this.#events = events;
  }

  note(userId: string, permission: string): void {
    const day = Math.floor(this.#clock.now() / DAY_MS) * DAY_MS;
    const key = `${permission} ${userId}`;
    if (this.#waiting.get(key)?.day === day) return;
    // A store that does not answer must not fill the memory.
    if (this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(key, { userId, permission, day });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Never rejects: what could not be written waits for the next time. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    if (waiting.size === 0) return;
    this.#waiting = new Map();
    try {
      await this.#store.noteUses([...waiting.values()]);
    } catch {
      for (const [key, use] of waiting) if (!this.#waiting.has(key)) this.#waiting.set(key, use);
      this.#events.emit({
        type: 'store.failed',
        store: 'rbac',
        operation: 'note uses',
        code: 'E_ROLES_UNAVAILABLE',
      });
    }
  }
}
