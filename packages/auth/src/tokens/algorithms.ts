import {
  constants,
  createHmac,
  sign as cryptoSign,
  timingSafeEqual,
  verify as cryptoVerify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';

/** One row per algorithm of RFC 7518 section 3 and RFC 8037; everything below receives the row, never a name. */
export interface AlgorithmRow {
  readonly name: Algorithm;
  /** The `kty` and, where there is one, the `crv` of a JWK that fits. */
  readonly kty: 'oct' | 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
  /** HMAC: shortest key in bytes (RFC 7518 section 3.2). */
  readonly minKeyBytes?: number;
  /** Node's name of the curve, for keys handed in as KeyObject. */
  readonly namedCurve?: string;
  sign(data: Buffer, key: KeyObject): Buffer;
  verify(data: Buffer, signature: Buffer, key: KeyObject): boolean;
}

function hmac(bits: 256 | 384 | 512): AlgorithmRow {
  const sign = (data: Buffer, key: KeyObject) => createHmac(`sha${bits}`, key).update(data).digest();
  return {
    name: `HS${bits}`,
    kty: 'oct',
    minKeyBytes: bits / 8,
    sign,
    verify(data, signature, key) {
      const expected = sign(data, key);
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    },
  };
}

function rsa(bits: 256 | 384 | 512): AlgorithmRow {
  return {
    name: `RS${bits}`,
    kty: 'RSA',
    sign: (data, key) => cryptoSign(`sha${bits}`, data, key),
    verify: (data, signature, key) => cryptoVerify(`sha${bits}`, data, key, signature),
  };
}

function pss(bits: 256 | 384 | 512): AlgorithmRow {
  // RFC 7518 section 3.5: the salt is exactly as long as the hash; "auto" would accept any length.
  const how = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: bits / 8 };
  return {
    name: `PS${bits}`,
    kty: 'RSA',
    sign: (data, key) => cryptoSign(`sha${bits}`, data, { key, ...how }),
    verify: (data, signature, key) => cryptoVerify(`sha${bits}`, data, { key, ...how }, signature),
  };
}

function ecdsa(bits: 256 | 384 | 512, crv: string, namedCurve: string): AlgorithmRow {
  const dsaEncoding = 'ieee-p1363' as const;
  return {
    name: `ES${bits}`,
    kty: 'EC',
    crv,
    namedCurve,
    sign: (data, key) => cryptoSign(`sha${bits}`, data, { key, dsaEncoding }),
    verify: (data, signature, key) => cryptoVerify(`sha${bits}`, data, { key, dsaEncoding }, signature),
  };
}

const ed25519: AlgorithmRow = {
  name: 'EdDSA',
  kty: 'OKP',
  crv: 'Ed25519',
  sign: (data, key) => cryptoSign(null, data, key),
  verify: (data, signature, key) => cryptoVerify(null, data, key, signature),
};

// Null prototype: `alg: "constructor"` finds nothing.
export const algorithms: Readonly<Record<string, AlgorithmRow>> = Object.freeze(
  Object.assign(
    Object.create(null) as Record<string, AlgorithmRow>,
    Object.fromEntries(
      [
        hmac(256),
        hmac(384),
        hmac(512),
        rsa(256),
        rsa(384),
        rsa(512),
        pss(256),
        pss(384),
        pss(512),
        ecdsa(256, 'P-256', 'prime256v1'),
        ecdsa(384, 'P-384', 'secp384r1'),
        ecdsa(512, 'P-521', 'secp521r1'),
        ed25519,
      ].map((row) => [row.name, row]),
    ),
  ),
);
