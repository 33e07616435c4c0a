export { errors as authErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
