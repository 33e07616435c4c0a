import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import {
  option,
  OptionError,
  readOptions,
  Secret,
  systemClock,
  type Clock,
  type Duration,
} from '@portcullis/core';
import { algorithms, type Algorithm, type AlgorithmRow } from './algorithms.js';
import { readKeys, thumbprint, type JwkInput } from './keys.js';

/**
 * A new private key set for the first start, to be kept where secrets are kept (a file of mode 0600, a secret
 * manager), never in the repository. `rotateKeys()` makes the next one.
 * @throws OptionError for an unknown algorithm
 */
export function generateKeys(alg: Algorithm = 'EdDSA'): { readonly keys: readonly JwkInput[] } {
  const row = algorithms[alg];
  if (!row) {
    const problem = `there is no algorithm ${JSON.stringify(alg)}`;
    throw new OptionError('E_OPTION_VALUE', 'generateKeys', 'alg', problem);
  }
  const jwk =
    row.kty === 'oct'
      ? { kty: 'oct', k: randomBytes(row.minKeyBytes!).toString('base64url') }
      : (generatePair(row).export({ format: 'jwk' }) as JwkInput);
  return { keys: [{ ...jwk, alg, use: 'sig', kid: thumbprint(jwk) }] };
}

export interface RotateKeysOptions {
  /** Of the new key. @default that of the key that signs now */
  readonly alg?: Algorithm;
  /**
   * How long the new key is published and verifies before it signs: as long as other processes take to start with the new set,
   * and other services to read `jwks.json` again (it says 5 minutes). 0 to 30 d. @default '15m'
   */
  readonly announce?: Duration;
  /** How long the keys before it verify after that; at least the lifetime of an access token. 1 s to 90 d. @default '24h' */
  readonly overlap?: Duration;
  readonly clock?: Clock;
}

/**
 * The next private key set: a new key first, that signs after `announce`; the keys of `current`, that end `overlap` later; without
 * those that have ended. It is a value: keep it where the old one was, and start the processes again in any order. All of them
 * verify what any of them signs, as long as the last one is started within `announce`.
 * @throws OptionError
 */
export function rotateKeys(
  current: string | Secret<string> | { readonly keys: readonly JwkInput[] },
  options: RotateKeysOptions = {},
): { readonly keys: readonly JwkInput[] } {
  const { announce, overlap, alg, clock } = readOptions('rotateKeys', options, {
    alg: option.optional(option.oneOf(Object.keys(algorithms) as Algorithm[])),
    announce: option.duration({ maxMs: 30 * 86_400_000, default: '15m' }),
    overlap: option.duration({ minMs: 1_000, maxMs: 90 * 86_400_000, default: '24h' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  });
  const read = readKeys(current, 'rotateKeys', 'current');
  const text: unknown = Secret.is(current) ? current.reveal() : current;
  const jwks = (typeof text === 'string' ? JSON.parse(text) : text) as { readonly keys: readonly JwkInput[] };
  const now = Math.floor(clock.now() / 1000);
  const [nbf, exp] = [now + Math.ceil(announce / 1000), now + Math.ceil((announce + overlap) / 1000)];
  const [next] = generateKeys(alg ?? read.all[0]!.algorithm.name).keys;
  // A key without a name gets the one that it had: tokens already carry it.
  const kept = jwks.keys
    .map((key, i) => ({ ...key, kid: read.all[i]!.kid, exp: Math.min(key.exp ?? exp, exp) }))
    .filter((key) => key.exp > now);
  return { keys: [{ ...next!, nbf }, ...kept] };
}

function generatePair(row: AlgorithmRow): KeyObject {
  if (row.kty === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey;
  if (row.kty === 'EC') return generateKeyPairSync('ec', { namedCurve: row.namedCurve! }).privateKey;
  return generateKeyPairSync('ed25519').privateKey;
}
