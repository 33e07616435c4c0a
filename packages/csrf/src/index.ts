export { csrf } from './csrf.js';
export {
  createCsrfCheck,
  type CsrfCheck,
  type CsrfDecision,
  type CsrfOptions,
  type CsrfRefusalReason,
} from './check.js';
export { errors as csrfErrors } from './error-codes.js';
export { context, type ContextOptions } from '@portcullis/core';
export type { SecurityContext } from '@portcullis/core';
