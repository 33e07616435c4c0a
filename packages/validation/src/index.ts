export { errors as validationErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
