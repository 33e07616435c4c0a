import type { Duration } from '../duration.js';
import { noEvents, type Events } from '../events.js';
import { checkIncrement, checkSameTag, checkTtl } from '../key-value-checks.js';
import type { CallOptions, Counter, KeyValueStore, StoreKey, StoreScript } from '../key-value-store.js';
import { option, readOptions } from '../options.js';
import { lua, RedisCaller, type Lua } from './redis-caller.js';
import type { RedisClientLike } from './redis-types.js';

export interface RedisStoreOptions {
  /** Put before every key; empty, or names that each end in `:`. @default 'portcullis:' */
  readonly prefix?: string;
  /** Longest time for a call, 1 ms to 60 s, whatever the client's own time-outs and queues do. @default 250 */
  readonly timeoutMs?: Duration;
  readonly events?: Events;
}

/** The prefix of keys: never a brace, which would move the Cluster hash tag. */
export const PREFIX = /^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}:)*$/;

/**
 * A store in Redis 6.2 or later through `ioredis` 5 or 6: single, Sentinel, or Cluster (each call touches one hash slot).
 * - A call that rejects with E_STORE_TIMEOUT may still take effect on the server later; its answer is dropped. One that
 *   rejects with E_STORE_UNAVAILABLE because there is no connection was never sent.
 * - In an outage each call is refused after at most `timeoutMs`, at once when the outage has lasted that long. The client's
 *   own reconnection ends it.
 * - Give the client `autoResendUnfulfilledCommands: false`: otherwise it repeats commands whose answer was lost, and a
 *   counter may count one call twice.
 * - Use `maxmemory-policy noeviction`: with another one Redis forgets counters and spent tokens when it is full.
 * @throws OptionError
 */
export function redisStore(client: RedisClientLike, options: RedisStoreOptions = {}): KeyValueStore {
  const { prefix, timeoutMs, events } = readOptions('redisStore', options, {
    prefix: option.string({ min: 0, max: 128, pattern: PREFIX, default: 'portcullis:' }),
    timeoutMs: option.duration({ minMs: 1, maxMs: 60_000, default: 250 }),
    events: option.port<Events>(['emit'], noEvents),
  });
  option.port<RedisClientLike>(['call'])(client, 'redisStore', 'client');
  return new RedisStore(new RedisCaller(client, timeoutMs, events), prefix);
}

const SWAP = lua(`
local there = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
  if there then return 0 end
elseif there ~= ARGV[2] then
  return 0
end
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3])
else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return 1`);

// Doubles are exact up to 2^53; beyond it the counter is left as it was.
const INCREMENT = lua(`
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count > 9007199254740991 or count < -9007199254740991 then
  redis.call('DECRBY', KEYS[1], ARGV[1])
  return redis.error_reply('ERR increment would overflow')
end
local ttl = redis.call('PTTL', KEYS[1])
if ARGV[3] == '1' or ttl < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  ttl = tonumber(ARGV[2])
end
return {count, ttl}`);

// Members are scored with the time at which they leave, on the server's clock. The key lives as long as its last member.
const NOW = `
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)`;
const INDEX_ADD = lua(`${NOW}
local ends = '+inf'
if ARGV[2] ~= '0' then ends = string.format('%.0f', now + ARGV[2]) end
redis.call('ZADD', KEYS[1], ends, ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if last == 'inf' then redis.call('PERSIST', KEYS[1])
else redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last)) end
return 1`);
const INDEX_MEMBERS = lua(`${NOW}
return redis.call('ZRANGE', KEYS[1], 0, -1)`);

class RedisStore implements KeyValueStore {
  readonly kind = 'redis';
  readonly shared = true;
  readonly index: KeyValueStore['index'];
  readonly #redis: RedisCaller;
  readonly #prefix: string;
  /** Hashes of script texts, by text. */
  readonly #scripts = new Map<string, Lua>();

  constructor(redis: RedisCaller, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.index = {
      add: async (key, member, options = {}) => {
        const ttlMs = checkTtl(options.ttlMs) ?? 0;
        await redis.script('index.add', options.deadlineMs, INDEX_ADD, [prefix + key], [member, ttlMs]);
      },
      remove: async (key, member, options = {}) => {
        await redis.call('index.remove', options.deadlineMs, 'zrem', prefix + key, member);
      },
      members: async (key, options = {}) => {
        const members = await redis.script(
          'index.members',
          options.deadlineMs,
          INDEX_MEMBERS,
          [prefix + key],
          [],
        );
        return members as string[];
      },
    };
  }

  async get(key: StoreKey, options: CallOptions = {}): Promise<string | undefined> {
    return present(await this.#redis.call('get', options.deadlineMs, 'get', this.#prefix + key));
  }

  async set(
    key: StoreKey,
    value: string,
    options: CallOptions & { readonly ttlMs?: number; readonly ifAbsent?: boolean } = {},
  ): Promise<boolean> {
    const ttlMs = checkTtl(options.ttlMs);
    const expiry = ttlMs === undefined ? [] : ['PX', ttlMs];
    const condition = options.ifAbsent ? ['NX'] : [];
    const args = [this.#prefix + key, value, ...expiry, ...condition];
    return (await this.#redis.call('set', options.deadlineMs, 'set', ...args)) === 'OK';
  }

  async take(key: StoreKey, options: CallOptions = {}): Promise<string | undefined> {
    return present(await this.#redis.call('take', options.deadlineMs, 'getdel', this.#prefix + key));
  }

  async swap(
    key: StoreKey,
    expected: string | undefined,
    next: string,
    options: CallOptions & { readonly ttlMs?: number } = {},
  ): Promise<boolean> {
    const args = [expected === undefined ? 0 : 1, expected ?? '', next, checkTtl(options.ttlMs) ?? 0];
    return (await this.#redis.script('swap', options.deadlineMs, SWAP, [this.#prefix + key], args)) === 1;
  }

  async increment(
    key: StoreKey,
    by: number,
    options: CallOptions & { readonly ttlMs: number; readonly extend?: boolean },
  ): Promise<Counter> {
    const ttlMs = checkIncrement(by, options.ttlMs);
    const args = [by, ttlMs, options.extend ? 1 : 0];
    const reply = await this.#redis.script(
      'increment',
      options.deadlineMs,
      INCREMENT,
      [this.#prefix + key],
      args,
    );
    const [value, left] = reply as [number, number];
    return { value, ttlMs: Math.max(1, left) };
  }

  async delete(key: StoreKey, options: CallOptions = {}): Promise<boolean> {
    return (await this.#redis.call('delete', options.deadlineMs, 'del', this.#prefix + key)) === 1;
  }

  async script<Args extends readonly (string | number)[], Result>(
    script: StoreScript<Args, Result>,
    keys: readonly StoreKey[],
    args: Args,
    options: CallOptions = {},
  ): Promise<Result> {
    checkSameTag(keys);
    let hashed = this.#scripts.get(script.lua);
    if (!hashed) this.#scripts.set(script.lua, (hashed = lua(script.lua)));
    const prefixed = keys.map((key) => this.#prefix + key);
    return script.reply(await this.#redis.script(script.name, options.deadlineMs, hashed, prefixed, args));
  }
}

function present(reply: unknown): string | undefined {
  return typeof reply === 'string' ? reply : undefined;
}
