import type { Middleware } from '@portcullis/core';
import { buildValidator, type Validator, type ValidatorOptions } from './create-validator.js';
import { atStart } from './engine/at-start.js';
import type { FromSchema, JsonSchema, Schemas } from './schema.js';
import { buildValidate, type ValidateOptions } from './validate.js';

/**
 * Lets only input through that has the form of its schemas, and writes copies of it to `req.security.valid`.
 * Mount it on the route, after the body parser. Objects take listed properties only; strings are single lines
 * without control characters unless their schema names another format; a body is never coerced, query, path,
 * headers, cookies and forms are read by declared types in one spelling per value.
 * With `response`, answers are judged too: what does not have the form listed for its status does not leave.
 * Schemas are checked and compiled when this is called; what is wrong or could be made slow does not start.
 * Does not touch `req.body`, `req.query` and `req.params`: handlers read `validOf(schemas, req)`.
 * @throws OptionError; per request E_VALIDATION (400), E_MEDIA_TYPE (415) and E_RESPONSE (500)
 * @see OWASP ASVS 5.0 V1.5, V2.2, V15.3; RFC 6901
 */
export function validate(schemas: Schemas, options: ValidateOptions = {}): Middleware {
  return buildValidate(schemas, options, atStart);
}

/**
 * The rules of `validate()` outside of a request: for messages, files, jobs, answers of other services.
 * @throws OptionError
 */
export function createValidator<const S extends JsonSchema>(
  schema: S,
  options: ValidatorOptions = {},
): Validator<FromSchema<S>> {
  return buildValidator(schema, options, atStart);
}
