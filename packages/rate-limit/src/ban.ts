import { option, type Duration, type OptionReader } from '@portcullis/core';

/** When those who are refused again and again are refused for longer. */
export interface BanOptions {
  /** Refusals of one key until it is banned, 1 to 100,000. */
  readonly after: number;
  /** The time within which they happen, 1 s to 31 days. */
  readonly within: Duration;
  /**
   * How long a ban lasts, 1 s to 31 days: the first one, the second, and so on; the last entry goes for all further ones. A
   * key that behaves for as long as twice the longest ban begins anew.
   */
  readonly for: readonly Duration[];
}

export interface BanRule {
  readonly after: number;
  readonly withinMs: number;
  readonly lengthsMs: readonly number[];
}

const MONTH_MS = 31 * 86_400_000;

export const readBan: OptionReader<BanRule> = (value, owner, path) => {
  const group = option.group({
    after: option.integer({ min: 1, max: 100_000 }),
    within: option.duration({ minMs: 1000, maxMs: MONTH_MS }),
    for: option.array(option.duration({ minMs: 1000, maxMs: MONTH_MS }), { min: 1, max: 16 }),
  });
  const read = group(value, owner, path);
  return { after: read.after, withinMs: read.within, lengthsMs: read.for };
};

/** How long good behaviour has to last after a ban until its number is forgotten. */
export function forgetMs({ lengthsMs }: BanRule): number {
  return 2 * Math.max(...lengthsMs);
}

/** How long a ban and its number may have to be remembered after they were written. */
export function memoryMs(rule: BanRule): number {
  return Math.max(rule.withinMs, forgetMs(rule) + Math.max(...rule.lengthsMs));
}

/** The length of the ban with this number, which starts with 1. */
export function lengthOf({ lengthsMs }: BanRule, number: number): number {
  return lengthsMs[Math.min(number, lengthsMs.length) - 1]!;
}
