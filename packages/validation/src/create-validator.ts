import { option, OptionError, readOptions } from '@portcullis/core';
import { ahead, readPrecompiled, type Precompiled } from './engine/ahead.js';
import type { Engine } from './engine/engine.js';
import { errors } from './error-codes.js';
import { createJudge } from './part.js';
import type { Finding } from './problem.js';
import type { FromSchema, JsonSchema } from './schema.js';
import { isStandardSchema } from './standard-schema.js';

export interface ValidatorOptions {
  /** Read top-level texts by their declared types, as for a query string or a form. @default false */
  readonly fromText?: boolean;
  /** Problems listed at once, 1 to 100. @default 20 */
  readonly maxErrors?: number;
  /**
   * Take the schema as JSON Schema draft 7 means it, with local references: nothing is closed or bounded, formats are
   * not checked, patterns are not judged. For schemas that are trusted and values that are small. @default false
   */
  readonly dangerouslyAsWritten?: boolean;
  /** What `precompile()` has made of the schema. @default generated now, which needs code to be made from text */
  readonly precompiled?: Precompiled;
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

export function buildValidator<const S extends JsonSchema>(
  schema: S,
  options: ValidatorOptions,
  otherwise: Engine | undefined,
): Validator<FromSchema<S>> {
  const { precompiled, dangerouslyAsWritten, ...settings } = readOptions('createValidator', options, {
    fromText: option.boolean(false),
    maxErrors: option.integer({ min: 1, max: 100, default: 20 }),
    dangerouslyAsWritten: option.boolean(false),
    precompiled: readPrecompiled,
  });
  if (isStandardSchema(schema)) {
    throw new OptionError(
      'E_OPTION_TYPE',
      'createValidator',
      'schema',
      'schema must be a JSON Schema; other libraries validate by themselves',
    );
  }
  const judge = createJudge(schema, {
    engine: ahead(precompiled, otherwise),
    dialect: dangerouslyAsWritten ? 'as-written' : 'input',
    owner: 'createValidator',
    path: 'schema',
  });

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
