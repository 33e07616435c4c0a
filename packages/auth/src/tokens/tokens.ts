import jsonwebtoken from 'jsonwebtoken';
import { option, OptionError, readOptions, systemRandom, type Duration, type Random } from '@portcullis/core';
import type { VerifiedKey } from './keys.js';
import { MAX_TOKEN_LENGTH } from './parse.js';
import {
  ACCESS_TYPE,
  buildVerifier,
  verifierReaders,
  type Verifier,
  type VerifierOptions,
} from './verifier.js';

export interface TokensOptions extends Omit<VerifierOptions, 'types'> {
  /** Lifetime of an access token, 1 s to 24 h. @default '10m' */
  readonly accessTtl?: Duration;
  readonly random?: Random;
}

export interface Tokens extends Verifier {
  readonly accessTtlMs: number;
  /**
   * A signed access token for a session. `extra` claims cannot replace the registered ones. It lives for `accessTtl`, and not longer
   * than `until` (milliseconds since 1970).
   */
  issue(
    subject: { readonly userId: string; readonly sessionId: string },
    extra?: object,
    until?: number,
  ): IssuedToken;
  /** The public keys as a JWK Set (RFC 7517 section 5), those that are announced too; empty for HMAC keys. */
  jwks(): PublishedKeys;
}

export interface PublishedKeys {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: number;
}

/**
 * Makes and verifies access tokens: JWT in JWS compact form, `typ: at+jwt`. Signing is jsonwebtoken's work, except for
 * EdDSA, which it does not know; verification is a strict parser over `node:crypto`.
 * @throws OptionError, also if no private key signs now, or at some later time that the keys name
 */
export function createTokens(options: TokensOptions): Tokens {
  return createTypedTokens(options, { owner: 'createTokens', type: ACCESS_TYPE, maxTtlMs: 86_400_000 });
}

/** Tokens of one type, which are never taken for those of another. @throws OptionError */
export function createTypedTokens(
  options: TokensOptions,
  kind: { readonly owner: string; readonly type: string; readonly maxTtlMs: number },
): Tokens {
  const { owner, type, maxTtlMs } = kind;
  const values = readOptions(owner, options, {
    ...verifierReaders(owner),
    types: () => [type],
    accessTtl: option.duration({ minMs: 1_000, maxMs: maxTtlMs, default: '10m' }),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  });
  const { issuer, audience, keys, accessTtl, clock, random } = values;
  assertSigning(keys.all, clock.now());
  const { verify } = buildVerifier(values);

  return {
    accessTtlMs: accessTtl,
    verify,
    issue({ userId, sessionId }, extra = {}, until = Number.POSITIVE_INFINITY) {
      const now = clock.now();
      const iat = Math.floor(now / 1000);
      const exp = Math.floor(Math.min(iat * 1000 + accessTtl, until) / 1000);
      const registered = { iss: issuer, aud: audience, sub: userId, sid: sessionId };
      const claims = { ...extra, ...registered, jti: random.uuid(), iat, exp };
      const token = signToken(claims, type, signerAt(keys.all, now)!);
      if (token.length > MAX_TOKEN_LENGTH) {
        throw new RangeError(
          `This token has ${token.length} characters, and none of more than ${MAX_TOKEN_LENGTH} is taken: give it fewer or shorter claims.`,
        );
      }
      return { token, expiresAt: exp * 1000 };
    },
    jwks: () => ({
      keys: keys.all.flatMap(({ publicJwk, expiresAt }) =>
        publicJwk && clock.now() < expiresAt ? [publicJwk] : [],
      ),
    }),
  };
}

/** The first key that signs at this time. */
function signerAt(keys: readonly VerifiedKey[], now: number): VerifiedKey | undefined {
  return keys.find(({ signWith, signsFrom, expiresAt }) => signWith && signsFrom <= now && now < expiresAt);
}

function assertSigning(keys: readonly VerifiedKey[], now: number): void {
  const refuse = (problem: string): never => {
    throw new OptionError('E_OPTION_VALUE', 'createTokens', 'keys', problem);
  };
  if (!keys[0]!.signWith) {
    refuse(
      'keys[0] signs, so it must be a private key, with "sign" in its "key_ops" if it has any. createVerifier() works with public ones',
    );
  }
  const later = keys.flatMap(({ signsFrom, expiresAt }) => [signsFrom, expiresAt]);
  const gap = [now, ...later].find((time) => time >= now && time < Infinity && !signerAt(keys, time));
  if (gap !== undefined) {
    refuse(
      `keys holds no private key that signs at ${new Date(gap).toISOString()} ("nbf", "exp"). rotateKeys() leaves no gap`,
    );
  }
}

function signToken(claims: object, typ: string, { kid, algorithm, signWith }: VerifiedKey): string {
  if (algorithm.name !== 'EdDSA') {
    return jsonwebtoken.sign(claims, signWith!, {
      algorithm: algorithm.name,
      keyid: kid,
      header: { alg: algorithm.name, typ },
    });
  }
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: algorithm.name, typ, kid })}.${encode(claims)}`;
  return `${signed}.${algorithm.sign(Buffer.from(signed), signWith!).toString('base64url')}`;
}
