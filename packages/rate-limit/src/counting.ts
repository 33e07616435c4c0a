import type { SecurityRequest, SecurityResponse } from '@portcullis/core';
import type { LimitState } from './augment.js';
import type { CountedKey } from './keys.js';
import type { Charge } from './meter.js';
import type { CompiledLimit } from './options.js';

/** A limit that goes for this request, and for whom. */
export interface Part {
  readonly limit: CompiledLimit;
  readonly counted: CountedKey;
  /** What it admits. */
  readonly most: number;
  readonly cost: number;
}

export interface Outcome {
  readonly part: Part;
  readonly state: LimitState;
  /** Absent if it admits the request. */
  readonly refusal?: { readonly waitMs: number; readonly first: boolean; readonly bannedMs: number };
}

/** How a request is counted: as whole windows by express-rate-limit, or by meters. */
export interface Counting {
  count(req: SecurityRequest, res: SecurityResponse, parts: readonly Part[]): Counted | Promise<Counted>;
  peek(parts: readonly Part[]): Promise<readonly LimitState[]>;
  reset(parts: readonly Part[]): Promise<void>;
}

export interface Taken {
  /** Gives back so much, at most what was taken. */
  refund(cost: number): void | Promise<void>;
}

export interface Counted {
  readonly outcomes: readonly Outcome[];
  readonly delayMs: number;
  readonly taken?: Taken;
}

/** An IPv6 client counts by a wider prefix too. */
export function wideOf({
  limit,
  counted,
}: Part): { meter: Charge['meter']; key: string; times: number } | undefined {
  const { wide } = limit;
  const { address } = counted;
  if (!wide || address?.version !== 6) return undefined;
  return { meter: wide.meter, key: `a:${address.prefix(wide.bits)}`, times: wide.times };
}

/** At once where the value is there: a promise for every request costs more than the count. */
export function afterwards<T, U>(value: T | Promise<T>, use: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}
