import type { SecurityRequest } from '@portcullis/core';
import { errors } from '../error-codes.js';

/** What an `Authorization` header brings; nothing of it has been verified. */
export interface Authorization {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
}

// RFC 6750 section 2.1, RFC 9449 section 7.1: the scheme, spaces, a token68.
const CREDENTIAL = /^(Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*) *$/i;

/**
 * The access token of a request and the scheme it came under, undefined if it has no `Authorization` header.
 * @throws E_TOKEN_INVALID (401) for a header of another scheme or form: it was meant as a credential and is none
 */
export function authorizationOf(
  req: SecurityRequest,
  schemes: readonly Authorization['scheme'][] = ['Bearer'],
): Authorization | undefined {
  // Something before us may have put anything there.
  const header: unknown = req.headers.authorization;
  if (header === undefined) return undefined;
  // The pattern is linear, but a header of a megabyte is not worth a look.
  const readable = typeof header === 'string' && header.length <= 16_384;
  const [, name, token] = (readable && CREDENTIAL.exec(header)) || [];
  const scheme = schemes.find((one) => one.toLowerCase() === name?.toLowerCase());
  if (scheme === undefined || token === undefined) {
    throw errors.E_TOKEN_INVALID({
      details: { fault: 'authorization-header' },
      headers: { 'WWW-Authenticate': schemes.map((one) => `${one} error="invalid_request"`).join(', ') },
    });
  }
  return { scheme, token };
}
