import { option, OptionError, type Clock, type OptionReader, type SecurityResponse } from '@portcullis/core';
import type { LimitState } from './augment.js';

/**
 * Which header fields tell clients about a limit, by the revision of draft-ietf-httpapi-ratelimit-headers:
 * - `draft-10`, `draft-9`, `draft-8`: `RateLimit-Policy` and `RateLimit`, lists with a member per limit;
 * - `draft-7`: `RateLimit-Policy` and one `RateLimit` with `limit=`, `remaining=`, `reset=`;
 * - `draft-6`: `RateLimit-Policy`, `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`;
 * - `legacy`: `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` (seconds since 1970).
 */
export type HeaderStyle = 'draft-10' | 'draft-9' | 'draft-8' | 'draft-7' | 'draft-6' | 'legacy';

/** How a limit is told: what it admits per which time. */
export interface ToldPolicy {
  readonly name: string;
  readonly windowMs: number;
}

export type FieldWriter = (
  res: SecurityResponse,
  policy: ToldPolicy,
  state: LimitState,
  clock: Clock,
  /** No limit has told anything of itself on this answer yet. */
  first: boolean,
) => void;

/**
 * Whole seconds, rounded up and at least 1: a client that waits so long is not refused again for that. A difference of two times
 * has an error of less than a microsecond, which must not make another second of it.
 */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil((ms - 0.001) / 1000));
}

const styles: readonly HeaderStyle[] = ['draft-10', 'draft-9', 'draft-8', 'draft-7', 'draft-6', 'legacy'];
const CURRENT: HeaderStyle = 'draft-10';

export const readHeaders: OptionReader<readonly FieldWriter[]> = (value, owner, path) => {
  if (value === false) return [];
  const chosen =
    value === undefined || value === true
      ? [CURRENT]
      : Array.isArray(value)
        ? option.array(option.oneOf(styles), { min: 1, max: 2 })(value, owner, path)
        : [option.oneOf(styles)(value, owner, path)];
  if (new Set(chosen).size < chosen.length || chosen.filter((style) => style !== 'legacy').length > 1) {
    const problem = `${path} may name one draft, and "legacy" beside it: the drafts use the same fields`;
    throw new OptionError('E_OPTION_VALUE', owner, path, problem);
  }
  return chosen.map((style) => writers[style]());
};

/** What stays the same from answer to answer is rendered once, for a limit that stays the same. */
function renderedOnce(
  render: (policy: ToldPolicy, limit: number) => string,
): (policy: ToldPolicy, limit: number) => string {
  const rendered = new WeakMap<ToldPolicy, { readonly limit: number; readonly text: string }>();
  return (policy, limit) => {
    let known = rendered.get(policy);
    if (known?.limit !== limit) rendered.set(policy, (known = { limit, text: render(policy, limit) }));
    return known.text;
  };
}

function lists(): FieldWriter {
  const policyOf = renderedOnce(
    ({ name, windowMs }, limit) => `"${name}";q=${limit};w=${wholeSeconds(windowMs)}`,
  );
  return (res, policy, { limit, remaining, resetMs }, _clock, first) => {
    append(res, 'RateLimit-Policy', policyOf(policy, limit), first);
    append(res, 'RateLimit', `"${policy.name}";r=${remaining};t=${wholeSeconds(resetMs)}`, first);
  };
}

const numbersOf = () => renderedOnce(({ windowMs }, limit) => `${limit};w=${wholeSeconds(windowMs)}`);

const writers: Record<HeaderStyle, () => FieldWriter> = {
  'draft-10': lists,
  'draft-9': lists,
  'draft-8': lists,
  'draft-7': () => {
    const policyOf = numbersOf();
    return (res, policy, { limit, remaining, resetMs }, _clock, first) => {
      append(res, 'RateLimit-Policy', policyOf(policy, limit), first);
      if (!first && hasLess(res, 'RateLimit', remaining)) return;
      res.setHeader('RateLimit', `limit=${limit}, remaining=${remaining}, reset=${wholeSeconds(resetMs)}`);
    };
  },
  'draft-6': () => {
    const policyOf = numbersOf();
    return (res, policy, { limit, remaining, resetMs }, _clock, first) => {
      append(res, 'RateLimit-Policy', policyOf(policy, limit), first);
      if (!first && hasLess(res, 'RateLimit-Remaining', remaining)) return;
      res.setHeader('RateLimit-Limit', String(limit));
      res.setHeader('RateLimit-Remaining', String(remaining));
      res.setHeader('RateLimit-Reset', String(wholeSeconds(resetMs)));
    };
  },
  legacy:
    () =>
    (res, _policy, { limit, remaining, resetMs }, clock, first) => {
      if (!first && hasLess(res, 'X-RateLimit-Remaining', remaining)) return;
      res.setHeader('X-RateLimit-Limit', String(limit));
      res.setHeader('X-RateLimit-Remaining', String(remaining));
      res.setHeader('X-RateLimit-Reset', String(Math.ceil((clock.now() + resetMs) / 1000)));
    },
};

/** These fields have room for one limit: of several, the one with least left is told. */
function hasLess(res: SecurityResponse, field: string, remaining: number): boolean {
  const before = /(?:remaining=|^)(\d+)/.exec(String(res.getHeader(field) ?? ''));
  return before !== null && Number(before[1]) <= remaining;
}

function append(res: SecurityResponse, field: string, member: string, first: boolean): void {
  const before = first ? undefined : res.getHeader(field);
  res.setHeader(field, typeof before === 'string' ? `${before}, ${member}` : member);
}
