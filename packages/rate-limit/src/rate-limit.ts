import { rateLimit as expressRateLimit } from 'express-rate-limit';
import {
  ALLOW,
  ensureContext,
  guard,
  isAuthenticated,
  noEvents,
  option,
  OptionError,
  parseNetwork,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type Events,
  type Middleware,
  type Network,
  type OptionReader,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import type { LimitState } from './augment.js';
import { errors } from './error-codes.js';
import { headerFields, wholeSeconds } from './header-fields.js';
import { keyReader, type CountedKey, type LimitBy } from './keys.js';
import { memoryWindows, type MemoryWindow } from './memory-windows.js';
import { withoutShadow, withShadow } from './shared-counter.js';
import type { WindowCounter, WindowStore } from './window-store.js';

export interface RateLimitOptions {
  /** Names the limit in header fields, events and the store's keys: lower-case letters, digits, hyphens. */
  readonly name: string;
  /** Requests per window and key, an integer from 1 to 1,000,000,000, or a function that says so per request. */
  readonly limit: number | ((req: SecurityRequest) => number);
  /** Length of the window, 1 s to 31 days; it starts with a key's first request. */
  readonly window: Duration;
  /**
   * Whom a request counts for. `'address'`: the client's address, an IPv6 client by its /64. `'principal'`: who
   * was identified, anonymous ones by address. Or a function, see {@link LimitBy} and `bodyField()`.
   * @default 'address'
   */
  readonly by?: LimitBy;
  /** @default `memoryWindows()`: this process alone */
  readonly store?: WindowStore;
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
  /** Networks that are not counted, such as `['10.0.0.0/8']`. @default [] */
  readonly allow?: readonly string[];
  /** Not counted if it returns exactly `true`. */
  readonly skip?: (req: SecurityRequest) => boolean;
  /** The sentence of the 429 problem. */
  readonly message?: string;
  /** Send `RateLimit` and `RateLimit-Policy` (draft 8). `Retry-After` is sent in any case. @default true */
  readonly headers?: boolean;
  readonly clock?: Clock;
  readonly events?: Events;
}

export interface RateLimitMiddleware extends Middleware {
  /** Forgets what was counted for a client address, principal or custom key of this request. */
  reset(req: SecurityRequest): Promise<void>;
}

/** What express-rate-limit is given as its request: nothing of it ends up on the real one. */
interface Call {
  readonly key: string;
  readonly limit: number;
  exceeded: boolean;
  rateLimit?: { readonly used: number; readonly resetTime: Date | undefined };
}

const DAY = 86_400_000;

/**
 * Admits `limit` requests per key and window, and refuses further ones with 429 and `Retry-After`.
 * Needs `context()` before it. Several limits may be mounted; each counts for itself.
 * The windows are fixed: around a boundary up to twice the limit may pass within one window's length.
 * @throws OptionError; per request E_RATE_LIMITED (429), E_RATE_LIMIT_UNAVAILABLE (503),
 * E_RATE_LIMIT_KEY (500), E_CONTEXT_MISSING (500)
 * @see draft-ietf-httpapi-ratelimit-headers-08; RFC 6585 section 4; OWASP API4:2023
 */
export function rateLimit(options: RateLimitOptions): RateLimitMiddleware {
  const settings = readOptions('rateLimit', options, {
    name: option.string({ max: 64, pattern: /^[a-z][a-z0-9-]*$/ }),
    limit: readLimit,
    window: option.duration({ minMs: 1000, maxMs: 31 * DAY }),
    by: readBy,
    store: option.optional(option.port<WindowStore>(['open'])),
    onStoreDown: option.oneOf(['local', 'refuse'], 'local'),
    onlyFailures: readOnlyFailures,
    allow: option.array(readNetwork, { default: [] }),
    skip: option.optional(option.fn<(req: SecurityRequest) => unknown>()),
    message: option.optional(option.string({ max: 500 })),
    headers: option.boolean(true),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { name, window: windowMs, allow, skip, message, clock, events } = settings;
  const limitOf = settings.limit;
  const keyOf = keyReader(settings.by);
  const { onlyFailures } = settings;
  const counter = openCounter(settings);
  const writeHeaders = settings.headers ? headerFields(name, windowMs) : undefined;
  const engine = windowEngine(counter, windowMs, clock);
  const detail = `${name} ${typeof limitOf === 'number' ? limitOf : 'n'}/${String(options.window)}`;

  async function decide(req: SecurityRequest, res: SecurityResponse, counted: CountedKey) {
    const { key } = counted;
    const limit = typeof limitOf === 'number' ? limitOf : checkedLimit(limitOf(req));
    const state = await engine(key, limit, res).catch((cause: unknown) => {
      throw errors.E_RATE_LIMIT_UNAVAILABLE({ cause, headers: { 'Retry-After': '1' } });
    });
    const { hits, resetMs } = state;
    const shown: LimitState = { name, limit, remaining: Math.max(0, limit - hits), resetMs };
    const context = ensureContext(req);
    (context.rateLimits ??= []).push(shown);
    writeHeaders?.(res, shown);

    // The count is judged here once more: what the engine let through must really be within the limit.
    if (!state.passed || hits > limit) {
      const { principal } = context;
      events.emit({
        type: 'rate-limit.exceeded',
        limit: name,
        by: counted.by,
        ip: context.address.ip,
        ...(isAuthenticated(principal) ? { principal: principal.id } : {}),
        first: hits === limit + 1,
      });
      throw errors.E_RATE_LIMITED({
        ...(message === undefined ? {} : { message }),
        headers: { 'Retry-After': String(wholeSeconds(resetMs)) },
        details: { limit: name, by: counted.by },
      });
    }
    if (onlyFailures !== false) {
      const endsAt = clock.monotonic() + resetMs;
      res.once('finish', () => {
        if (!hasFailed(onlyFailures, req, res) && clock.monotonic() < endsAt) void counter.undo(key);
      });
    }
    return ALLOW;
  }

  const middleware = guard('rateLimit', { stage: 'limit', detail, events }, (req, res) => {
    const { address } = ensureContext(req);
    if (allow.some((network) => network.contains(address))) return ALLOW;
    if (skip !== undefined && skip(req) === true) return ALLOW;
    const counted = keyOf(req);
    return counted instanceof Promise
      ? counted.then((resolved) => decide(req, res, resolved))
      : decide(req, res, counted);
  });
  return Object.assign(middleware, {
    reset: async (req: SecurityRequest) => counter.reset((await keyOf(req)).key),
  });
}

interface CounterSettings {
  readonly name: string;
  readonly window: number;
  readonly store: WindowStore | undefined;
  readonly onStoreDown: 'local' | 'refuse';
  readonly clock: Clock;
  readonly events: Events;
}

function openCounter({ name, window: windowMs, store, onStoreDown, clock, events }: CounterSettings) {
  const policy = { name, windowMs, events };
  const local = () => memoryWindows({ clock }).open(policy) as MemoryWindow;
  if (!store) return local();
  const counter = store.open(policy);
  return !store.shared || onStoreDown === 'refuse' ? withoutShadow(counter) : withShadow(counter, local());
}

interface EngineState {
  readonly hits: number;
  readonly resetMs: number;
  readonly passed: boolean;
}

/**
 * express-rate-limit over our counter. It sees a record made for the call instead of the request: it would
 * otherwise work out `req.ip` by itself and write `req.rateLimit`.
 */
function windowEngine(counter: WindowCounter, windowMs: number, clock: Clock) {
  const engine = expressRateLimit({
    windowMs,
    validate: false, // Its checks only log, and they are about req.ip. Ours refuse at start.
    standardHeaders: false,
    legacyHeaders: false,
    limit: (call) => asCall(call).limit,
    keyGenerator: (call) => asCall(call).key,
    handler: (call) => {
      asCall(call).exceeded = true;
    },
    store: {
      localKeys: false,
      async increment(key) {
        const { hits, ttlMs } = await counter.increment(key);
        return { totalHits: hits, resetTime: new Date(clock.monotonic() + ttlMs) };
      },
      decrement: async (key) => counter.undo(key),
      resetKey: async (key) => counter.reset(key),
    },
  });

  return async (key: string, limit: number, res: SecurityResponse): Promise<EngineState> => {
    const call: Call = { key, limit, exceeded: false };
    let passed = false;
    let failure: { readonly error: unknown } | undefined;
    await engine(call as never, res as never, (...ends: unknown[]) => {
      if (ends.length === 0) passed = true;
      else failure = { error: ends[0] };
    });
    const { used, resetTime } = call.rateLimit ?? {};
    if (failure || used === undefined || resetTime === undefined || passed === call.exceeded) {
      throw new TypeError('The window could not be counted.', { cause: failure?.error });
    }
    return { hits: used, resetMs: Math.max(0, resetTime.getTime() - clock.monotonic()), passed };
  };
}

function asCall(request: object): Call {
  return request as Call;
}

// What an app returns is only known to be declared boolean: exactly `false` is required.
type FailureRule = (req: SecurityRequest, res: SecurityResponse) => unknown;

function hasFailed(rule: true | FailureRule, req: SecurityRequest, res: SecurityResponse): boolean {
  if (rule === true) return res.statusCode >= 400;
  try {
    return rule(req, res) !== false;
  } catch {
    return true; // It stays counted.
  }
}

const MAX_LIMIT = 1_000_000_000;

function checkedLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw errors.E_RATE_LIMIT_KEY({ details: { problem: 'limit() returned no integer from 1', limit } });
}

const readLimit: OptionReader<number | ((req: SecurityRequest) => number)> = (value, owner, path) =>
  typeof value === 'function'
    ? (value as (req: SecurityRequest) => number)
    : option.integer({ min: 1, max: MAX_LIMIT })(value, owner, path);

const readBy: OptionReader<LimitBy> = (value, owner, path) =>
  typeof value === 'function'
    ? (value as LimitBy)
    : option.oneOf(['address', 'principal'], 'address')(value, owner, path);

const readOnlyFailures: OptionReader<boolean | FailureRule> = (value, owner, path) =>
  typeof value === 'function' ? (value as FailureRule) : option.boolean(false)(value, owner, path);

const readNetwork: OptionReader<Network> = (value, owner, path) => {
  const network = typeof value === 'string' ? parseNetwork(value) : undefined;
  if (network) return network;
  const problem = `${path} must be an address or a network such as "10.0.0.0/8" with zero host bits`;
  throw new OptionError('E_OPTION_VALUE', owner, path, problem);
};
