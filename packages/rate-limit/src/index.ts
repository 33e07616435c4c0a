export { errors as rateLimitErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
