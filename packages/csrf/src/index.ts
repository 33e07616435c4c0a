export { errors as csrfErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
