export { expressjwt, type Hole, type Jwt, type JwtPayload, type Params } from './express-jwt/expressjwt.js';
export { UnauthorizedError, type UnauthorizedCode } from './express-jwt/unauthorized-error.js';
export type { SecretInput } from './express-jwt/keys.js';
export type { Handler, UnlessOptions } from './express-jwt/unless.js';
export type { SecurityContext } from '@portcullis/core';
