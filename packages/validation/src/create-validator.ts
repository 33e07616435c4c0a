import { option, readOptions } from '@portcullis/core';
import { errors } from './error-codes.js';
import { createJudge } from './part.js';
import type { Finding } from './problem.js';
import type { FromSchema, Schema } from './schema.js';

export interface ValidatorOptions {
  /** Read top-level texts by their declared types, as for a query string or a form. @default false */
  readonly fromText?: boolean;
  /** Problems listed at once, 1 to 100. @default 20 */
  readonly maxErrors?: number;
}

export interface Validator<T> {
  /**
   * A checked copy of the value.
   * @throws E_VALIDATION (400) with `problem.errors`
   */
  parse(value: unknown): T;
  /** The same without throwing. */
  check(
    value: unknown,
  ):
    | { readonly valid: true; readonly value: T }
    | { readonly valid: false; readonly errors: readonly Finding[] };
}

/**
 * The rules of `validate()` outside of a request: for messages, files, jobs, answers of other services.
 * @throws OptionError
 */
export function createValidator<const S extends Schema>(
  schema: S,
  options: ValidatorOptions = {},
): Validator<FromSchema<S>> {
  const settings = readOptions('createValidator', options, {
    fromText: option.boolean(false),
    maxErrors: option.integer({ min: 1, max: 100, default: 20 }),
  });
  const judge = createJudge(schema, 'createValidator', 'schema');

  const check: Validator<FromSchema<S>>['check'] = (value) => {
    const verdict = judge(value, settings);
    return verdict.valid
      ? { valid: true, value: verdict.value as FromSchema<S> }
      : { valid: false, errors: verdict.findings };
  };
  return {
    check,
    parse(value) {
      const verdict = check(value);
      if (verdict.valid) return verdict.value;
      throw errors.E_VALIDATION({ problem: { errors: verdict.errors } });
    },
  };
}
