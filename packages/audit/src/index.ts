export { errors as auditErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
