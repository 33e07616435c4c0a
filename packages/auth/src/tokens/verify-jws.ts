import type { KeySet, VerifiedKey } from './keys.js';
import { parseToken, type ParsedToken } from './parse.js';

/** Why a token was refused; for events and logs, never for the client. */
export type TokenFault =
  | 'not-a-token'
  | 'too-long'
  | 'segments'
  | 'encoding'
  | 'header'
  | 'header-parameter'
  | 'unknown-key'
  | 'algorithm'
  | 'signature'
  | 'typ'
  | 'payload'
  | 'claim-iss'
  | 'claim-aud'
  | 'claim-sub'
  | 'claim-exp'
  | 'claim-iat'
  | 'claim-nbf'
  | 'claim-sid'
  | 'claim-jti'
  | 'expired';

/**
 * Form and signature of a JWS (RFC 7515), nothing about its content. The key is the one that `kid` names, the
 * algorithm is that key's only one; the header's `alg` has no say, it must merely agree.
 */
export function verifyJws(
  token: unknown,
  keys: KeySet,
): { readonly parsed: ParsedToken; readonly key: VerifiedKey } | TokenFault {
  const parsed = parseToken(token);
  if (typeof parsed === 'string') return parsed as TokenFault;
  const key = keys.find(parsed.header.kid);
  if (!key) return 'unknown-key';
  if (parsed.header.alg !== key.algorithm.name) return 'algorithm';
  if (!key.algorithm.verify(parsed.signed, parsed.signature, key.verifyWith)) return 'signature';
  return { parsed, key };
}
