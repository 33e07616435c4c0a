import { isSecurityError, type SecurityRequest, type SecurityResponse } from '@portcullis/core';
import { errors } from '../error-codes.js';
import { refusalOf } from '../tokens/token-errors.js';
import type { AccessClaims } from '../tokens/claims.js';
import type { Authorization } from './authorization.js';
import type { Dpop } from './dpop.js';
import type { MutualTls } from './mutual-tls.js';

/** How the sender of a token can show to be the one it was given to. */
export interface SenderConstraints {
  readonly dpop: Dpop | undefined;
  readonly mutualTls: MutualTls | undefined;
}

/** The schemes that a request may bring a token under. */
export function schemesOf({ dpop }: SenderConstraints): readonly Authorization['scheme'][] {
  return dpop ? ['Bearer', 'DPoP'] : ['Bearer'];
}

/** What `WWW-Authenticate` offers to a request without credential. */
export function challengeOf({ dpop }: SenderConstraints): string {
  if (!dpop) return 'Bearer';
  return dpop.required ? dpop.challenge : `Bearer, ${dpop.challenge}`;
}

/**
 * Whoever brings a token that is bound to a key (RFC 7800) must hold that key, and a token that is bound to none must not come as
 * if it were. Every binding that the token names counts.
 * @throws E_TOKEN_INVALID | E_DPOP_PROOF_INVALID | E_DPOP_NONCE (401), what the replay store throws (503)
 */
export async function assertSender(
  claims: AccessClaims,
  { scheme, token }: Authorization,
  exchange: { readonly req: SecurityRequest; readonly res: SecurityResponse },
  { dpop, mutualTls }: SenderConstraints,
): Promise<void> {
  const { jkt, 'x5t#S256': certificate } = claims.cnf ?? {};
  // Downgrade (RFC 9449 section 7.2): bound to a key, and brought as if it were not; or the other way round.
  if ((jkt !== undefined) !== (scheme === 'DPoP')) throw refusalOf('claim-cnf');
  if ((dpop?.required && jkt === undefined) || (mutualTls?.required && certificate === undefined))
    throw refusalOf('claim-cnf');
  if (certificate !== undefined && mutualTls?.thumbprintOf(exchange.req) !== certificate)
    throw refusalOf('claim-cnf');
  if (jkt !== undefined) {
    if (!dpop) throw refusalOf('claim-cnf');
    await dpop.prove(exchange.req, exchange.res, { token, jkt });
  }
}

/** The same refusal with a challenge of the scheme that the token came under, and the offer of DPoP (RFC 9449 section 7.1). */
export function rechallenge(
  error: unknown,
  credential: Authorization | undefined,
  { dpop }: SenderConstraints,
): unknown {
  if (!credential || !dpop || !isSecurityError(error)) return error;
  const { code, details } = error;
  if (code !== 'E_TOKEN_INVALID' && code !== 'E_TOKEN_EXPIRED' && code !== 'E_SESSION_ENDED') return error;
  const offer =
    credential.scheme === 'DPoP' || dpop.required
      ? `${dpop.challenge}, error="invalid_token"`
      : `Bearer error="invalid_token", ${dpop.challenge}`;
  return errors[code]({ details, cause: error, headers: { 'WWW-Authenticate': offer } });
}
