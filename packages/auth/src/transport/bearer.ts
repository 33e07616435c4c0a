import type { SecurityRequest } from '@portcullis/core';
import { errors } from '../error-codes.js';

// RFC 6750 section 2.1: the scheme, spaces, a b64token.
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/**
 * The bearer token of a request, undefined if it has no `Authorization` header.
 * @throws E_TOKEN_INVALID (401) for a header of another scheme or form: it was meant as a credential and is none
 */
export function bearerToken(req: SecurityRequest): string | undefined {
  // Something before us may have put anything there.
  const header: unknown = req.headers.authorization;
  if (header === undefined) return undefined;
  // The pattern is linear, but a header of a megabyte is not worth a look.
  const readable = typeof header === 'string' && header.length <= 16_384;
  const token = readable ? BEARER.exec(header)?.[1] : undefined;
  if (token === undefined) {
    throw errors.E_TOKEN_INVALID({
      details: { fault: 'authorization-header' },
      headers: { 'WWW-Authenticate': 'Bearer error="invalid_request"' },
    });
  }
  return token;
}
