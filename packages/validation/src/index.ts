export { createValidator, validate } from './validate-here.js';
export { validOf, type ValidateOptions } from './validate.js';
export { asTaken, type TakenCall, type UniqueConstraints, type UniqueRule } from './unique.js';
export type { Validator, ValidatorOptions } from './create-validator.js';
export type { Precompiled } from './engine/ahead.js';
export type {
  AnySchema,
  FromSchema,
  JsonSchema,
  PartName,
  ResponseSchemas,
  Schema,
  Schemas,
  StandardSchema,
  TypeBoxSchema,
  ValidOf,
} from './schema.js';
export type { ValidInput } from './augment.js';
export type { Finding } from './problem.js';
export type { InputProblem } from '@portcullis/core';
export {
  createRedirects,
  safeRedirect,
  type RedirectOptions,
  type Redirects,
} from './redirects/redirects.js';
export type { RedirectReason, RedirectVerdict } from './redirects/judge-target.js';
export { strictJson, type StrictJsonOptions } from './json/strict-json.js';
export { parseJson, type JsonOptions } from './json/parse-json.js';
export type { JsonRule, TextPosition } from './json/json-fault.js';
export { strictQuery, type StrictQueryOptions } from './fields/strict-query.js';
export { strictForm, type StrictFormOptions } from './fields/strict-form.js';
export { strictCookies, type StrictCookiesOptions } from './fields/strict-cookies.js';
export type { FieldOptions, Fields } from './fields/parse-fields.js';
export type { Size } from './body/size.js';
export type { Coding } from './body/read-bytes.js';
export { createPhoneReader, type PhoneReaderOptions } from './formats/phone.js';
export { minorUnits, moneyIn, priceIn, toMinorUnits, type PriceSchema } from './formats/money.js';
export type { CurrencyCode } from './formats/currencies.js';
export { usernameSkeleton } from './formats/username.js';
export { errors as validationErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
