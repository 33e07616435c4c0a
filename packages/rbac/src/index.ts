export { errors as rbacErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
