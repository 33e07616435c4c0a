import {
  option,
  optionConflict,
  OptionError,
  parseNetwork,
  readOptions,
  type Clock,
  type Duration,
  type Events,
  type Network,
  type OptionReader,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import type { BanOptions } from './ban.js';
import { errors } from './error-codes.js';
import type { HeaderStyle, ToldPolicy } from './header-fields.js';
import {
  keyReader,
  namedKeys,
  type KeyFunction,
  type KeyReader,
  type LimitBy,
  type NamedKey,
} from './keys.js';
import type { LimitStore } from './limit-store.js';
import { rateMeter, readRate, windowMeter, type Meter } from './meter.js';
import { Slots } from './slots.js';

/** What is admitted: exactly one of `limit` with `window`, `rate`, `minInterval` and `concurrency`. */
export interface LimitOptions {
  /** Names the limit in header fields, events and the store's keys: lower-case letters, digits, hyphens. */
  readonly name: string;

  /** Requests per window and key, an integer from 1 to 1,000,000,000, or a function that says so per request. */
  readonly limit?: number | ((req: SecurityRequest) => number);
  /** Length of the window, 1 s to 31 days; it starts with a key's first request. */
  readonly window?: Duration;

  /** A steady rate such as `'10/s'`, `'5/min'`, `'1000/day'`, `'100/15m'` (GCRA). */
  readonly rate?: string;
  /** Requests that may come ahead of the rate, 0 to 1,000,000. @default 0 */
  readonly burst?: number;
  /**
   * What happens to requests within the burst. `false`: they pass at once (nginx's `nodelay`). `true`: they wait until the
   * rate admits them. A number: so many pass at once, further ones wait. @default false
   */
  readonly delay?: boolean | number;

  /** Shortest time between two requests of a key, 1 ms to 31 days: what people need at least for an action. */
  readonly minInterval?: Duration;

  /** Requests of a key that run at the same time in this process, 1 to 1,000,000. */
  readonly concurrency?: number;
  /** Those beyond `concurrency` wait for a place. @default none waits */
  readonly queue?: {
    /** How many of a key, 1 to 100,000. */
    readonly size: number;
    /** How long, 1 ms to 10 min. @default '5s' */
    readonly timeoutMs?: Duration;
  };

  /** Whom a request counts for, see {@link LimitBy} and `bodyField()`. @default 'address' */
  readonly by?: LimitBy;
  /** Whose requests count. @default 'everyone' */
  readonly only?: 'everyone' | 'anonymous' | 'identified';
  /**
   * IPv6 clients count by their `prefix` (48 to 128), and together by their `wider` prefix (16 to `prefix`; false: not),
   * which has `times` as much (1 to 100,000). Without the second, whoever has a /48 has 65,536 times the limit.
   * @default { prefix: 64, wider: 48, times: 16 }
   */
  readonly ipv6?: { readonly prefix?: number; readonly wider?: number | false; readonly times?: number };
  /**
   * What a request costs, an integer from 1 to 1,000,000, or a function that says so; 0 from the function counts nothing.
   * What costs more than the limit ever holds is always refused. Not for `concurrency`. @default 1
   */
  readonly cost?: number | ((req: SecurityRequest) => number);
  /** The sentence of the 429 problem. */
  readonly message?: string;

  /**
   * With a shared store: permits that the processes hold ahead, all together, 1 to 100,000. More permits save trips; a
   * moment's excess is at most so many. 1 is strict: every request asks the store.
   * @default 1 for windows, delays, several limits and bans; for rates a tenth of burst + 1, at most 100
   */
  readonly lease?: number;
  /** Nothing is held ahead or answered without the store: for sign-in and the like. The same as `lease: 1`. @default false */
  readonly strict?: boolean;
}

/** What goes for all limits of one middleware. */
export interface SharedLimitOptions {
  /** @default `memoryLimits()`: this process alone */
  readonly store?: LimitStore;
  /**
   * When the store does not answer: go on counting in this process, or refuse with 503.
   * @default 'local'
   */
  readonly onStoreDown?: 'local' | 'refuse';
  /**
   * Count only attempts that failed: those whose response has a status of 400 or more, or of which the function
   * does not say `false` when the response is finished. An aborted response counts. While an attempt runs it
   * counts, so that many at once cannot slip through.
   * @default false
   */
  readonly onlyFailures?: boolean | ((req: SecurityRequest, res: SecurityResponse) => boolean);
  /** Refuse those for longer who are refused again and again. @default none */
  readonly ban?: BanOptions;
  /** Networks that are not counted, such as `['10.0.0.0/8']`. @default [] */
  readonly allow?: readonly string[];
  /** Not counted if it returns exactly `true`. */
  readonly skip?: (req: SecurityRequest) => boolean;
  /** Count and emit events, but refuse, delay and tell nothing. @default false */
  readonly dryRun?: boolean;
  /**
   * Header fields that tell the limits: a draft's number, `'legacy'` or both; true is the current draft (10).
   * `Retry-After` is sent in any case. @default true
   */
  readonly headers?: boolean | HeaderStyle | readonly HeaderStyle[];
  readonly clock?: Clock;
  readonly events?: Events;
}

export interface RateLimitOptions extends LimitOptions, SharedLimitOptions {}

/** One limit, ready to be asked. */
export interface CompiledLimit {
  readonly name: string;
  readonly detail: string;
  readonly told: ToldPolicy;
  readonly meter: Meter | undefined;
  /** Counts the wider prefix of IPv6 clients. */
  readonly wide: { readonly meter: Meter; readonly bits: number; readonly times: number } | undefined;
  readonly slots: Slots | undefined;
  readonly limitOf: number | ((req: SecurityRequest) => number);
  readonly costOf: number | ((req: SecurityRequest) => number);
  readonly keyOf: KeyReader;
  readonly only: 'everyone' | 'anonymous' | 'identified';
  /** Milliseconds of work that may stand before a request that does not wait; undefined: none waits. */
  readonly delayBeyondMs: number | undefined;
  readonly message: string | undefined;
  readonly lease: number;
  /** The app asked for permits ahead. */
  readonly leaseGiven: boolean;
}

const DAY = 86_400_000;
const MAX_LIMIT = 1_000_000_000;
const MAX_COST = 1_000_000;

type LimitReader = number | ((req: SecurityRequest) => number);

const limitReaders = {
  name: option.string({ max: 64, pattern: /^[a-z][a-z0-9-]*$/ }),
  limit: option.optional(numberOrFunction(1, MAX_LIMIT)),
  window: option.optional(option.duration({ minMs: 1000, maxMs: 31 * DAY })),
  rate: option.optional(readRate),
  burst: option.optional(option.integer({ min: 0, max: 1_000_000 })),
  delay: option.optional(readDelay),
  minInterval: option.optional(option.duration({ minMs: 1, maxMs: 31 * DAY })),
  concurrency: option.optional(option.integer({ min: 1, max: 1_000_000 })),
  queue: option.optional(
    option.group({
      size: option.integer({ min: 1, max: 100_000 }),
      timeoutMs: option.duration({ minMs: 1, maxMs: 600_000, default: 5000 }),
    }),
  ),
  by: readBy,
  only: option.oneOf(['everyone', 'anonymous', 'identified'], 'everyone'),
  ipv6: option.group({
    prefix: option.integer({ min: 48, max: 128, default: 64 }),
    wider: option.orFalse(option.integer({ min: 16, max: 128, default: 48 })),
    times: option.integer({ min: 1, max: 100_000, default: 16 }),
  }),
  cost: numberOrFunction(1, MAX_COST, 1),
  message: option.optional(option.string({ max: 500 })),
  lease: option.optional(option.integer({ min: 1, max: 100_000 })),
  strict: option.boolean(false),
};

/** @throws OptionError */
export function compileLimit(owner: string, options: LimitOptions): CompiledLimit {
  const read = readOptions(owner, options, limitReaders);
  const { name, ipv6, by, only, message, strict } = read;
  const kind = kindOf(owner, read);
  if (ipv6.wider !== false && ipv6.wider >= ipv6.prefix) {
    optionConflict(owner, 'ipv6.wider', 'ipv6.wider must have fewer bits than ipv6.prefix');
  }
  if (strict && read.lease !== undefined && read.lease > 1) {
    optionConflict(owner, 'lease', 'a strict limit holds no permits ahead: leave out lease or strict');
  }
  const { meters, limitOf, told, detail, delayBeyondMs } = shapeOf(owner, kind, read, options);
  const leaseGiven = read.lease !== undefined && read.lease > 1;
  if (leaseGiven && (delayBeyondMs !== undefined || kind === 'concurrency')) {
    const why = kind === 'concurrency' ? 'places are counted here' : 'each request waits its own time';
    optionConflict(owner, 'lease', `no permits are held ahead where ${why}: leave out lease`);
  }
  const [meter, wideMeter] = meters;
  return {
    name,
    detail,
    told,
    meter,
    wide:
      ipv6.wider === false || !wideMeter
        ? undefined
        : { meter: wideMeter, bits: ipv6.wider, times: ipv6.times },
    slots:
      read.concurrency === undefined
        ? undefined
        : new Slots(read.concurrency, read.queue ?? { size: 0, timeoutMs: 0 }),
    limitOf,
    costOf: read.cost,
    keyOf: keyReader(by, ipv6.prefix),
    only,
    delayBeyondMs,
    message,
    lease: strict || delayBeyondMs !== undefined ? 1 : (read.lease ?? usualLease(meter)),
    leaseGiven,
  };
}

type Kind = 'window' | 'rate' | 'minInterval' | 'concurrency';
type Read = ReturnType<typeof readOptions<typeof limitReaders>>;

function kindOf(owner: string, read: Read): Kind {
  const given = ([['window', 'limit'], ['rate'], ['minInterval'], ['concurrency']] as const).filter((names) =>
    names.some((name) => read[name] !== undefined),
  );
  if (given.length === 0) {
    const problem = 'one of "limit" with "window", "rate", "minInterval" and "concurrency" is required';
    throw new OptionError('E_OPTION_REQUIRED', owner, 'limit', problem);
  }
  if (given.length > 1) {
    const problem = `${given.map(([name]) => name).join(' and ')} are limits of different kinds: use rateLimits([...]) for both`;
    optionConflict(owner, given[1]![0], problem);
  }
  const kind = given[0]![0];
  for (const [option, goesWith] of [
    ['burst', 'rate'],
    ['delay', 'rate'],
    ['queue', 'concurrency'],
  ] as const) {
    if (read[option] !== undefined && kind !== goesWith) {
      optionConflict(owner, option, `${option} goes with ${goesWith} only`);
    }
  }
  if (kind === 'concurrency' && read.cost !== 1) {
    optionConflict(owner, 'cost', 'a request takes one place: cost does not go with concurrency');
  }
  return kind;
}

interface Shape {
  /** The meter of a key, and that of its wider prefix. */
  readonly meters: readonly [Meter, Meter] | readonly [];
  readonly limitOf: LimitReader;
  readonly told: ToldPolicy;
  readonly detail: string;
  readonly delayBeyondMs?: number | undefined;
}

function shapeOf(owner: string, kind: Kind, read: Read, given: LimitOptions): Shape {
  const { name, ipv6 } = read;
  const wideName = `${name}:wide`;
  if (kind === 'concurrency') {
    const limitOf = read.concurrency!;
    return { meters: [], limitOf, told: { name, windowMs: 0 }, detail: `${name} ${limitOf} at once` };
  }
  if (kind === 'window') {
    for (const required of ['limit', 'window'] as const) {
      if (read[required] === undefined) {
        throw new OptionError('E_OPTION_REQUIRED', owner, required, `the option "${required}" is required`);
      }
    }
    const windowMs = read.window!;
    return {
      meters: [windowMeter(name, windowMs), windowMeter(wideName, windowMs)],
      limitOf: read.limit!,
      told: { name, windowMs },
      detail: `${name} ${typeof read.limit === 'number' ? read.limit : 'n'}/${String(given.window)}`,
    };
  }
  const rate = kind === 'rate' ? read.rate! : { count: 1, perMs: read.minInterval! };
  const burst = kind === 'rate' ? (read.burst ?? 0) : 0;
  const meter = rateMeter(name, rate, burst, owner);
  const wide = rateMeter(
    wideName,
    { count: rate.count * ipv6.times, perMs: rate.perMs },
    (burst + 1) * ipv6.times - 1,
    owner,
  );
  const { delay = false } = read;
  return {
    meters: [meter, wide],
    limitOf: burst + 1,
    told: { name, windowMs: meter.capacity / meter.leak / 1000 },
    detail:
      kind === 'rate'
        ? `${name} ${String(given.rate)}${burst > 0 ? ` burst ${burst}` : ''}`
        : `${name} every ${String(given.minInterval)}`,
    delayBeyondMs:
      delay === false ? undefined : ((delay === true ? 0 : delay) * meter.unit) / meter.leak / 1000,
  };
}

function usualLease(meter: Meter | undefined): number {
  if (meter?.kind !== 'rate') return 1;
  return Math.max(1, Math.min(100, Math.floor(meter.capacity / meter.unit / 10)));
}

/** What an app's function returned, if it is a limit. */
export function checkedLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw errors.E_RATE_LIMIT_KEY({ details: { problem: 'limit() returned no integer from 1', limit } });
}

/** What an app's function returned, if it is a cost. */
export function checkedCost(cost: number): number {
  if (Number.isInteger(cost) && cost >= 0 && cost <= MAX_COST) return cost;
  throw errors.E_RATE_LIMIT_KEY({ details: { problem: 'cost() returned no integer from 0', cost } });
}

function numberOrFunction(min: number, max: number, ...fallback: [number?]): OptionReader<LimitReader> {
  const number = option.integer(fallback.length === 0 ? { min, max } : { min, max, default: fallback[0]! });
  return (value, owner, path) =>
    typeof value === 'function' ? (value as (req: SecurityRequest) => number) : number(value, owner, path);
}

function readDelay(value: unknown, owner: string, path: string): boolean | number {
  return typeof value === 'boolean' ? value : option.integer({ min: 0, max: 1_000_000 })(value, owner, path);
}

function readBy(value: unknown, owner: string, path: string): LimitBy {
  const one: OptionReader<NamedKey | KeyFunction> = (entry, who, where) =>
    typeof entry === 'function'
      ? (entry as KeyFunction)
      : option.oneOf(namedKeys, 'address')(entry, who, where);
  return Array.isArray(value)
    ? option.array(one, { min: 1, max: 5 })(value, owner, path)
    : one(value, owner, path);
}

export const readNetwork: OptionReader<Network> = (value, owner, path) => {
  const network = typeof value === 'string' ? parseNetwork(value) : undefined;
  if (network && !network.text.endsWith('/0')) return network;
  if (network) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} is everybody: leave the limit out, or set dryRun`,
    );
  }
  const problem = `${path} must be an address or a network such as "10.0.0.0/8" with zero host bits`;
  throw new OptionError('E_OPTION_VALUE', owner, path, problem);
};
