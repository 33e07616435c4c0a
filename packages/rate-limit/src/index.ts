export { rateLimit, type RateLimitMiddleware, type RateLimitOptions } from './rate-limit.js';
export { bodyField, type KeyFunction, type LimitBy } from './keys.js';
export { memoryWindows, type MemoryWindowsOptions } from './memory-windows.js';
export type { WindowCounter, WindowHits, WindowPolicy, WindowStore } from './window-store.js';
export type { LimitState } from './augment.js';
export { context, type ContextOptions } from '@portcullis/core';
export { errors as rateLimitErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
