import {
  ALLOW,
  guard,
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type Events,
  type Middleware,
  type SecurityRequest,
} from '@portcullis/core';
import { errors } from './error-codes.js';

/** `critical` requests, such as health checks, are never refused; `low` ones first. */
export type Priority = 'critical' | 'high' | 'normal' | 'low';

export interface ShedLoadOptions {
  /** Lateness of the event loop at which requests of low priority begin to be refused, 5 ms to 10 s. @default '70ms' */
  readonly maxDelay?: Duration;
  /** What a request is worth. Anything but a {@link Priority} counts as `low`. @default `'normal'` for all */
  readonly priority?: (req: SecurityRequest) => Priority;
  /** How often the lateness is looked at, 5 ms to 1 s. @default '20ms' */
  readonly every?: Duration;
  /** What clients are told to wait, 1 s to 10 min. @default '2s' */
  readonly retryAfter?: Duration;
  /** Measures the lateness of the event loop in milliseconds, instead of the built-in timer. */
  readonly delayNow?: () => number;
  readonly clock?: Clock;
  readonly events?: Events;
}

/** Times `maxDelay` at which a priority begins to be refused; twice of that, all of it is. */
const BEGINS: Readonly<Record<Exclude<Priority, 'critical'>, number>> = { low: 1, normal: 2, high: 4 };
const KNOWN: readonly Priority[] = ['critical', 'high', 'normal', 'low'];

/**
 * Refuses work with 503 and `Retry-After` while the event loop is late: what is admitted then still ends in time, instead of
 * everything ending too late. The share that is refused grows with the lateness, from none at the priority's mark to all at
 * twice that mark, so that load does not swing between all and nothing.
 * @throws OptionError; per request E_OVERLOADED (503)
 * @see OWASP ASVS 5.0 V15.2.2
 */
export function shedLoad(options: ShedLoadOptions = {}): Middleware {
  const settings = readOptions('shedLoad', options, {
    maxDelay: option.duration({ minMs: 5, maxMs: 10_000, default: 70 }),
    priority: option.optional(option.fn<(req: SecurityRequest) => unknown>()),
    every: option.duration({ minMs: 5, maxMs: 1000, default: 20 }),
    retryAfter: option.duration({ minMs: 1000, maxMs: 600_000, default: 2000 }),
    delayNow: option.optional(option.fn<() => number>()),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { maxDelay, priority, clock, events } = settings;
  if (settings.delayNow && options.every !== undefined) {
    optionConflict('shedLoad', 'every', 'every belongs to the built-in timer, which delayNow replaces');
  }
  const delayNow = settings.delayNow ?? lateness(settings.every, clock);
  const headers = { 'Retry-After': String(Math.ceil(settings.retryAfter / 1000)) };
  // What is still owed to a share: refusing 30 % means every third or fourth request, without chance.
  const owed: Record<string, number> = { low: 0, normal: 0, high: 0 };
  let overloadedAt: number | undefined;
  let refused = 0;

  return guard('shedLoad', { stage: 'limit', detail: `late by ${maxDelay} ms`, events }, (req) => {
    const delayMs = delayNow();
    if (overloadedAt === undefined && delayMs > maxDelay) {
      overloadedAt = clock.monotonic();
      refused = 0;
      events.emit({ type: 'rate-limit.overloaded', delayMs });
    } else if (overloadedAt !== undefined && delayMs < maxDelay / 2) {
      events.emit({ type: 'rate-limit.relieved', afterMs: clock.monotonic() - overloadedAt, refused });
      overloadedAt = undefined;
    }
    if (!(delayMs > maxDelay)) return ALLOW;
    const given: unknown = priority ? priority(req) : 'normal';
    const worth = KNOWN.includes(given as Priority) ? (given as Priority) : 'low';
    if (worth === 'critical') return ALLOW;
    const mark = BEGINS[worth] * maxDelay;
    const share = Math.min(1, Math.max(0, (delayMs - mark) / mark));
    owed[worth] = owed[worth]! + share;
    if (owed[worth] < 1) return ALLOW;
    owed[worth] -= 1;
    refused++;
    throw errors.E_OVERLOADED({ headers, details: { delayMs, priority: worth } });
  });
}

/** How late timers are, smoothed: half of it is the newest look. A timer that is due now counts already. */
function lateness(everyMs: number, clock: Clock): () => number {
  let smooth = 0;
  let due = clock.monotonic() + everyMs;
  const timer = setInterval(() => {
    const now = clock.monotonic();
    smooth = (smooth + Math.max(0, now - due)) / 2;
    due = now + everyMs;
  }, everyMs);
  timer.unref();
  return () => Math.max(smooth, clock.monotonic() - due);
}
