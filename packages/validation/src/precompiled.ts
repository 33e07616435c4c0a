import type { Middleware } from '@portcullis/core';
import {
  buildValidator,
  type Validator,
  type ValidatorOptions as AnyValidatorOptions,
} from './create-validator.js';
import type { Precompiled } from './engine/ahead.js';
import type { FromSchema, JsonSchema, Schemas } from './schema.js';
import { buildValidate, type ValidateOptions as AnyValidateOptions } from './validate.js';

// The same as the main entry for schemas that were compiled ahead of time. Ajv is not loaded.

export interface ValidateOptions extends AnyValidateOptions {
  /** What `precompile()` has made of the schemas. */
  readonly precompiled: Precompiled;
}
export interface ValidatorOptions extends AnyValidatorOptions {
  /** What `precompile()` has made of the schema. */
  readonly precompiled: Precompiled;
}

/**
 * `validate()` of the main entry, with checks that `precompile()` has made.
 * @throws OptionError, also for a schema that is not among them or has changed since
 */
export function validate(schemas: Schemas, options: ValidateOptions): Middleware {
  return buildValidate(schemas, options, undefined);
}

/**
 * `createValidator()` of the main entry, with a check that `precompile()` has made.
 * @throws OptionError, also for a schema that is not among them or has changed since
 */
export function createValidator<const S extends JsonSchema>(
  schema: S,
  options: ValidatorOptions,
): Validator<FromSchema<S>> {
  return buildValidator(schema, options, undefined);
}

export { validOf } from './validate.js';
export type { Validator } from './create-validator.js';
export type { Precompiled } from './engine/ahead.js';
export type { SecurityContext } from '@portcullis/core';
