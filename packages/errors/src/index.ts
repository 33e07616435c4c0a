export { errors as errorsErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
