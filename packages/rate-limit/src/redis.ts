import { createHash } from 'node:crypto';
import { RedisStore } from 'rate-limit-redis';
import {
  isError,
  option,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type Events,
} from '@portcullis/core';
import { createBreaker } from './breaker.js';
import type { WindowStore } from './window-store.js';

/** What is needed of a Redis client; ioredis 5 and 6 fit, `Redis` and `Cluster`. */
export interface RedisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
}

export interface RedisWindowsOptions {
  /** Begins every key. @default 'portcullis:limit:' */
  readonly prefix?: string;
  /** Longest wait for Redis, 5 ms to 10 s; reached once, the breaker opens. @default '100ms' */
  readonly timeoutMs?: Duration;
  /** While Redis is down: shortest time between two background probes, 10 ms to 1 min. @default '1s' */
  readonly probeEveryMs?: Duration;
  readonly clock?: Clock;
}

/**
 * Fixed windows counted in Redis by rate-limit-redis, shared by every process that uses the same prefix.
 * One atomic script per request. Redis may be down when this is built, and may lose its scripts.
 * After a failure no request waits for Redis until a background probe has succeeded; the change is told once as
 * `rate-limit.degraded` and once as `rate-limit.recovered`, to the `events` of every limit that uses the store.
 * @throws OptionError
 */
export function redisWindows(client: RedisClient, options: RedisWindowsOptions = {}): WindowStore {
  readOptions('redisWindows', { client }, { client: option.port<RedisClient>(['call']) });
  const { prefix, timeoutMs, probeEveryMs, clock } = readOptions('redisWindows', options, {
    prefix: option.string({ max: 100, default: 'portcullis:limit:' }),
    timeoutMs: option.duration({ minMs: 5, maxMs: 10_000, default: 100 }),
    probeEveryMs: option.duration({ minMs: 10, maxMs: 60_000, default: 1000 }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  });
  const send = scriptRunner(client);
  const listeners = new Set<Events>();
  const breaker = createBreaker({
    timeoutMs,
    probeEveryMs,
    clock,
    // A write, as the counters do: a read-only replica or a full memory is down for our purpose.
    probe: () => send('SET', `${prefix}probe`, '1', 'PX', '1000'),
    onOpen: (reason) => {
      for (const events of listeners) events.emit({ type: 'rate-limit.degraded', store: 'redis', reason });
    },
    onClose: (afterMs) => {
      for (const events of listeners) events.emit({ type: 'rate-limit.recovered', store: 'redis', afterMs });
    },
  });

  return {
    kind: 'redis',
    shared: true,
    open({ name, windowMs, events }) {
      listeners.add(events);
      const keys = `${prefix}${name}:${windowMs}:`;
      const store = new RedisStore({ sendCommand: send as never, prefix: keys });
      // Only takes the window over and names its scripts; scriptRunner sends nothing for that.
      void store.init({ windowMs } as never);
      return {
        async increment(key) {
          const sentAt = clock.monotonic();
          const { totalHits, resetTime } = await breaker(() => store.increment(key));
          // The store adds what remains to the wall clock; we want only that. It is counted from the sending, so
          // that a local shadow of the window never outlives it.
          const remaining = (resetTime?.getTime() ?? Number.NaN) - systemClock.now();
          return { hits: totalHits, ttlMs: Math.max(0, remaining - (clock.monotonic() - sentAt)) };
        },
        async undo(key) {
          await breaker(() => send('EVAL', UNDO, '1', `${keys}${key}`));
        },
        async reset(key) {
          await breaker(() => store.resetKey(key));
        },
      };
    },
  };
}

// DECR alone would create a counter below zero that never expires, once the window has ended.
const UNDO = `if redis.call('PTTL', KEYS[1]) > 0 and tonumber(redis.call('GET', KEYS[1])) > 0 then
return redis.call('DECR', KEYS[1]) end return 0`;

type Send = (command: string, ...args: string[]) => Promise<unknown>;

/**
 * rate-limit-redis loads its scripts once, when it is built; if Redis is down at that moment it never counts
 * again. So loading only notes the text, and a script that Redis does not know is sent along with the call.
 */
function scriptRunner(client: RedisClient): Send {
  const scripts = new Map<string, string>();
  return async (command, ...args) => {
    if (command === 'SCRIPT' && args[0] === 'LOAD') {
      const text = args[1]!;
      const sha = createHash('sha1').update(text).digest('hex');
      scripts.set(sha, text);
      return sha;
    }
    try {
      return await client.call(command, ...args);
    } catch (error) {
      const text = command === 'EVALSHA' ? scripts.get(args[0]!) : undefined;
      if (text === undefined || !isError(error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.call('EVAL', text, ...args.slice(1));
    }
  };
}
