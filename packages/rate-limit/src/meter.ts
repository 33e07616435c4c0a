import { OptionError, toMs, type OptionReader } from '@portcullis/core';

/** Whole windows: at most the limit per window, which starts with a key's first request. */
export interface WindowMeter {
  readonly kind: 'window';
  /** Begins the keys of a shared store; limits of one name and one shape share their counts. */
  readonly id: string;
  readonly windowMs: number;
}

/**
 * A leaky bucket as a meter, which is the generic cell rate algorithm (GCRA, ITU-T I.371) and what nginx's `limit_req` does.
 * `leak` units run out per microsecond, and one request pours in `unit`. Both are whole numbers without common divisor and
 * time is counted in whole microseconds, so the arithmetic is exact: nothing is rounded, for ever.
 */
export interface RateMeter {
  readonly kind: 'rate';
  readonly id: string;
  readonly unit: number;
  readonly leak: number;
  /** Units that it holds: burst + 1 requests. */
  readonly capacity: number;
}

export type Meter = WindowMeter | RateMeter;

/** What one request asks of one meter. */
export interface Charge {
  readonly meter: Meter;
  readonly key: string;
  /** Keys that one call touches together share it (Redis Cluster: one slot). */
  readonly tag: string;
  /** A whole number from 1; 0 only looks, a negative one gives back. */
  readonly cost: number;
  /** Windows: what the window admits. Rates: burst + 1. */
  readonly limit: number;
}

/** What a meter says to a charge. */
export interface Reading {
  /** Whether this charge alone fits. Several charges are taken together or not at all. */
  readonly admitted: boolean;
  /** What stands in the meter after the call, in requests (for rates rounded up). */
  readonly used: number;
  /** Milliseconds until this charge would fit; 0 if it did. Infinity if it costs more than the meter can hold. */
  readonly waitMs: number;
  /** Milliseconds until the meter is empty again. */
  readonly resetMs: number;
  /** Rates: milliseconds of work that stood before this request, for policies that delay. */
  readonly aheadMs: number;
  /** Milliseconds that a ban still lasts, 0 without one. */
  readonly bannedMs: number;
  /** The number of the ban that began with this call, 0 if none did. */
  readonly newBan: number;
}

const UNITS_MS: Readonly<Record<string, number>> = Object.assign(Object.create(null), {
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
});

export interface ParsedRate {
  readonly count: number;
  readonly perMs: number;
}

/** A rate such as `'10/s'`, `'5/min'`, `'1000/day'` or `'100/15m'`: 1 to 1,000,000 requests per 1 ms to 31 days. */
export const readRate: OptionReader<ParsedRate> = (value, owner, path) => {
  const match = typeof value === 'string' ? /^(\d{1,7})\/(.{1,16})$/.exec(value) : null;
  const count = Number(match?.[1]);
  const per = match?.[2] ?? '';
  const perMs = UNITS_MS[per] ?? toMs(per);
  if (
    !(count >= 1 && count <= 1_000_000) ||
    perMs === undefined ||
    !(perMs >= 1 && perMs <= 31 * 86_400_000)
  ) {
    const problem = `${path} must be a rate such as "10/s", "5/min", "1000/day" or "100/15m"`;
    throw new OptionError('E_OPTION_VALUE', owner, path, problem);
  }
  return { count, perMs };
};

/** @throws OptionError if the meter cannot be counted exactly */
export function rateMeter(name: string, rate: ParsedRate, burst: number, owner: string): RateMeter {
  const perMicros = Math.round(rate.perMs * 1000);
  const divisor = greatestCommonDivisor(rate.count, perMicros);
  const [unit, leak] = [perMicros / divisor, rate.count / divisor];
  const capacity = (burst + 1) * unit;
  if (capacity > 2 ** 50) {
    const problem = `burst ${burst} takes ${Math.round(capacity / leak / 8.64e10)} days to run out; use a window instead`;
    throw new OptionError('E_OPTION_RANGE', owner, 'burst', problem);
  }
  return { kind: 'rate', id: `${name}:r${unit}-${leak}-${burst}`, unit, leak, capacity };
}

export function windowMeter(name: string, windowMs: number): WindowMeter {
  return { kind: 'window', id: `${name}:${windowMs}`, windowMs };
}

/** Longest time for which an entry of the meter means something. */
export function lifetimeMs(meter: Meter): number {
  return meter.kind === 'window' ? meter.windowMs : Math.ceil(meter.capacity / meter.leak / 1000) + 1;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
