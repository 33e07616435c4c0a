import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  sign,
  type KeyObject,
} from 'node:crypto';
import { createTokens, generateKeys, type JwkInput, type Tokens } from '@portcullis/auth';
import { manualClock } from '@portcullis/core/testing';

export type Alg = 'HS256' | 'RS256' | 'ES256' | 'EdDSA';

export const issuer = 'https://library.example';
export const audience = 'https://api.library.example';
export const clock = manualClock();
export const NOW = Math.floor(clock.now() / 1000);

/** One service with one key: what is under test, and what is needed to forge for it. */
export interface Kind {
  readonly alg: Alg;
  readonly kid: string;
  readonly tokens: Tokens;
  readonly verifyWith: KeyObject;
  /** Every spelling of the public key that somebody could take for a secret; none for HMAC. */
  readonly publicTexts: readonly (string | Buffer)[];
  readonly publicJwk: object | undefined;
  /** Signs with the key of the service. */
  sign(input: string): Buffer;
  /** Signs with a key of the same type that is not the service's. */
  signElsewhere(input: string): Buffer;
}

export function kindOf(alg: Alg): Kind {
  const keys = generateKeys(alg);
  const [own] = keys.keys;
  const key = keyOf(own!);
  const other = keyOf(generateKeys(alg).keys[0]!);
  const verifyWith = key.type === 'private' ? createPublicKey(key) : key;
  const jwk = alg === 'HS256' ? undefined : verifyWith.export({ format: 'jwk' });
  return {
    alg,
    kid: own!.kid!,
    // A small memory, so that remembered tokens and their eviction are part of what is attacked.
    tokens: createTokens({ issuer, audience, keys, clock, cacheSize: 100 }),
    verifyWith,
    publicJwk: jwk,
    publicTexts:
      jwk === undefined
        ? []
        : [
            verifyWith.export({ type: 'spki', format: 'pem' }),
            verifyWith.export({ type: 'spki', format: 'der' }),
            String(verifyWith.export({ type: 'spki', format: 'pem' })).trim(),
            JSON.stringify(jwk),
            Buffer.from(String(jwk.n ?? jwk.x), 'base64url'),
            '',
          ],
    sign: (input) => signWith(alg, key, input),
    signElsewhere: (input) => signWith(alg, other, input),
  };
}

function keyOf(jwk: JwkInput): KeyObject {
  return jwk.kty === 'oct'
    ? createSecretKey(Buffer.from(jwk.k!, 'base64url'))
    : createPrivateKey({ key: jwk as never, format: 'jwk' });
}

function signWith(alg: Alg, key: KeyObject, input: string): Buffer {
  if (alg === 'HS256') return createHmac('sha256', key).update(input).digest();
  if (alg === 'ES256') return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), key);
}
