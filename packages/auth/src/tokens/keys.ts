import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  KeyObject,
  type JsonWebKey,
} from 'node:crypto';
import { OptionError, Secret } from '@portcullis/core';
import { algorithms, type Algorithm, type AlgorithmRow } from './algorithms.js';
import { decodeCanonical } from './base64url.js';
import { isSeconds } from './claims.js';
import { looksLikeRoca } from './roca.js';

const KEY_TEXT =
  'is the text of a public key or certificate, used as an HMAC secret. Give a private JWK, such as generateKeys() makes';

/** A key as a JWK (RFC 7517). `alg` may be left out where the curve tells it (EC, Ed25519). */
export interface JwkInput {
  readonly kty: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly use?: string;
  readonly key_ops?: readonly string[];
  readonly crv?: string;
  readonly k?: string;
  readonly n?: string;
  readonly e?: string;
  readonly d?: string;
  readonly x?: string;
  readonly y?: string;
  /** Seconds since 1970 from which it signs; it verifies and is published before. See `rotateKeys()`. */
  readonly nbf?: number;
  /** Seconds since 1970 from which it neither signs nor verifies. */
  readonly exp?: number;
}

/** A key that Node has already read, with what it may be used for. */
export interface KeyObjectInput {
  readonly key: KeyObject;
  readonly alg: Algorithm;
  readonly kid: string;
}

/** The first key signs, all verify. A JWK Set, its JSON text (also as {@link Secret}), or a list of keys. */
export type KeysInput =
  string | Secret<string> | { readonly keys: readonly JwkInput[] } | readonly (JwkInput | KeyObjectInput)[];

/** A key that has been checked once and is only ever used with its own algorithm. */
export interface VerifiedKey {
  readonly kid: string;
  readonly algorithm: AlgorithmRow;
  readonly verifyWith: KeyObject;
  /** Absent for a key that only verifies. */
  readonly signWith: KeyObject | undefined;
  /** Milliseconds since 1970. */
  readonly signsFrom: number;
  readonly expiresAt: number;
  /** What may be published; undefined for HMAC. */
  readonly publicJwk: Readonly<Record<string, unknown>> | undefined;
}

export interface KeySet {
  readonly all: readonly VerifiedKey[];
  /** The key a header names. Without `kid` only a set of one key has an answer. */
  find(kid: string | undefined): VerifiedKey | undefined;
}

const MIN_RSA_BITS = 2048;
const MAX_KEYS = 32;

/**
 * Reads a key set completely, once. Refused: an unknown or missing `alg`, a key that does not fit its `alg` (type or
 * curve), HMAC keys shorter than the hash (RFC 7518 section 3.2) or that are PEM, JWK or certificate text, RSA under
 * 2048 bits, with a public exponent of 65,535 or less (FIPS 186-5) or with the ROCA weakness, `use` other than `sig`,
 * `key_ops` without `sign` or `verify`, times (`nbf`, `exp`) that are none, two keys with one `kid`, HMAC keys mixed with others.
 * @throws OptionError
 */
export function readKeys(input: unknown, owner: string, path = 'keys'): KeySet {
  const items = listOf(input, owner, path);
  if (items.length === 0 || items.length > MAX_KEYS) {
    throw new OptionError('E_OPTION_RANGE', owner, path, `${path} must hold 1 to ${MAX_KEYS} keys`);
  }
  const all = items.map((item, i) => readKey(item, refusal(owner, `${path}[${i}]`)));
  const byKid = new Map<string, VerifiedKey>();
  for (const key of all) {
    if (byKid.has(key.kid)) refusal(owner, path)(`has two keys with the kid ${JSON.stringify(key.kid)}`);
    byKid.set(key.kid, key);
  }
  const symmetric = all.filter((key) => key.algorithm.kty === 'oct').length;
  if (symmetric > 0 && symmetric < all.length) {
    refusal(
      owner,
      path,
    )('mixes HMAC keys with public keys: that is how algorithm confusion begins. Use one kind');
  }
  return Object.freeze({
    all: Object.freeze(all),
    find: (kid: string | undefined) =>
      kid === undefined ? (all.length === 1 ? all[0] : undefined) : byKid.get(kid),
  });
}

type Refuse = (problem: string) => never;

function refusal(owner: string, path: string): Refuse {
  return (problem) => {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} ${problem}`);
  };
}

function listOf(input: unknown, owner: string, path: string): readonly unknown[] {
  let value: unknown = Secret.is(input) ? input.reveal() : input;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      return refusal(owner, path)('is text, but not the JSON of a JWK Set. generateKeys() makes one');
    }
  }
  if (Array.isArray(value)) return value as unknown[];
  if (isRecord(value) && Array.isArray(value['keys'])) return value['keys'] as unknown[];
  if (isRecord(value) && typeof value['kty'] === 'string') return [value];
  throw new OptionError(
    value === undefined ? 'E_OPTION_REQUIRED' : 'E_OPTION_TYPE',
    owner,
    path,
    `${path} must be a JWK Set ({ keys: [...] }), its JSON text, or a list of keys. generateKeys() makes one`,
  );
}

function readKey(item: unknown, refuse: Refuse): VerifiedKey {
  if (!isRecord(item)) return refuse('must be a JWK object or { key: KeyObject, alg, kid }');
  return Object.hasOwn(item, 'key') ? fromKeyObject(item, refuse) : fromJwk(item, refuse);
}

function fromKeyObject(item: Record<string, unknown>, refuse: Refuse): VerifiedKey {
  const { key, alg, kid } = item;
  if (!(key instanceof KeyObject)) {
    return refuse(
      'must hold a KeyObject under "key": strings and buffers are not taken, because their kind is a guess',
    );
  }
  if (typeof kid !== 'string' || kid === '') return refuse('needs a "kid"');
  const row = typeof alg === 'string' ? algorithms[alg] : undefined;
  if (!row) return refuse('needs an "alg" out of HS, RS, PS, ES (256, 384, 512) or EdDSA');
  return checked(kid, row, key, refuse);
}

function fromJwk(jwk: Record<string, unknown>, refuse: Refuse): VerifiedKey {
  const row = algorithmOf(jwk);
  if (!row)
    return refuse('needs an "alg" out of HS, RS, PS, ES (256, 384, 512) or EdDSA that fits its curve');
  if (jwk['kty'] !== row.kty)
    return refuse(`has kty ${JSON.stringify(jwk['kty'])}, which does not fit ${row.name}`);
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return refuse('has a "use" other than "sig"');
  const ops = jwk['key_ops'];
  if (ops !== undefined && !(Array.isArray(ops) && (ops.includes('sign') || ops.includes('verify')))) {
    return refuse('has "key_ops" without "sign" or "verify"');
  }
  const kid = jwk['kid'] ?? thumbprint(jwk);
  if (typeof kid !== 'string' || kid === '') return refuse('has an empty "kid"');
  const window = {
    signsFrom: timeOf(jwk, 'nbf', Number.NEGATIVE_INFINITY, refuse),
    expiresAt: timeOf(jwk, 'exp', Number.POSITIVE_INFINITY, refuse),
  };
  if (window.signsFrom >= window.expiresAt) return refuse('has an "exp" that is not after its "nbf"');
  const key = checked(kid, row, importJwk(jwk, row, refuse), refuse, window);
  // RFC 7517 section 4.3: a key that may only verify does not sign, although it could.
  return ops === undefined || ops.includes('sign') ? key : Object.freeze({ ...key, signWith: undefined });
}

/** `nbf` and `exp` of a key, as OpenID Federation 1.0 section 8.7.2 names them, in milliseconds. */
function timeOf(jwk: Record<string, unknown>, name: 'nbf' | 'exp', absent: number, refuse: Refuse): number {
  const value = jwk[name];
  if (value === undefined) return absent;
  return isSeconds(value) ? value * 1000 : refuse(`needs seconds since 1970 as "${name}", or none`);
}

function algorithmOf(jwk: Record<string, unknown>): AlgorithmRow | undefined {
  if (typeof jwk['alg'] === 'string') return algorithms[jwk['alg']];
  if (jwk['alg'] !== undefined || typeof jwk['crv'] !== 'string') return undefined;
  return Object.values(algorithms).find((row) => row.crv === jwk['crv']);
}

function importJwk(jwk: Record<string, unknown>, row: AlgorithmRow, refuse: Refuse): KeyObject {
  if (row.kty === 'oct') {
    const bytes = typeof jwk['k'] === 'string' ? decodeCanonical(jwk['k']) : undefined;
    return bytes ? createSecretKey(bytes) : refuse('needs "k" in base64url');
  }
  try {
    const source = { key: jwk as JsonWebKey, format: 'jwk' as const };
    if (jwk['d'] === undefined) return createPublicKey(source);
    const key = createPrivateKey(source);
    // A private JWK carries its public half too; one that does not belong to it would sign what nobody can verify.
    const probe = Buffer.from('portcullis');
    if (!row.verify(probe, row.sign(probe, key), createPublicKey({ key: publicPart(jwk), format: 'jwk' }))) {
      return refuse('has a public part that does not belong to its private part');
    }
    return key;
  } catch (error) {
    if (error instanceof OptionError) throw error;
    return refuse(`is not a valid ${row.kty} key`);
  }
}

type Window = Pick<VerifiedKey, 'signsFrom' | 'expiresAt'>;
const ALWAYS: Window = { signsFrom: Number.NEGATIVE_INFINITY, expiresAt: Number.POSITIVE_INFINITY };

function checked(
  kid: string,
  row: AlgorithmRow,
  key: KeyObject,
  refuse: Refuse,
  window: Window = ALWAYS,
): VerifiedKey {
  if (row.kty === 'oct') {
    if (key.type !== 'secret') return refuse(`must be a secret key for ${row.name}`);
    const bytes = key.export();
    if (isKeyText(bytes)) return refuse(KEY_TEXT);
    if (bytes.length < row.minKeyBytes!) {
      return refuse(`must have at least ${row.minKeyBytes} bytes for ${row.name} (RFC 7518 section 3.2)`);
    }
    return Object.freeze({
      ...window,
      kid,
      algorithm: row,
      verifyWith: key,
      signWith: key,
      publicJwk: undefined,
    });
  }
  checkKind(row, key, refuse);
  const verifyWith = key.type === 'private' ? createPublicKey(key) : key;
  const jwk = verifyWith.export({ format: 'jwk' });
  if (row.kty === 'RSA' && looksLikeRoca(jwk.n!))
    return refuse('comes from a faulty generator (CVE-2017-15361)');
  const { expiresAt } = window;
  return Object.freeze({
    ...window,
    kid,
    algorithm: row,
    verifyWith,
    signWith: key.type === 'private' ? key : undefined,
    publicJwk: Object.freeze({
      ...jwk,
      kid,
      alg: row.name,
      use: 'sig',
      ...(expiresAt === Infinity ? {} : { exp: expiresAt / 1000 }),
    }),
  });
}

function checkKind(row: AlgorithmRow, key: KeyObject, refuse: Refuse): void {
  const details = key.asymmetricKeyDetails ?? {};
  // An `rsa-pss` key is bound to parameters of its own; DSA and X25519 cannot sign here at all.
  const kind = { RSA: 'rsa', EC: 'ec', OKP: 'ed25519', oct: '' }[row.kty];
  if (key.asymmetricKeyType !== kind)
    refuse(`is a key of type ${key.asymmetricKeyType ?? key.type}, which does not fit ${row.name}`);
  if (details.namedCurve !== row.namedCurve) refuse(`must be on the curve ${row.crv} for ${row.name}`);
  if (row.kty === 'RSA') {
    if ((details.modulusLength ?? 0) < MIN_RSA_BITS) refuse(`must have at least ${MIN_RSA_BITS} bits`);
    if ((details.publicExponent ?? 0n) < 65_537n) refuse('must have a public exponent of at least 65537');
  }
}

// CVE-2023-48223 and its successors: whatever precedes the header, such text is public and no secret. Nor is a public key
// without its header, in DER or in the base64 of it.
function isKeyText(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  if (/-----BEGIN |"kty"|"keys"|^\s*(?:ssh-|ecdsa-)/.test(text)) return true;
  return isDer(bytes) || (/^[A-Za-z0-9+/_=\s-]+$/.test(text) && isDer(Buffer.from(text, 'base64')));
}

function isDer(bytes: Buffer): boolean {
  return (['spki', 'pkcs1'] as const).some((type) => {
    try {
      return createPublicKey({ key: bytes, format: 'der', type }).type === 'public';
    } catch {
      return false;
    }
  });
}

function publicPart(jwk: Record<string, unknown>): JsonWebKey {
  const { kty, crv, x, y, n, e } = jwk;
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as JsonWebKey;
}

/** RFC 7638, so that a key without a name always gets the same one. */
export function thumbprint(jwk: object): string {
  const { crv, e, k, kty, n, x, y } = jwk as Record<string, unknown>;
  // Members in lexicographic order; JSON leaves out the absent ones. A secret is named by its hash only.
  return createHash('sha256').update(JSON.stringify({ crv, e, k, kty, n, x, y })).digest('base64url');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
