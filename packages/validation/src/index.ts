export { validate, validOf, type ValidateOptions } from './validate.js';
export { createValidator, type Validator, type ValidatorOptions } from './create-validator.js';
export type { FromSchema, PartName, Schema, Schemas, ValidOf } from './schema.js';
export type { ValidInput } from './augment.js';
export type { Finding, InputProblem } from './problem.js';
export { errors as validationErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
