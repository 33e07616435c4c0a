import { option, OptionError, type OptionReader } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { PartName } from '../schema.js';
import { PROTOTYPE_NAMES } from '../prepare-schema.js';
import { FieldFault, refuseField, splitFields, type SplitLimits } from './split-fields.js';

/** A text by name; a list where the name is one of `lists`, also of one. Frozen, without a prototype. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

export interface FieldOptions {
  /** Names that may occur more than once; their values are always lists. Any other name occurs once. @default [] */
  readonly lists?: readonly string[];
  /** What a name with `[` or `]` is: 400, or a name like any other. @default 'refuse' */
  readonly brackets?: 'refuse' | 'literal';
  /** 1 to 10,000. @default 100 */
  readonly maxFields?: number;
  /** Characters of a name, 1 to 1000. @default 100 */
  readonly maxName?: number;
  /** Characters of a value, 1 to 1,000,000. @default 4096 */
  readonly maxValue?: number;
}

export interface FieldSettings extends SplitLimits {
  readonly lists: readonly string[];
  readonly brackets: 'refuse' | 'literal';
}

export const fieldName: OptionReader<string> = (value, owner, path) => {
  const name = option.string({ max: 1000 })(value, owner, path);
  if (!PROTOTYPE_NAMES.has(name)) return name;
  throw new OptionError('E_OPTION_VALUE', owner, path, `${path} is a name that is never accepted`);
};

export const fieldLimits = {
  lists: option.array(fieldName, { max: 1000, default: [] }),
  brackets: option.oneOf(['refuse', 'literal'] as const, 'refuse'),
  maxFields: option.integer({ min: 1, max: 10_000, default: 100 }),
  maxName: option.integer({ min: 1, max: 1000, default: 100 }),
  maxValue: option.integer({ min: 1, max: 1_000_000, default: 4096 }),
};

export type ReadFields = (text: string) => Fields;

/** Built once per reader. What it returns throws E_TEXT_FIELDS. */
export function fieldsReader(part: PartName, settings: FieldSettings): ReadFields {
  const lists = new Set(settings.lists);
  const literal = settings.brackets === 'literal';
  return (text) => {
    const fields: Record<string, string | string[]> = Object.create(null);
    const take = (name: string, value: string): void => {
      if (!literal && /[[\]]/.test(name))
        refuseField([name], 'brackets', 'must not have brackets in its name');
      const before = fields[name];
      if (lists.has(name)) {
        if (before === undefined) fields[name] = [value];
        else (before as string[]).push(value);
      } else if (before === undefined) {
        fields[name] = value;
      } else {
        refuseField([name], 'duplicate', 'must not occur more than once');
      }
    };
    return withoutFault(part, () => {
      splitFields(text, settings, take);
      return Object.freeze(fields);
    });
  };
}

/** Runs a reader; what it refuses becomes the problem document of the part. */
export function withoutFault<T>(part: PartName, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FieldFault)) throw error;
    throw errors.E_TEXT_FIELDS({ problem: { errors: [{ in: part, ...error.found }] } });
  }
}
