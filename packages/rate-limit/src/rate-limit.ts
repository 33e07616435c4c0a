import {
  ALLOW,
  ensureContext,
  guard,
  hasCode,
  isAuthenticated,
  noEvents,
  option,
  optionConflict,
  OptionError,
  readOptions,
  systemClock,
  type Allow,
  type Clock,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import type { LimitState } from './augment.js';
import { lengthOf, readBan } from './ban.js';
import { errors } from './error-codes.js';
import { readHeaders, wholeSeconds, type FieldWriter } from './header-fields.js';
import type { CountedKey } from './keys.js';
import { freshSeed, KeyTable } from './key-table.js';
import type { LimitStore, Meters, WindowCounter } from './limit-store.js';
import { memoryLimits } from './memory-limits.js';
import { MemoryMeters } from './memory-meters.js';
import { lifetimeMs, windowMeter, type Charge, type Reading } from './meter.js';
import {
  checkedCost,
  checkedLimit,
  compileLimit,
  readNetwork,
  type CompiledLimit,
  type LimitOptions,
  type RateLimitOptions,
  type SharedLimitOptions,
} from './options.js';
import { withoutShadow, withShadow } from './shared-windows.js';
import { windowEngine, type WindowEngine } from './window-engine.js';

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

const sharedReaders = {
  store: option.optional(option.port<LimitStore>(['open'])),
  onStoreDown: option.oneOf(['local', 'refuse'], 'local'),
  onlyFailures: readOnlyFailures,
  ban: option.optional(readBan),
  allow: option.array(readNetwork, { default: [] }),
  skip: option.optional(option.fn<(req: SecurityRequest) => unknown>()),
  dryRun: option.boolean(false),
  headers: readHeaders,
  clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  events: option.port<Events>(['emit'], noEvents),
};

type Settings = ReturnType<typeof readOptions<typeof sharedReaders>>;

function split(options: unknown): [own: unknown, shared: SharedLimitOptions] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return [options, {}];
  const own: Record<string, unknown> = {};
  const shared: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    (Object.hasOwn(sharedReaders, name) ? shared : own)[name] = value;
  }
  return [own, shared];
}

/** A limit that goes for this request, and for whom. */
interface Part {
  readonly limit: CompiledLimit;
  readonly counted: CountedKey;
  /** What it admits. */
  readonly most: number;
  readonly cost: number;
}

interface Outcome {
  readonly part: Part;
  readonly state: LimitState;
  /** Absent if it admits the request. */
  readonly refusal?: { readonly waitMs: number; readonly first: boolean; readonly bannedMs: number };
}

/** How a request is counted: as whole windows by express-rate-limit, or by meters. */
interface Counting {
  count(req: SecurityRequest, res: SecurityResponse, parts: readonly Part[]): Counted | Promise<Counted>;
  peek(parts: readonly Part[]): Promise<readonly LimitState[]>;
  reset(parts: readonly Part[]): Promise<void>;
}

interface Taken {
  /** Gives back so much, at most what was taken. */
  refund(cost: number): void | Promise<void>;
}

interface Counted {
  readonly outcomes: readonly Outcome[];
  readonly delayMs: number;
  readonly taken?: Taken;
}

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
  const counting = metered.length > 0 ? open(owner, metered, settings) : undefined;
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
      return then(only.keyOf(req), (counted) => [partOf(req, only, counted)]);
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
    if (!dryRun) return then(counting!.count(req, res, counted), done);
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
    return then(partsOf(req), (parts) => enter(req, res, parts));
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

/** What meters took for one request. */
class TakenCharges implements Taken {
  readonly #meters: Meters;
  readonly #charges: readonly Charge[];
  #left = Infinity;

  constructor(meters: Meters, charges: readonly Charge[]) {
    this.#meters = meters;
    this.#charges = charges;
  }

  async refund(cost: number): Promise<void> {
    const left = this.#left;
    const back = this.#charges.map((charge) => ({ ...charge, cost: -Math.min(cost, left, charge.cost) }));
    this.#left = Math.max(0, Math.min(left, ...this.#charges.map((charge) => charge.cost)) - cost);
    if (back.some((charge) => charge.cost < 0)) await this.#meters.take(back);
  }
}

function isCounted({ limit, cost }: Part): boolean {
  return limit.meter !== undefined && cost > 0;
}

function applies(req: SecurityRequest, { only }: CompiledLimit): boolean {
  return only === 'everyone' || isAuthenticated(ensureContext(req).principal) === (only === 'identified');
}

/** A place in each limit of requests at the same time; given back when the response is over, however it ends. */
async function takePlaces(
  req: SecurityRequest,
  res: SecurityResponse,
  places: readonly Part[],
  settings: Settings,
  next: () => Allow | Promise<Allow>,
): Promise<Allow> {
  const outcomes: Outcome[] = [];
  for (const part of places) {
    const { slots, name } = part.limit;
    const { key } = part.counted;
    const got = settings.dryRun
      ? slots!.enter(key)
      : await slots!.acquire(key, (leave) => void res.once('close', leave));
    if (got) {
      if (res.closed) slots!.release(key);
      else res.once('close', () => slots!.release(key));
    }
    const remaining = Math.max(0, part.most - slots!.running(key));
    const state: LimitState = { name, limit: part.most, remaining, resetMs: 0 };
    outcomes.push(
      got ? { part, state } : { part, state, refusal: { waitMs: 1000, first: true, bannedMs: 0 } },
    );
    (ensureContext(req).rateLimits ??= []).push(state);
    if (got) continue;
    report(req, outcomes.at(-1)!, settings);
    if (!settings.dryRun) throw refusalOf(outcomes.at(-1)!, outcomes);
  }
  return next();
}

function open(owner: string, limits: readonly CompiledLimit[], settings: Settings): Counting {
  const { clock, ban } = settings;
  const store = settings.store ?? memoryLimits({ clock });
  const [first] = limits;
  // In memory the meters say the same without the engine's five promises a request.
  const whole =
    (store.shared || !store.meters) &&
    limits.length === 1 &&
    first!.meter?.kind === 'window' &&
    first!.costOf === 1 &&
    first!.lease === 1 &&
    !ban;
  const windows = whole ? countWindows(first!, store, settings) : undefined;
  if (!store.meters) {
    if (windows) return windows;
    const problem = `the store "${store.kind}" counts whole windows only: no rates, costs, bans or several limits`;
    throw new OptionError('E_OPTION_CONFLICT', owner, 'store', problem);
  }
  const meters = countMeters(limits, store, settings);
  if (!windows) return meters;
  // An IPv6 client counts twice, by its prefix and by a wider one; express-rate-limit counts one key at a time.
  const choose = ([part]: readonly Part[]): Counting => (wideOf(part!) ? meters : windows);
  return {
    count: (req, res, parts) => choose(parts).count(req, res, parts),
    peek: (parts) => choose(parts).peek(parts),
    reset: (parts) => choose(parts).reset(parts),
  };
}

function countWindows(limit: CompiledLimit, store: LimitStore, settings: Settings): Counting {
  const { name } = limit;
  const { windowMs } = limit.told;
  const { clock } = settings;
  const counter = openCounter(name, windowMs, store, settings);
  const engine: WindowEngine = windowEngine(counter, windowMs, clock);
  return {
    async count(_req, res, [part]) {
      const { most, counted } = part!;
      const { key } = counted;
      const state = await engine(key, most, res).catch(unavailable);
      const { hits, resetMs } = state;
      const shown: LimitState = { name, limit: most, remaining: Math.max(0, most - hits), resetMs };
      // The count is judged here once more: what the engine let through must really be within the limit.
      if (!state.passed || hits > most) {
        const refusal = { waitMs: resetMs, first: hits === most + 1, bannedMs: 0 };
        return { outcomes: [{ part: part!, state: shown, refusal }], delayMs: 0 };
      }
      const endsAt = clock.monotonic() + resetMs;
      let left = 1;
      return {
        outcomes: [{ part: part!, state: shown }],
        delayMs: 0,
        taken: {
          async refund() {
            if (left-- === 1 && clock.monotonic() < endsAt) await counter.undo(key);
          },
        },
      };
    },
    async peek([part]) {
      const { most, counted } = part!;
      if (!counter.read) throw new TypeError(`The store "${store.kind}" cannot be asked without counting.`);
      const { hits, ttlMs } = (await counter.read(counted.key)) ?? { hits: 0, ttlMs: windowMs };
      return [{ name, limit: most, remaining: Math.max(0, most - hits), resetMs: ttlMs }];
    },
    reset: async ([part]) => counter.reset(part!.counted.key),
  };
}

function openCounter(name: string, windowMs: number, store: LimitStore, settings: Settings): WindowCounter {
  const { clock, events, onStoreDown } = settings;
  const counter = store.open({ name, windowMs, onStoreDown, events });
  if (!store.shared || onStoreDown === 'refuse' || store.meters) return withoutShadow(counter);
  const meter = windowMeter(name, windowMs);
  const local = new MemoryMeters([meter], {
    maxKeys: 100_000,
    clock,
    seed: freshSeed(),
    onOverflow: () => undefined,
  });
  return withShadow(counter, local, meter);
}

function countMeters(limits: readonly CompiledLimit[], store: LimitStore, settings: Settings): Counting {
  const { clock, ban, onStoreDown, events } = settings;
  const names = limits.map(({ name }) => name).join('+');
  const all = limits.flatMap(({ meter, wide }) => (wide ? [meter!, wide.meter] : [meter!]));
  const lease = limits.length > 1 || ban ? 1 : limits[0]!.lease;
  const meters: Meters = store.meters!({ name: names, meters: all, ban, lease, onStoreDown, events });
  const recent = refusedBefore(all, clock);

  function chargesOf(parts: readonly Part[], cost?: number): readonly Charge[] {
    const charges: Charge[] = [];
    for (const part of parts) {
      const { limit, counted, most } = part;
      const wide = wideOf(part);
      const tag = limits.length > 1 ? names : (wide?.key ?? counted.key);
      const own = { meter: limit.meter!, key: counted.key, tag, cost: cost ?? part.cost, limit: most };
      charges.push(own);
      if (wide) charges.push({ ...own, meter: wide.meter, key: wide.key, limit: most * wide.times });
    }
    return charges;
  }

  function outcomeOf(req: SecurityRequest, part: Part, reading: Reading): Outcome {
    const { limit, counted, most } = part;
    const { admitted, used, resetMs, newBan, bannedMs } = reading;
    const state: LimitState = { name: limit.name, limit: most, remaining: Math.max(0, most - used), resetMs };
    if (admitted) return { part, state };
    if (newBan > 0) reportBan(req, part, newBan, settings);
    const waitMs = Number.isFinite(reading.waitMs) ? reading.waitMs : resetMs;
    return { part, state, refusal: { waitMs, first: recent(`${limit.name} ${counted.key}`), bannedMs } };
  }

  return {
    count(req, _res, parts) {
      const charges = chargesOf(parts);
      return then(takeFrom(meters, charges), (readings): Counted => {
        sane(readings, charges);
        let next = 0;
        let delayMs = 0;
        let refused = false;
        const outcomes: Outcome[] = [];
        for (const part of parts) {
          const { limit } = part;
          const own = readings[next++]!;
          // Of a client's two prefixes the one that stands worse is told.
          const wide = charges.length > parts.length && wideOf(part) ? readings[next++]! : undefined;
          if (limit.delayBeyondMs !== undefined) {
            delayMs = Math.max(delayMs, Math.max(own.aheadMs, wide?.aheadMs ?? 0) - limit.delayBeyondMs);
          }
          const outcome = outcomeOf(req, part, wide ? worseOf(own, wide, limit.wide!.times) : own);
          outcomes.push(outcome);
          if (outcome.refusal) refused = true;
        }
        return refused
          ? { outcomes, delayMs: 0 }
          : { outcomes, delayMs, taken: new TakenCharges(meters, charges) };
      });
    },
    async peek(parts) {
      const readings = await meters.take(chargesOf(parts, 0));
      let next = 0;
      return parts.map((part) => {
        const mine = readings.slice(next, (next += wideOf(part) ? 2 : 1));
        const worse = mine.length === 1 ? mine[0]! : worseOf(mine[0]!, mine[1]!, part.limit.wide!.times);
        return {
          name: part.limit.name,
          limit: part.most,
          remaining: Math.max(0, part.most - worse.used),
          resetMs: worse.resetMs,
        };
      });
    },
    reset: async (parts) => meters.reset(chargesOf(parts)),
  };
}

function takeFrom(
  meters: Meters,
  charges: readonly Charge[],
): readonly Reading[] | Promise<readonly Reading[]> {
  let readings: readonly Reading[] | Promise<readonly Reading[]>;
  try {
    readings = meters.take(charges);
  } catch (cause) {
    return unavailable(cause);
  }
  return readings instanceof Promise ? readings.catch(unavailable) : readings;
}

function unavailable(cause: unknown): never {
  throw errors.E_RATE_LIMIT_UNAVAILABLE({ cause, headers: { 'Retry-After': '1' } });
}

function isReading({ admitted, used, waitMs, resetMs }: Reading): boolean {
  return typeof admitted === 'boolean' && used >= 0 && waitMs >= 0 && resetMs >= 0;
}

/** A store that answers nonsense is as good as down. */
function sane(readings: readonly Reading[], charges: readonly Charge[]): void {
  if (!Array.isArray(readings) || readings.length !== charges.length || !readings.every(isReading))
    unavailable(new TypeError('The store answered with a reading that is none.'));
}

function wideOf({
  limit,
  counted,
}: Part): { meter: Charge['meter']; key: string; times: number } | undefined {
  const { wide } = limit;
  const { address } = counted;
  if (!wide || address?.version !== 6) return undefined;
  return { meter: wide.meter, key: `a:${address.prefix(wide.bits)}`, times: wide.times };
}

function worseOf(own: Reading, wide: Reading, times: number): Reading {
  const used = Math.ceil(wide.used / times);
  if (own.admitted !== wide.admitted) return own.admitted ? { ...wide, used } : own;
  if (!own.admitted) return own.waitMs >= wide.waitMs ? own : { ...wide, used };
  return own.used >= used ? own : { ...wide, used };
}

/** Whether this is the first refusal of a key for a while; only refusals are remembered. */
function refusedBefore(meters: readonly Charge['meter'][], clock: Clock): (key: string) => boolean {
  const whileMs = Math.max(...meters.map(lifetimeMs));
  const table = new KeyTable(
    { lifetimeMs: whileMs, maxKeys: 100_000, seed: freshSeed(), onOverflow: () => undefined },
    clock.monotonic(),
  );
  return (key) => {
    const now = clock.monotonic();
    const first = !table.find(key, now) || table.first <= now;
    table.put(now + whileMs, 0);
    return first;
  };
}

function tell(
  writers: readonly FieldWriter[],
  res: SecurityResponse,
  { part, state }: Outcome,
  clock: Clock,
  first: boolean,
): void {
  if (part.limit.meter === undefined) return;
  for (const write of writers) write(res, part.limit.told, state, clock, first);
}

function report(req: SecurityRequest, { part, refusal }: Outcome, { events, dryRun }: Settings): void {
  events.emit({
    type: 'rate-limit.exceeded',
    ...who(req, part),
    first: refusal!.first,
    ...(dryRun ? { dryRun } : {}),
  });
}

function reportBan(
  req: SecurityRequest,
  part: Part,
  number: number,
  { ban, events, dryRun }: Settings,
): void {
  const forMs = lengthOf(ban!, number);
  events.emit({
    type: 'rate-limit.banned',
    ...who(req, part),
    forMs,
    number,
    ...(dryRun ? { dryRun } : {}),
  });
}

function who(req: SecurityRequest, { limit, counted }: Part) {
  const { principal, address } = ensureContext(req);
  const named = isAuthenticated(principal) ? { principal: principal.id } : {};
  return { limit: limit.name, by: counted.by, ip: address.ip, ...named };
}

function refusalOf({ part, refusal }: Outcome, outcomes: readonly Outcome[]): Error {
  const { limit, counted } = part;
  const make = refusal!.bannedMs > 0 ? errors.E_RATE_LIMIT_BANNED : errors.E_RATE_LIMITED;
  const violated = outcomes.flatMap((outcome) => (outcome.refusal ? [outcome.part.limit.name] : []));
  return make({
    ...(limit.message === undefined ? {} : { message: limit.message }),
    headers: { 'Retry-After': String(wholeSeconds(refusal!.waitMs)) },
    // The extension member of the draft's problem type "quota-exceeded".
    problem: { 'violated-policies': violated },
    details: { limit: limit.name, by: counted.by },
  });
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

function then<T, U>(value: T | Promise<T>, use: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
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

// What could not be given back only makes the limit stricter.
async function ignoring(work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch {
    // See above.
  }
}

function readOnlyFailures(value: unknown, owner: string, path: string): boolean | FailureRule {
  return typeof value === 'function' ? (value as FailureRule) : option.boolean(false)(value, owner, path);
}
