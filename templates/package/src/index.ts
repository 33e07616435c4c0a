export { errors as __camel__Errors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
