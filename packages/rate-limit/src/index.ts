export { rateLimit, rateLimits, type RateLimitMiddleware } from './rate-limit.js';
export type { LimitOptions, RateLimitOptions, SharedLimitOptions } from './options.js';
export type { BanOptions, BanRule } from './ban.js';
export type { HeaderStyle } from './header-fields.js';
export { policies } from './policies.js';
export { bodyField, type KeyFunction, type LimitBy, type NamedKey } from './keys.js';
export { memoryLimits, type MemoryLimitsOptions } from './memory-limits.js';
export type {
  LimitStore,
  Meters,
  MetersPolicy,
  WindowCounter,
  WindowHits,
  WindowPolicy,
} from './limit-store.js';
export type { Charge, Meter, RateMeter, Reading, WindowMeter } from './meter.js';
export { shedLoad, type ShedLoadOptions, type Priority } from './shed-load.js';
export type { LimitState } from './augment.js';
export { context, identify, type ContextOptions } from '@portcullis/core';
export { errors as rateLimitErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
