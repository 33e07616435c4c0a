import { parseObject } from './parse.js';
import type { TokenFault } from './token-fault.js';

/** What a verified access token says. Frozen, shared by all requests that bring the same token. */
export interface AccessClaims {
  readonly iss: string;
  readonly aud: string | readonly string[];
  /** The user. */
  readonly sub: string;
  /** Seconds since 1970, as everything in a JWT. */
  readonly exp: number;
  readonly iat?: number;
  readonly nbf?: number;
  /** The session; in tokens of `createTokens()` always. */
  readonly sid?: string;
  readonly jti?: string;
  /** The key that the sender must hold (RFC 7800): a thumbprint for DPoP (RFC 9449) or of a certificate (RFC 8705). */
  readonly cnf?: Confirmation;
  readonly [claim: string]: unknown;
}

export interface Confirmation {
  readonly jkt?: string;
  readonly 'x5t#S256'?: string;
}

export interface ExpectedClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly now: number;
  /** Milliseconds. */
  readonly tolerance: number;
}

/**
 * `iat` says when a token was made, not from when it counts (RFC 7519 section 4.1.6): one that another process has just made is good,
 * although the clock of its machine is a little ahead.
 */
const CLOCKS_APART = 5_000;

/** `iss`, `aud`, `exp` and `sub` are mandatory, the other registered claims must be what they are if they are there. */
export function readClaims(payload: Buffer, expected: ExpectedClaims): AccessClaims | TokenFault {
  const claims = parseObject(payload);
  if (!claims) return 'payload';
  const { iss, aud, sub, sid, jti, exp, iat, nbf, cnf } = claims;
  // Exact strings: an `iss` array that contains the right issuer is not the right issuer (CVE-2025-30144).
  if (iss !== expected.issuer) return 'claim-iss';
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every(isText) || !audiences.includes(expected.audience)) return 'claim-aud';
  if (!isText(sub)) return 'claim-sub';
  if (sid !== undefined && !isText(sid)) return 'claim-sid';
  if (jti !== undefined && !isText(jti)) return 'claim-jti';
  if (!isSeconds(exp)) return 'claim-exp';
  if (iat !== undefined && !hasBegun(iat, expected, CLOCKS_APART)) return 'claim-iat';
  if (nbf !== undefined && !hasBegun(nbf, expected)) return 'claim-nbf';
  if (cnf !== undefined && !isConfirmation(cnf)) return 'claim-cnf';
  if (expected.now >= exp * 1000 + expected.tolerance) return 'expired';
  return deepFreeze(claims) as AccessClaims;
}

/** Bindings that somebody here can check, and no others beside them: what is not understood cannot be held to. */
function isConfirmation(value: unknown): value is Confirmation {
  // What is no object has no member of these names.
  const bindings = Object.entries(value ?? {});
  return (
    bindings.length > 0 &&
    bindings.every(
      ([name, thumbprint]) =>
        (name === 'jkt' || name === 'x5t#S256') &&
        typeof thumbprint === 'string' &&
        /^[A-Za-z0-9_-]{43}$/.test(thumbprint),
    )
  );
}

function hasBegun(time: unknown, { now, tolerance }: ExpectedClaims, least = 0): boolean {
  return isSeconds(time) && time * 1000 <= now + Math.max(tolerance, least);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 1e11;
}

// The remembered claims reach every request with this token: none may change them for another.
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
