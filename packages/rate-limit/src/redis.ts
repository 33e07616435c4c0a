import { createHash } from 'node:crypto';
import loadRedisStore from '#peers/rate-limit-redis';
import {
  isError,
  missingPeer,
  option,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type Events,
} from '@portcullis/core';
import { createBreaker, type Breaker } from './breaker.js';
import { Debts, whenLate } from './debts.js';
import { freshSeed } from './key-table.js';
import type { LimitStore } from './limit-store.js';
import { MemoryMeters } from './memory-meters.js';
import { windowMeter, type Charge } from './meter.js';
import { SharedMeters } from './shared-meters.js';
import { withShadow } from './shared-windows.js';
import { BAN, readReceipts, TAKE, takeArguments } from './take-script.js';
import { memoryMs } from './ban.js';

/** What is needed of a Redis client; ioredis 5 and 6 fit, `Redis` and `Cluster`. */
export interface RedisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
  /** `ready` when commands are answered; a client without it is asked whatever its state. */
  readonly status?: string;
}

export interface RedisLimitsOptions {
  /** Begins every key. @default 'portcullis:limit:' */
  readonly prefix?: string;
  /** Longest wait for Redis, 5 ms to 10 s; reached once, the breaker opens. @default '100ms' */
  readonly timeoutMs?: Duration;
  /** The breaker opens too when Redis takes longer than this in the running average, 1 ms to 10 s. @default half of `timeoutMs` */
  readonly slowMs?: Duration;
  /**
   * While Redis is down: shortest time between two background probes, 10 ms to 1 min. While Redis comes and goes it doubles
   * with each return that did not last, up to 30 times.
   * @default '1s'
   */
  readonly probeEveryMs?: Duration;
  /** How long a process holds permits ahead (see `lease`), 10 ms to 1 min. @default '1s' */
  readonly leaseMs?: Duration;
  /** Keys per limit that the local shadow holds, and for which permits are held ahead; 100 to 10,000,000. @default 100_000 */
  readonly maxKeys?: number;
  readonly clock?: Clock;
}

/**
 * Limits counted in Redis 6.2 or later, shared by every process that uses the same prefix: whole windows by
 * rate-limit-redis, everything else by one atomic script, whatever the number of limits. A request makes one trip, or none
 * while permits are held ahead. Redis may be down when this is built, and may lose its scripts.
 * After a failure no request waits for Redis until a background probe has succeeded and what was admitted meanwhile has been
 * told to Redis. The change is told once as `rate-limit.degraded` and once as `rate-limit.restored`, to the `events` of every
 * limit that uses the store.
 * @throws OptionError
 */
export function redisLimits(client: RedisClient, options: RedisLimitsOptions = {}): LimitStore {
  const { RedisStore } = loadRedisStore(missingPeer('redisLimits', 'rate-limit-redis@^6.0.1'));
  readOptions('redisLimits', { client }, { client: option.port<RedisClient>(['call']) });
  const settings = readOptions('redisLimits', options, {
    prefix: option.string({ max: 100, default: 'portcullis:limit:' }),
    timeoutMs: option.duration({ minMs: 5, maxMs: 10_000, default: 100 }),
    slowMs: option.optional(option.duration({ minMs: 1, maxMs: 10_000 })),
    probeEveryMs: option.duration({ minMs: 10, maxMs: 60_000, default: 1000 }),
    leaseMs: option.duration({ minMs: 10, maxMs: 60_000, default: 1000 }),
    maxKeys: option.integer({ min: 100, max: 10_000_000, default: 100_000 }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  });
  const { prefix, timeoutMs, probeEveryMs, leaseMs, maxKeys, clock } = settings;
  const send = scriptRunner(client);
  const listeners = new Set<Events>();
  /** Brings Redis up to date after an outage; each returns for how many keys. */
  const returns: ((call: Breaker) => Promise<number>)[] = [];
  let reconciled = 0;
  const breaker = createBreaker({
    timeoutMs,
    slowMs: settings.slowMs ?? timeoutMs / 2,
    probeEveryMs,
    clock,
    // A write, as the counters do: a read-only replica or a full memory is down for our purpose.
    probe: () => send('SET', `${prefix}probe`, '1', 'PX', '1000'),
    async onReturn(call) {
      reconciled = 0;
      // Until a round has nothing to tell: requests go on meanwhile.
      let told;
      do {
        told = 0;
        for (const bringUpToDate of returns) told += await bringUpToDate(call);
        reconciled += told;
      } while (told > 0);
    },
    onOpen: (reason) => {
      for (const events of listeners) events.emit({ type: 'rate-limit.degraded', store: 'redis', reason });
    },
    onClose: (afterMs) => {
      const restored = { type: 'rate-limit.restored', store: 'redis', afterMs, reconciled } as const;
      for (const events of listeners) events.emit(restored);
    },
  });

  return {
    kind: 'redis',
    shared: true,

    open({ name, windowMs, onStoreDown, events }) {
      listeners.add(events);
      const meter = windowMeter(name, windowMs);
      const keys = `${prefix}${meter.id}:`;
      const store = new RedisStore({ sendCommand: send as never, prefix: keys });
      // Only takes the window over and names its scripts; scriptRunner sends nothing for that.
      void store.init({ windowMs } as never);
      const debts = new Debts<string>();
      const owe = (key: string, hits: number): void => debts.add(key, key, hits);
      const counter = {
        async increment(key: string) {
          const sentAt = clock.monotonic();
          let trip: ReturnType<typeof store.increment> | undefined;
          try {
            const { totalHits, resetTime } = await breaker(() => (trip = store.increment(key)));
            // The store adds what remains to the wall clock; we want only that. It is counted from the sending, so
            // that a local shadow of the window never outlives it.
            const remaining = (resetTime?.getTime() ?? Number.NaN) - systemClock.now();
            return { hits: totalHits, ttlMs: Math.max(0, remaining - (clock.monotonic() - sentAt)) };
          } catch (error) {
            whenLate(trip, () => owe(key, -1));
            throw error;
          }
        },
        async read(key: string) {
          const seen = await breaker(async () => store.get(key));
          const ttlMs = (seen?.resetTime?.getTime() ?? 0) - systemClock.now();
          return seen && seen.totalHits > 0 && ttlMs > 0 ? { hits: seen.totalHits, ttlMs } : undefined;
        },
        async undo(key: string) {
          let trip: Promise<unknown> | undefined;
          try {
            await breaker(() => (trip = send('EVAL', UNDO, '1', `${keys}${key}`)));
          } catch (error) {
            whenLate(trip, (undone) => owe(key, Number(undone)));
            throw error;
          }
        },
        reset: async (key: string) => {
          debts.forget(key);
          await breaker(() => store.resetKey(key));
        },
      };
      if (onStoreDown === 'refuse') return counter;

      const onOverflow = (): void => events.emit({ type: 'rate-limit.overflowed', limit: name, maxKeys });
      const shadow = new MemoryMeters([meter], { maxKeys, clock, seed: freshSeed(), onOverflow });
      returns.push((call) =>
        debts.pay(async ({ subject: key, cost }) => {
          const here = shadow.read(meter, key);
          if (!here || here.ttlMs < 1) return;
          const numbers = [cost, Math.floor(here.ttlMs), here.hits].map(String);
          await send('EVAL', ADD, '1', `${keys}${key}`, ...numbers);
        }, call),
      );
      return withShadow(counter, shadow, meter, owe);
    },

    meters(policy) {
      listeners.add(policy.events);
      const keysOf = ({ meter, tag, key }: Charge): [string, string] => {
        const base = `${prefix}${meter.id}:{${tag}}:${key}`;
        return [base, `${base}:ban`];
      };
      const meters = new SharedMeters(policy, {
        clock,
        breaker,
        leaseMs,
        maxKeys,
        async send(orders) {
          const keys = orders.flatMap(({ charge }) => keysOf(charge));
          const args = takeArguments(orders, policy.lease, leaseMs, policy.ban);
          const raw = await send('EVALSHA', TAKE_SHA, String(keys.length), ...keys, ...args);
          return readReceipts(raw, orders);
        },
        forget: (charge) => send('DEL', ...keysOf(charge)),
        ban: (charge, { forMs, number }) => {
          const keep = Math.ceil(memoryMs(policy.ban!));
          return send(
            'EVAL',
            BAN,
            '1',
            keysOf(charge)[1],
            ...[Math.ceil(forMs * 1000), number, keep].map(String),
          );
        },
      });
      returns.push((call) => meters.reconcile(call));
      return meters;
    },
  };
}

const TAKE_SHA = shaOf(TAKE);

// DECR alone would create a counter below zero that never expires, once the window has ended.
const UNDO = `if redis.call('PTTL', KEYS[1]) > 0 and tonumber(redis.call('GET', KEYS[1])) > 0 then
redis.call('DECR', KEYS[1]) return 1 end return 0`;

// What was counted without Redis joins the window that runs there, or begins one of the length that is left of it; what
// this process knows of the window stands at least.
const ADD = `local there = redis.call('PTTL', KEYS[1])
local hits = ARGV[1] + (there > 0 and redis.call('GET', KEYS[1]) or 0)
hits = math.max(hits, tonumber(ARGV[3]))
if hits > 0 then redis.call('SET', KEYS[1], string.format('%.0f', hits), 'PX', there > 0 and there or ARGV[2]) end`;

type Send = (command: string, ...args: string[]) => Promise<unknown>;

/**
 * rate-limit-redis loads its scripts once, when it is built; if Redis is down at that moment it never counts
 * again. So loading only notes the text, and a script that Redis does not know is sent along with the call.
 */
function scriptRunner(client: RedisClient): Send {
  const scripts = new Map([[TAKE_SHA, TAKE]]);
  return async (command, ...args) => {
    if (command === 'SCRIPT' && args[0] === 'LOAD') {
      const text = args[1]!;
      const sha = shaOf(text);
      scripts.set(sha, text);
      return sha;
    }
    // Nothing is left to the client's queue, from where it would be counted when nobody waits for it any more.
    const { status } = client;
    if (status === 'end' || status === 'close' || status === 'reconnecting') {
      throw new Error(`The client is ${status}.`);
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

function shaOf(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
