import {
  ALLOW,
  ensureContext,
  guard,
  hasCode,
  isAuthenticated,
  option,
  optionConflict,
  OptionError,
  readOptions,
  type Allow,
  type Middleware,
  type OptionReader,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import type { LimitState } from './augment.js';
import { afterwards, type Counted, type Outcome, type Part, type Taken } from './counting.js';
import { errors } from './error-codes.js';
import type { CountedKey } from './keys.js';
import { openCounting } from './open-counting.js';
import {
  checkedCost,
  checkedLimit,
  compileLimit,
  type CompiledLimit,
  type LimitOptions,
  type RateLimitOptions,
  type SharedLimitOptions,
} from './options.js';
import { takePlaces } from './places.js';
import { refusalOf, report, tell } from './refusals.js';
import { sharedReaders, split, type FailureRule } from './settings.js';

export interface RateLimitMiddleware extends Middleware {
  /** What the limits say to this request now, without counting it. */
  peek(req: SecurityRequest): Promise<readonly LimitState[]>;
  /** Gives back what this request has cost, or a part of it: for work that turned out cheaper, or did not take place. */
  refund(req: SecurityRequest, cost?: number): Promise<void>;
  /** Forgets what was counted for the keys of this request, bans included. */
  reset(req: SecurityRequest): Promise<void>;
}

/**
 * Admits requests within one limit and refuses further ones with 429 and `Retry-After`. Needs `context()` before it.
 * - `limit` and `window`: whole windows (express-rate-limit). Around a boundary up to twice the limit may pass within one
 *   window's length.
 * - `rate`, `burst`, `delay`: a steady rate with room for bursts (GCRA), exact at any time; nginx's `limit_req`.
 * - `minInterval`: a shortest time between two requests.
 * - `concurrency`, `queue`: requests that run at the same time, in this process.
 * @throws OptionError; per request E_RATE_LIMITED (429), E_RATE_LIMIT_BANNED (429), E_RATE_LIMIT_UNAVAILABLE (503),
 * E_RATE_LIMIT_KEY (500), E_CONTEXT_MISSING (500)
 * @see draft-ietf-httpapi-ratelimit-headers-10; RFC 6585 section 4; OWASP API4:2023
 */
export function rateLimit(options: RateLimitOptions): RateLimitMiddleware {
  const [own, shared] = split(options);
  return build('rateLimit', [compileLimit('rateLimit', own as LimitOptions)], shared);
}

/**
 * Several limits in one middleware: a request is counted by all of them or, if one refuses it, by none. With a shared store
 * they take one trip together.
 * @throws as {@link rateLimit}
 */
export function rateLimits(
  limits: readonly LimitOptions[],
  options: SharedLimitOptions = {},
): RateLimitMiddleware {
  const compiled = option.array(readCompiled, { min: 1, max: 16 })(limits, 'rateLimits', 'limits');
  if (new Set(compiled.map(({ name }) => name)).size < compiled.length) {
    optionConflict('rateLimits', 'limits', 'two limits have the same name');
  }
  return build('rateLimits', compiled, options);
}

const readCompiled: OptionReader<CompiledLimit> = (value, owner, path) => {
  if (typeof value === 'object' && value !== null) return compileLimit(owner, value as LimitOptions);
  throw new OptionError(
    'E_OPTION_TYPE',
    owner,
    path,
    `${path} must be an object with the options of a limit`,
  );
};

function build(
  owner: string,
  limits: readonly CompiledLimit[],
  options: SharedLimitOptions,
): RateLimitMiddleware {
  const settings = readOptions(owner, options, sharedReaders);
  const { allow, skip, onlyFailures, dryRun, headers, clock, events } = settings;
  const metered = limits.filter(({ meter }) => meter !== undefined);
  if (limits.some(({ leaseGiven }) => leaseGiven) && (limits.length > 1 || settings.ban)) {
    const why = settings.ban ? 'each refusal counts towards a ban' : 'several limits are asked together';
    optionConflict(owner, 'lease', `no permits are held ahead where ${why}: leave out lease`);
  }
  if (onlyFailures !== false && metered.length < limits.length) {
    optionConflict(
      owner,
      'onlyFailures',
      'a place is given back in any case: onlyFailures does not go with concurrency',
    );
  }
  if (metered.length === 0 && (settings.store || settings.ban)) {
    const name = settings.store ? 'store' : 'ban';
    optionConflict(owner, name, 'requests at the same time are counted in this process only, without bans');
  }
  const counting = metered.length > 0 ? openCounting(owner, metered, settings) : undefined;
  /** On the context, where it ends with the request: a map that knows every request costs more than the limit itself. */
  const taken = Symbol(`taken by ${limits.map(({ name }) => name).join(', ')}`);
  const only = limits.length === 1 ? limits[0]! : undefined;

  function partOf(req: SecurityRequest, limit: CompiledLimit, counted: CountedKey): Part {
    const { limitOf, costOf } = limit;
    return {
      limit,
      counted,
      most: typeof limitOf === 'number' ? limitOf : checkedLimit(limitOf(req)),
      cost: typeof costOf === 'number' ? costOf : checkedCost(costOf(req)),
    };
  }

  function partsOf(req: SecurityRequest): readonly Part[] | Promise<readonly Part[]> {
    if (only) {
      if (!applies(req, only)) return [];
      return afterwards(only.keyOf(req), (counted) => [partOf(req, only, counted)]);
    }
    const going = limits.filter((limit) => applies(req, limit));
    const keys = going.map((limit) => limit.keyOf(req));
    const join = (counted: readonly CountedKey[]): Part[] =>
      counted.map((key, i) => partOf(req, going[i]!, key));
    return keys.some((key) => key instanceof Promise)
      ? Promise.all(keys.map(async (key) => key)).then(join)
      : join(keys as CountedKey[]);
  }

  function check(
    req: SecurityRequest,
    res: SecurityResponse,
    parts: readonly Part[],
  ): Allow | Promise<Allow> {
    const counted = parts.every(isCounted) ? parts : parts.filter(isCounted);
    if (counted.length === 0) return ALLOW;
    const done = (result: Counted): Allow | Promise<Allow> => {
      if (result.taken) takenBy(req)[taken] = result.taken;
      return conclude(req, res, result);
    };
    if (!dryRun) return afterwards(counting!.count(req, res, counted), done);
    return tried(async () => done(await counting!.count(req, res, counted)));
  }

  function conclude(
    req: SecurityRequest,
    res: SecurityResponse,
    { outcomes, delayMs, taken: refundable }: Counted,
  ): Allow | Promise<Allow> {
    const context = ensureContext(req);
    const states = (context.rateLimits ??= []);
    let worst: Outcome | undefined;
    for (const outcome of outcomes) {
      if (!dryRun) tell(headers, res, outcome, clock, states.length === 0);
      states.push(outcome.state);
      const { refusal } = outcome;
      if (!refusal) continue;
      report(req, outcome, settings);
      if (!worst || refusal.waitMs > worst.refusal!.waitMs) worst = outcome;
    }
    if (worst && !dryRun) throw refusalOf(worst, outcomes);
    if (onlyFailures !== false && refundable) {
      res.once('finish', () => {
        if (!hasFailed(onlyFailures, req, res)) void ignoring(() => refundable.refund(Infinity));
      });
    }
    return delayMs > 0 && !dryRun ? wait(res, delayMs) : ALLOW;
  }

  function enter(
    req: SecurityRequest,
    res: SecurityResponse,
    parts: readonly Part[],
  ): Allow | Promise<Allow> {
    // Places first: who waits for one is not counted by the others until it has one.
    const places =
      metered.length === limits.length ? [] : parts.filter(({ limit }) => limit.slots !== undefined);
    if (places.length === 0) return check(req, res, parts);
    return takePlaces(req, res, places, settings, () => check(req, res, parts));
  }

  const detail = limits.map((limit) => limit.detail).join(', ');
  const middleware = guard(owner, { stage: 'limit', detail, events }, (req, res) => {
    if (allow.length > 0) {
      const { address } = ensureContext(req);
      if (allow.some((network) => network.contains(address))) return ALLOW;
    }
    if (skip !== undefined && skip(req) === true) return ALLOW;
    return afterwards(partsOf(req), (parts) => enter(req, res, parts));
  });

  return Object.assign(middleware, {
    async peek(req: SecurityRequest) {
      const parts = await partsOf(req);
      const places = parts.flatMap(({ limit: { name, slots }, counted, most }) =>
        slots ? [{ name, limit: most, remaining: most - slots.running(counted.key), resetMs: 0 }] : [],
      );
      const counted = parts.filter(({ limit }) => limit.meter !== undefined);
      return counted.length === 0 ? places : [...places, ...(await counting!.peek(counted))];
    },
    async refund(req: SecurityRequest, cost = Infinity) {
      if (!(cost > 0)) throw new TypeError(`What is given back is more than 0, not ${cost}.`);
      await takenBy(req)[taken]?.refund(cost);
    },
    async reset(req: SecurityRequest) {
      const parts = (await partsOf(req)).filter(({ limit }) => limit.meter !== undefined);
      if (parts.length > 0) await counting!.reset(parts);
    },
  });
}

/** A dry run does not refuse for want of a store either. */
async function tried(check: () => Promise<Allow>): Promise<Allow> {
  try {
    return await check();
  } catch (error) {
    if (hasCode(error, 'E_RATE_LIMIT_UNAVAILABLE')) return ALLOW;
    throw error;
  }
}

function takenBy(req: SecurityRequest): Record<symbol, Taken | undefined> {
  return ensureContext(req) as unknown as Record<symbol, Taken | undefined>;
}

function isCounted({ limit, cost }: Part): boolean {
  return limit.meter !== undefined && cost > 0;
}

function applies(req: SecurityRequest, { only }: CompiledLimit): boolean {
  return only === 'everyone' || isAuthenticated(ensureContext(req).principal) === (only === 'identified');
}

/** Holds a request back. Who goes away meanwhile is not served any more. */
function wait(res: SecurityResponse, ms: number): Promise<Allow> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      res.removeListener('close', gone);
      resolve(ALLOW);
    }, ms);
    const gone = (): void => {
      clearTimeout(timer);
      reject(errors.E_RATE_LIMITED({ details: { problem: 'the client went away while it was held back' } }));
    };
    res.once('close', gone);
  });
}

function hasFailed(rule: true | FailureRule, req: SecurityRequest, res: SecurityResponse): boolean {
  if (rule === true) return res.statusCode >= 400;
  try {
    return rule(req, res) !== false;
  } catch {
    return true; // It stays counted.
  }
}

// What could not be given back only makes the limit stricter.
async function ignoring(work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch {
    // See above.
  }
}
