import {
  option,
  readOptions,
  systemClock,
  type Clock,
  type Duration,
  type OptionValues,
} from '@portcullis/core';
import { readClaims, type AccessClaims } from './claims.js';
import { readKeys, type KeysInput } from './keys.js';
import { plainType } from './parse.js';
import { refusalOf } from './token-errors.js';
import { createJwsVerifier } from './verify-jws.js';

export interface VerifierOptions {
  /** Who makes the tokens: the exact value of `iss`. */
  readonly issuer: string;
  /** For whom they are: one of the values of `aud` must be exactly this. */
  readonly audience: string;
  readonly keys: KeysInput;
  /**
   * Values of the header's `typ` that are taken, without regard to case. Issuers that predate RFC 9068 write `JWT`; a
   * token of another purpose by the same issuer may then pass for an access token. @default ['at+jwt']
   */
  readonly types?: readonly string[];
  /** How far clocks may differ when `exp`, `nbf` and `iat` are judged; `iat` always by 5 s. At most 60 s. @default 0 */
  readonly clockTolerance?: Duration;
  /** Verified tokens remembered, so that a repeated one costs no signature check. 0 to 1,000,000. @default 5000 */
  readonly cacheSize?: number;
  readonly clock?: Clock;
}

export interface Verifier {
  /**
   * Form, signature, `typ`, `iss`, `aud`, `exp`, `sub`; `iat`, `nbf`, `sid`, `jti` if they are there. A token that is bound to a key
   * (`cnf`: DPoP, mutual TLS) is refused: it is no bearer token. Whether the session still lives is another question: ask `sessions.check()`.
   * @throws E_TOKEN_INVALID | E_TOKEN_EXPIRED (401)
   */
  verify(token: unknown, options?: VerifyOptions): AccessClaims;
}

export interface VerifyOptions {
  /** Take bound tokens too: the caller makes sure that the sender holds the key that `cnf` names. @default false */
  readonly bound?: boolean;
}

/** RFC 9068 section 2.1: keeps refresh, reset and ID tokens from being taken for access tokens. */
export const ACCESS_TYPE = 'at+jwt';

export const verifierReaders = (owner: string) => ({
  issuer: option.string({ max: 512 }),
  audience: option.string({ max: 512 }),
  keys: (value: unknown) => readKeys(value, owner),
  types: option.array(option.string({ max: 64 }), { min: 1, max: 8, default: [ACCESS_TYPE] }),
  clockTolerance: option.duration({ maxMs: 60_000, default: 0 }),
  cacheSize: option.integer({ min: 0, max: 1_000_000, default: 5_000 }),
  clock: option.port<Clock>(['now', 'monotonic'], systemClock),
});
export type VerifierValues = OptionValues<ReturnType<typeof verifierReaders>>;

/**
 * Verifies access tokens only; public keys are enough.
 * @throws OptionError
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { verify } = buildVerifier(readOptions('createVerifier', options, verifierReaders('createVerifier')));
  return { verify };
}

export interface BuiltVerifier extends Verifier {
  /** The claims of a token that was verified before and is still good. */
  recall(token: string): AccessClaims | undefined;
}

export function buildVerifier(values: VerifierValues): BuiltVerifier {
  const { issuer, audience, keys, clockTolerance: tolerance, cacheSize, clock } = values;
  const types = new Set(values.types.map(plainType));
  const verifyJws = createJwsVerifier(keys);
  const remembered = new Map<string, { readonly claims: AccessClaims; readonly until: number }>();

  function remember(token: string, claims: AccessClaims, until: number): void {
    if (cacheSize === 0) return;
    // A Map keeps the order of insertion: the first key is the oldest.
    if (remembered.size >= cacheSize) remembered.delete(remembered.keys().next().value!);
    remembered.set(token, { claims, until });
  }

  function recall(token: string, now = clock.now()): AccessClaims | undefined {
    const known = remembered.get(token);
    if (!known) return undefined;
    if (now < known.until) return known.claims;
    remembered.delete(token);
    return undefined;
  }

  return {
    recall: (token) => recall(token),
    verify(token, { bound = false } = UNBOUND) {
      const now = clock.now();
      const known = recall(token as string, now);
      if (known) return known.cnf === undefined || bound ? known : refuseBound();
      const result = verifyJws(token, now);
      if (typeof result === 'string') throw refusalOf(result);
      const { header, key, payload } = result;
      if (header.typ === undefined || !types.has(header.typ)) throw refusalOf('typ');
      const claims = readClaims(payload, { issuer, audience, now, tolerance });
      if (typeof claims === 'string') throw refusalOf(claims);
      remember(token as string, claims, Math.min(claims.exp * 1000 + tolerance, key.expiresAt));
      return claims.cnf === undefined || bound ? claims : refuseBound();
    },
  };
}

const UNBOUND: VerifyOptions = Object.freeze({});

function refuseBound(): never {
  throw refusalOf('claim-cnf');
}
