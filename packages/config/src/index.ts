export { errors as configErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
