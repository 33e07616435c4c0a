export { errors as headersErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
