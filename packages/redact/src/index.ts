export { errors as redactErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
