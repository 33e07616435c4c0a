import { createHash } from 'node:crypto';
import { systemClock } from '../clock.js';
import { errors } from '../error-codes.js';
import type { Events } from '../events.js';
import { isError } from '../is-error.js';
import { isSecurityError, type SecurityError } from '../security-error.js';
import { within } from '../within.js';
import type { RedisClientLike } from './redis-types.js';

/** A Lua text with the name under which Redis caches it. */
export interface Lua {
  readonly text: string;
  readonly sha: string;
}

export function lua(text: string): Lua {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Sent commands whose callers have gone; beyond so many, further ones are refused without being sent. */
const MAX_OVERDUE = 1000;
const LOOK_MS = 5;

/**
 * Sends commands so that each call is answered in time. While the client has no connection nothing is handed to its
 * offline queue, from where it would run later, when nobody waits for it any more.
 */
export class RedisCaller {
  readonly #client: RedisClientLike;
  readonly #timeoutMs: number;
  readonly #events: Events;
  #overdue = 0;
  #downSince: number | undefined;

  constructor(client: RedisClientLike, timeoutMs: number, events: Events) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
  }

  /** @throws E_STORE_TIMEOUT | E_STORE_UNAVAILABLE | E_STORE_TYPE */
  call(
    operation: string,
    deadlineMs: number | undefined,
    command: string,
    ...args: (string | number)[]
  ): Promise<unknown> {
    return this.#perform(operation, deadlineMs, (send) => send(command, ...args));
  }

  /** EVALSHA, and EVAL where the server does not know the script (any more). */
  script(
    operation: string,
    deadlineMs: number | undefined,
    script: Lua,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.#perform(operation, deadlineMs, async (send) => {
      try {
        return await send('evalsha', script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
        return send('eval', script.text, keys.length, ...keys, ...args);
      }
    });
  }

  async #perform(
    operation: string,
    deadlineMs: number | undefined,
    work: (send: RedisClientLike['call']) => Promise<unknown>,
  ): Promise<unknown> {
    const limit = deadlineMs ?? this.#timeoutMs;
    const end = systemClock.monotonic() + limit;
    let late = false;
    const send: RedisClientLike['call'] = async (command, ...args) => {
      if (late) throw errors.E_STORE_TIMEOUT(); // The second step of a call whose time is over.
      const sent = this.#client.call(command, ...args);
      return sent;
    };
    try {
      if (!(limit > 0)) throw new TypeError(`deadlineMs must be more than 0, not ${limit}.`);
      if (this.#overdue >= MAX_OVERDUE) {
        throw errors.E_STORE_TIMEOUT({ details: `${MAX_OVERDUE} commands have not been answered yet` });
      }
      await this.#ready(end);
      const working = work(send);
      return await within(working, Math.max(0, end - systemClock.monotonic()), () => {
        late = true;
        this.#overdue++;
        const answered = () => void this.#overdue--;
        working.then(answered, answered);
        return errors.E_STORE_TIMEOUT({ details: `no answer within ${limit} ms` });
      });
    } catch (error) {
      const failure = toStoreError(error);
      if (isSecurityError(failure)) {
        this.#events.emit({ type: 'store.failed', store: 'redis', operation, code: failure.code });
      }
      throw failure;
    }
  }

  /** Waits for a connection, but in each outage no longer than one deadline: later calls are refused at once. */
  async #ready(end: number): Promise<void> {
    for (;;) {
      const { status } = this.#client;
      // A lazy client (`wait`) connects with its first command.
      if (status === undefined || status === 'ready' || status === 'wait') {
        this.#downSince = undefined;
        return;
      }
      const now = systemClock.monotonic();
      this.#downSince ??= now;
      if (status === 'end' || now >= end || now - this.#downSince >= this.#timeoutMs) {
        throw errors.E_STORE_UNAVAILABLE({ details: `the client is ${status}` });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function toStoreError(error: unknown): unknown {
  if (isSecurityError(error) || (isError(error) && error.name === 'TypeError')) return error;
  const message = messageOf(error);
  const make = /WRONGTYPE|not an integer|out of range|would overflow/.test(message)
    ? errors.E_STORE_TYPE
    : message === 'Command timed out'
      ? errors.E_STORE_TIMEOUT
      : errors.E_STORE_UNAVAILABLE;
  return make({ details: message, cause: error }) satisfies SecurityError;
}

function messageOf(error: unknown): string {
  return isError(error) ? error.message : '';
}
