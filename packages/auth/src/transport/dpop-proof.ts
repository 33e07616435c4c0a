import { createHash } from 'node:crypto';
import { isError, parseUrl } from '@portcullis/core';
import { algorithms, type Algorithm } from '../tokens/algorithms.js';
import { isSeconds } from '../tokens/claims.js';
import { readKeys, thumbprint, type VerifiedKey } from '../tokens/keys.js';
import { parseHeader, parseObject, parseToken } from '../tokens/parse.js';

/** Why a proof was refused; for events and logs. */
export type ProofFault =
  | 'missing'
  | 'form'
  | 'typ'
  | 'algorithm'
  | 'key'
  | 'private-key'
  | 'claims'
  | 'htm'
  | 'htu'
  | 'too-old'
  | 'from-the-future'
  | 'ath'
  | 'nonce'
  | 'other-key'
  | 'signature'
  | 'replayed';

export interface ExpectedProof {
  readonly method: string;
  /** The URL that was asked, without query. */
  readonly url: string;
  readonly algorithms: ReadonlySet<Algorithm>;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How old a proof may be, and how far its clock may be ahead; milliseconds. */
  readonly maxAge: number;
  readonly tolerance: number;
  /** The access token that comes with it; none where tokens are handed out. */
  readonly accessToken: string | undefined;
  /** Whether a nonce is one that we gave out lately; undefined where none are asked for. */
  readonly isNonce: ((nonce: string) => boolean) | undefined;
}

export interface Proof {
  /** RFC 7638 thumbprint of the sender's key, as in `cnf.jkt`. */
  readonly jkt: string;
  readonly jti: string;
  /** Until when the proof could be used again; milliseconds since 1970. */
  readonly until: number;
  /** Whether the sender holds the key. The rest has been judged before. */
  isSigned(): boolean;
}

// Private parts of any kind of key (RFC 7518 section 6).
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;

/**
 * Judges the form and content of a DPoP proof (RFC 9449 section 4.3, checks 2 to 11 and `ath`), cheap ones first; the signature is
 * left to `isSigned()`, so that a proof for another key than the token's costs none.
 */
export function readProof(text: unknown, expected: ExpectedProof): Proof | ProofFault {
  if (text === undefined) return 'missing';
  const parts = parseToken(text);
  if (typeof parts === 'string') return 'form';
  const header = parseHeader(parts.head, ['jwk']);
  if (typeof header === 'string') return 'form';
  if (header.typ !== 'dpop+jwt') return 'typ';
  const row = algorithms[header.alg];
  if (!row || !expected.algorithms.has(row.name)) return 'algorithm';
  const key = publicKey(header.all['jwk'], row.name);
  if (typeof key === 'string') return key;
  const claims = parseObject(parts.payload);
  const fault = claims ? judgeClaims(claims, expected) : 'claims';
  if (fault) return fault;
  const { jti, iat } = claims as { jti: string; iat: number };
  return {
    jkt: thumbprint(key.publicJwk!),
    jti,
    until: iat * 1000 + expected.maxAge,
    isSigned: () => row.verify(parts.signed, parts.signature, key.verifyWith),
  };
}

function judgeClaims(claims: Record<string, unknown>, expected: ExpectedProof): ProofFault | undefined {
  const { jti, htm, htu, iat, ath, nonce } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > 256 || !isSeconds(iat)) return 'claims';
  if (htm !== expected.method) return 'htm';
  if (typeof htu !== 'string' || plainUrl(htu) !== expected.url) return 'htu';
  if (iat * 1000 > expected.now + expected.tolerance) return 'from-the-future';
  if (iat * 1000 + expected.maxAge <= expected.now) return 'too-old';
  if (expected.accessToken !== undefined && ath !== hashOf(expected.accessToken)) return 'ath';
  if (expected.isNonce && !(typeof nonce === 'string' && expected.isNonce(nonce))) return 'nonce';
  return undefined;
}

function publicKey(jwk: unknown, alg: Algorithm): VerifiedKey | 'key' | 'private-key' {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'key';
  if (PRIVATE.some((name) => Object.hasOwn(jwk, name))) return 'private-key';
  const { kty, crv, x, y, n, e } = jwk as Record<string, unknown>;
  try {
    // Nothing of the sender's beyond the key itself: no use, no times, no name, and the algorithm of the header that it must fit.
    return readKeys([JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, alg }))], 'dpop').all[0]!;
  } catch (error) {
    if (isError(error)) return 'key';
    throw error;
  }
}

/** A URL in its one spelling, without query and fragment (RFC 9449 section 4.3: both are ignored). */
export function plainUrl(text: string): string | undefined {
  const url = text.length <= 4_096 ? parseUrl(text) : undefined;
  if (!url || url.username !== '' || url.password !== '') return undefined;
  return `${url.origin}${url.pathname}`;
}

/** `ath`: base64url of the SHA-256 of the token (RFC 9449 section 4.2). */
export function hashOf(accessToken: string): string {
  return createHash('sha256').update(accessToken, 'ascii').digest('base64url');
}
