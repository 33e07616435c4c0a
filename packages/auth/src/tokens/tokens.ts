import jsonwebtoken from 'jsonwebtoken';
import {
  hasCode,
  option,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  type Clock,
  type Duration,
  type OptionValues,
  type Random,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { readKeys, type KeysInput, type VerifiedKey } from './keys.js';
import { parseObject } from './parse.js';
import { verifyJws, type TokenFault } from './verify-jws.js';

export interface VerifierOptions {
  /** Who makes the tokens: the exact value of `iss`. */
  readonly issuer: string;
  /** For whom they are: one of the values of `aud` must be exactly this. */
  readonly audience: string;
  readonly keys: KeysInput;
  /**
   * How far clocks may differ when `exp`, `nbf` and `iat` are judged. At most 60 s. @default 0 (one clock makes and
   * verifies)
   */
  readonly clockTolerance?: Duration;
  /** Verified tokens remembered, so that a repeated one costs no signature check. 0 to 1,000,000. @default 5000 */
  readonly cacheSize?: number;
  readonly clock?: Clock;
}

export interface TokensOptions extends VerifierOptions {
  /** Lifetime of an access token, 1 s to 24 h. @default '10m' */
  readonly accessTtl?: Duration;
  readonly random?: Random;
}

/** What a verified access token says. Frozen, shared by all requests that bring the same token. */
export interface AccessClaims {
  readonly iss: string;
  readonly aud: string | readonly string[];
  /** The user. */
  readonly sub: string;
  /** The session. */
  readonly sid: string;
  readonly jti: string;
  /** Seconds since 1970, as everything in a JWT. */
  readonly iat: number;
  readonly exp: number;
  readonly [claim: string]: unknown;
}

export interface Verifier {
  /**
   * Form, signature, `typ` (`at+jwt`), `iss`, `aud`, `exp`, `iat`, `nbf`, `sub`, `sid`, `jti`. Whether the session still
   * lives is another question: ask `sessions.check()`.
   * @throws E_TOKEN_INVALID | E_TOKEN_EXPIRED (401)
   */
  verify(token: unknown): AccessClaims;
}

export interface Tokens extends Verifier {
  readonly accessTtlMs: number;
  /** A signed access token for a session. `extra` claims cannot replace the registered ones. */
  issue(subject: { readonly userId: string; readonly sessionId: string }, extra?: object): IssuedToken;
  /** The public keys as a JWK Set (RFC 7517 section 5); empty for HMAC keys. */
  jwks(): { readonly keys: readonly Readonly<Record<string, unknown>>[] };
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: number;
}

/** RFC 9068 section 2.1: keeps refresh, reset and ID tokens from being taken for access tokens. */
export const ACCESS_TYPE = 'at+jwt';

const readersFor = (owner: string) => ({
  issuer: option.string({ max: 512 }),
  audience: option.string({ max: 512 }),
  keys: (value: unknown) => readKeys(value, owner),
  clockTolerance: option.duration({ maxMs: 60_000, default: 0 }),
  cacheSize: option.integer({ min: 0, max: 1_000_000, default: 5_000 }),
  clock: option.port<Clock>(['now', 'monotonic'], systemClock),
});
type VerifierValues = OptionValues<ReturnType<typeof readersFor>>;

/**
 * Verifies access tokens only; public keys are enough.
 * @throws OptionError
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return buildVerifier(readOptions('createVerifier', options, readersFor('createVerifier')));
}

function buildVerifier(values: VerifierValues): Verifier {
  const { issuer, audience, keys, clockTolerance, cacheSize, clock } = values;
  const cache = new Map<string, AccessClaims>();

  function remember(token: string, claims: AccessClaims): void {
    if (cacheSize === 0) return;
    // A Map keeps the order of insertion: the first key is the oldest.
    if (cache.size >= cacheSize) cache.delete(cache.keys().next().value!);
    cache.set(token, claims);
  }

  return {
    verify(token) {
      const now = clock.now();
      const known = typeof token === 'string' ? cache.get(token) : undefined;
      if (known) {
        if (isCurrent(known, now, clockTolerance)) return known;
        cache.delete(token as string);
      }
      const result = verifyJws(token, keys);
      if (typeof result === 'string') throw invalid(result);
      const { header, payload } = result.parsed;
      // RFC 9068 section 4: compared without regard to case, with or without the media type's prefix.
      if (header.typ?.toLowerCase().replace(/^application\//, '') !== ACCESS_TYPE) throw invalid('typ');
      const claims = readClaims(payload, { issuer, audience, now, tolerance: clockTolerance });
      if (typeof claims === 'string') throw claims === 'expired' ? expired() : invalid(claims);
      remember(token as string, claims);
      return claims;
    },
  };
}

/**
 * Makes and verifies access tokens: JWT in JWS compact form, `typ: at+jwt`. Signing is jsonwebtoken's work, except for
 * EdDSA, which it does not know; verification is a strict parser over `node:crypto`.
 * @throws OptionError, also if the first key is not private
 */
export function createTokens(options: TokensOptions): Tokens {
  const values = readOptions('createTokens', options, {
    ...readersFor('createTokens'),
    accessTtl: option.duration({ minMs: 1_000, maxMs: 86_400_000, default: '10m' }),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  });
  const { issuer, audience, keys, accessTtl, clock, random } = values;
  const signer = keys.all[0]!;
  if (!signer.signWith) {
    throw new OptionError(
      'E_OPTION_VALUE',
      'createTokens',
      'keys[0]',
      'keys[0] signs, so it must be a private key. createVerifier() works with public ones',
    );
  }
  const { verify } = buildVerifier(values);

  return {
    accessTtlMs: accessTtl,
    verify,
    issue({ userId, sessionId }, extra = {}) {
      const iat = Math.floor(clock.now() / 1000);
      const exp = iat + Math.floor(accessTtl / 1000);
      const registered = { iss: issuer, aud: audience, sub: userId, sid: sessionId };
      const claims = { ...extra, ...registered, jti: random.uuid(), iat, exp };
      return { token: signToken(claims, signer), expiresAt: exp * 1000 };
    },
    jwks: () => ({ keys: keys.all.flatMap((key) => (key.publicJwk ? [key.publicJwk] : [])) }),
  };
}

function signToken(claims: object, { kid, algorithm, signWith }: VerifiedKey): string {
  if (algorithm.name !== 'EdDSA') {
    return jsonwebtoken.sign(claims, signWith!, {
      algorithm: algorithm.name,
      keyid: kid,
      header: { alg: algorithm.name, typ: ACCESS_TYPE },
    });
  }
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: algorithm.name, typ: ACCESS_TYPE, kid })}.${encode(claims)}`;
  return `${signed}.${algorithm.sign(Buffer.from(signed), signWith!).toString('base64url')}`;
}

interface Expected {
  readonly issuer: string;
  readonly audience: string;
  readonly now: number;
  readonly tolerance: number;
}

function readClaims(payload: Buffer, expected: Expected): AccessClaims | TokenFault {
  const claims = parseObject(payload);
  if (!claims) return 'payload';
  const { iss, aud, sub, sid, jti, exp, iat, nbf } = claims;
  // Exact strings: an `iss` array that contains the right issuer is not the right issuer (CVE-2025-30144).
  if (iss !== expected.issuer) return 'claim-iss';
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(expected.audience)) return 'claim-aud';
  if (typeof sub !== 'string' || sub === '') return 'claim-sub';
  if (typeof sid !== 'string' || sid === '') return 'claim-sid';
  if (typeof jti !== 'string' || jti === '') return 'claim-jti';
  if (!isSeconds(exp)) return 'claim-exp';
  if (!isSeconds(iat) || iat * 1000 > expected.now + expected.tolerance) return 'claim-iat';
  if (nbf !== undefined && (!isSeconds(nbf) || nbf * 1000 > expected.now + expected.tolerance))
    return 'claim-nbf';
  const frozen = deepFreeze(claims) as AccessClaims;
  return isCurrent(frozen, expected.now, expected.tolerance) ? frozen : 'expired';
}

function isCurrent(claims: AccessClaims, now: number, tolerance: number): boolean {
  return now < claims.exp * 1000 + tolerance;
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value < 1e11;
}

// The cached claims reach every request with this token: none may change them for another.
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

// RFC 6750 section 3.1: expired and otherwise invalid tokens share the code; only our own code tells them apart.
const challenge = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };

function invalid(fault: TokenFault): Error {
  return errors.E_TOKEN_INVALID({ details: { fault }, headers: challenge });
}

function expired(): Error {
  return errors.E_TOKEN_EXPIRED({ headers: challenge });
}

/** The reason behind an E_TOKEN_INVALID, for events. */
export function faultOf(error: unknown): string {
  if (hasCode(error, 'E_TOKEN_INVALID')) {
    const details = (error as { details?: { fault?: unknown } }).details;
    if (typeof details?.fault === 'string') return details.fault;
  }
  return hasCode(error, 'E_TOKEN_EXPIRED') ? 'expired' : 'refused';
}
