import { option, OptionError, readOptions, type Duration, type OptionReader } from '@portcullis/core';
import type { AuditKind, AuditOutcome } from '../entry.js';
import { checkQuery, type CheckedQuery } from '../query.js';

/** Entries that all given fields fit. */
export interface ReviewFilter {
  /** @default actions and requests */
  readonly kind?: AuditKind;
  /** An exact action, or all below a prefix: `role.*`. */
  readonly action?: string;
  readonly outcome?: AuditOutcome;
  /** The id of the one who did it. */
  readonly actor?: string;
  readonly target?: { readonly type: string; readonly id?: string };
}

export interface ReviewPolicy {
  /** Entries that fit one of these are due for review; 1 to 20. What fits should be what people can read. */
  readonly match: readonly ReviewFilter[];
  /** When the duty began: what was recorded before is not due. */
  readonly since: Date | number | string;
  /**
   * An entry is overdue if nobody has reviewed it so long after it was recorded; the policy, if no round reaches into that time. 1 min to
   * 400 d. @default '8d', a week and a day
   */
  readonly within?: Duration;
  /** Share of what fits, chosen by the entries' hashes, so that nobody can pick: 0.0001 to 1. @default 1 */
  readonly sample?: number;
}

/** A policy that has been checked. */
export interface ReviewDuty {
  readonly name: string;
  readonly filters: readonly CheckedQuery[];
  readonly since: string;
  readonly withinMs: number;
  readonly sample: number;
}

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const FIELDS = new Set(['kind', 'action', 'outcome', 'actor', 'target']);

/** `{ [name]: policy }` */
export const readPolicies: OptionReader<ReadonlyMap<string, ReviewDuty>> = (value, owner, path) => {
  if (value === undefined) return new Map();
  if (typeof value !== 'object' || value === null) {
    throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be an object of names and policies`);
  }
  return new Map(
    Object.entries(value).map(([name, policy]) => {
      const at = `${path}.${name}`;
      if (!NAME.test(name)) {
        throw new OptionError('E_OPTION_VALUE', owner, at, `"${name}" is no name such as 'denied'`);
      }
      return [name, dutyOf(name, policy, owner, at)];
    }),
  );
};

function dutyOf(name: string, policy: unknown, owner: string, at: string): ReviewDuty {
  const readers = {
    match: option.array(filterOption, { min: 1, max: 20 }),
    since: sinceOption,
    within: option.duration({ minMs: 60_000, maxMs: 400 * 86_400_000, default: '8d' }),
    sample: sampleOption,
  };
  const { match, since, within, sample } = readOptions(owner, policy as object, readers, at);
  const filters = match.map((filter) => checkQuery({ viewer: 'system', ...filter, from: since, limit: 500 }));
  return { name, filters, since, withinMs: within, sample };
}

const filterOption: OptionReader<ReviewFilter> = (value, owner, path) => {
  const problem = (text: string): OptionError => new OptionError('E_OPTION_VALUE', owner, path, text);
  if (typeof value !== 'object' || value === null) throw problem(`${path} must be an object`);
  const unknown = Object.keys(value).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) throw problem(`${path}: a filter has no field "${unknown}"`);
  try {
    checkQuery({ viewer: 'system', ...value });
  } catch (error) {
    throw problem(`${path}: ${(error as Error).message}`);
  }
  return value;
};

const sampleOption: OptionReader<number> = (value, owner, path) => {
  if (value === undefined) return 1;
  if (typeof value === 'number' && value >= 0.0001 && value <= 1) return value;
  throw new OptionError('E_OPTION_RANGE', owner, path, `${path} must be a share between 0.0001 and 1`);
};

const sinceOption: OptionReader<string> = (value, owner, path) => {
  if (value === undefined) {
    throw new OptionError('E_OPTION_REQUIRED', owner, path, `the option "${path}" is required`);
  }
  try {
    return checkQuery({ viewer: 'system', from: value as string }).from!;
  } catch {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be a time such as '2026-11-01'`);
  }
};
