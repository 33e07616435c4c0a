export { csrf, type Csrf } from './csrf.js';
export type {
  CsrfToken,
  CsrfTokenDecision,
  CsrfTokenOptions,
  CsrfTokenRefusalReason,
} from './token/csrf-token.js';
export {
  createCsrfCheck,
  type CsrfCheck,
  type CsrfDecision,
  type CsrfOptions,
  type CsrfRefusalReason,
} from './check.js';
export { upgradeGuard } from './upgrade-guard.js';
export { errors as csrfErrors } from './error-codes.js';
export { context, identify, type ContextOptions } from '@portcullis/core';
export type { SecurityContext } from '@portcullis/core';
