import type { SecurityResponse } from '@portcullis/core';
import type { LimitState } from './augment.js';

/** Whole seconds, rounded up and at least 1: a client that waits so long is not refused again for that. */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

/**
 * The RateLimit header fields of draft-ietf-httpapi-ratelimit-headers-08: lists with one member per limit.
 * The policy of a fixed limit is rendered once.
 */
export function headerFields(
  name: string,
  windowMs: number,
): (res: SecurityResponse, state: LimitState) => void {
  const seconds = wholeSeconds(windowMs);
  let policy = '';
  let policyLimit = -1;
  return (res, { limit, remaining, resetMs }) => {
    if (limit !== policyLimit) {
      policy = `"${name}";q=${limit};w=${seconds}`;
      policyLimit = limit;
    }
    append(res, 'RateLimit-Policy', policy);
    append(res, 'RateLimit', `"${name}";r=${remaining};t=${wholeSeconds(resetMs)}`);
  };
}

function append(res: SecurityResponse, field: string, member: string): void {
  const before = res.getHeader(field);
  res.setHeader(field, typeof before === 'string' ? `${before}, ${member}` : member);
}
