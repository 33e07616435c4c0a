import type { StoreKey } from './key-value-store.js';

// What every implementation refuses alike. These are mistakes of the calling program, hence TypeErrors.

/** Longest time to live: a hundred years, which every implementation can represent. */
const MAX_TTL_MS = 100 * 366 * 86_400_000;

/** Whole milliseconds, rounded up: a lifetime never ends early. */
export function checkTtl(ttlMs: number | undefined): number | undefined {
  if (ttlMs === undefined) return undefined;
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
    throw new TypeError(`ttlMs must be more than 0 and at most ${MAX_TTL_MS} milliseconds, not ${ttlMs}.`);
  }
  return Math.ceil(ttlMs);
}

export function checkIncrement(by: number, ttlMs: number): number {
  if (!Number.isSafeInteger(by))
    throw new TypeError(`A counter is incremented by a whole number, not ${by}.`);
  if (ttlMs === undefined) throw new TypeError('A counter needs ttlMs.');
  return checkTtl(ttlMs)!;
}

/** @throws TypeError unless all keys of a script share namespace and first part, as Redis Cluster demands */
export function checkSameTag(keys: readonly StoreKey[]): void {
  const tags = new Set(keys.map((key) => key.slice(0, key.indexOf('}') + 1)));
  if (tags.size > 1) throw new TypeError('The keys of a script must share their namespace and first part.');
}
