import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import type { PasskeyResponse } from '../../src/passkeys.js';

/** What browsers and authenticators do, in software; each member can be spoilt. */
export interface Spoilt {
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly crossOrigin?: unknown;
  readonly topOrigin?: string;
  readonly userPresent?: boolean;
  readonly userVerified?: boolean;
  readonly backupEligible?: boolean;
  readonly counter?: number;
  readonly userHandle?: string | null;
  readonly id?: string;
  /** COSE algorithm that the new key claims. */
  readonly alg?: number;
}

export interface Credential {
  readonly id: string;
  readonly handle: string;
  readonly key: KeyObject;
  counter: number;
}

interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string };
  readonly user: { readonly id: string };
}
interface RequestOptions {
  readonly challenge: string;
  readonly rpId: string;
}

const ORIGIN = 'https://library.example';

/** A new credential (ES256, attestation "none") for `navigator.credentials.create()`. */
export function register(
  options: object,
  spoilt: Spoilt = {},
): { response: PasskeyResponse; credential: Credential } {
  const { challenge, rp, user } = options as CreationOptions;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  const id = spoilt.id === undefined ? randomBytes(32) : Buffer.from(spoilt.id, 'base64url');
  const cose = cbor(
    new Map<number, unknown>([
      [1, 2],
      [3, spoilt.alg ?? -7],
      [-1, 1],
      [-2, Buffer.from(jwk.x!, 'base64url')],
      [-3, Buffer.from(jwk.y!, 'base64url')],
    ]),
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length);
  const authData = Buffer.concat([
    authenticatorData(rp.id, spoilt, 0x40),
    Buffer.alloc(16),
    length,
    id,
    cose,
  ]);
  const attestationObject = cbor(
    new Map<string, unknown>([
      ['fmt', 'none'],
      ['attStmt', new Map()],
      ['authData', authData],
    ]),
  );
  const text = id.toString('base64url');
  return {
    credential: { id: text, handle: user.id, key: privateKey, counter: spoilt.counter ?? 0 },
    response: {
      id: text,
      rawId: text,
      type: 'public-key',
      response: {
        clientDataJSON: clientData('webauthn.create', challenge, spoilt).toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal', 'hybrid', 'telepathy'],
      },
    },
  };
}

/** A use of it, for `navigator.credentials.get()`. Counts only where `counter` was given when it was made. */
export function authenticate(options: object, credential: Credential, spoilt: Spoilt = {}): PasskeyResponse {
  const { challenge, rpId } = options as RequestOptions;
  if (credential.counter > 0) credential.counter++;
  const counter = spoilt.counter ?? credential.counter;
  const authData = authenticatorData(rpId, { ...spoilt, counter }, 0);
  const data = clientData('webauthn.get', challenge, spoilt);
  const hash = createHash('sha256').update(data).digest();
  const handle = spoilt.userHandle === undefined ? credential.handle : spoilt.userHandle;
  return {
    id: spoilt.id ?? credential.id,
    rawId: spoilt.id ?? credential.id,
    type: 'public-key',
    response: {
      clientDataJSON: data.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: sign(
        'sha256',
        Buffer.concat([authData, hash]),
        createPrivateKey(credential.key.export({ format: 'pem', type: 'pkcs8' })),
      ).toString('base64url'),
      ...(handle === null ? {} : { userHandle: handle }),
    },
  };
}

function clientData(type: string, challenge: string, spoilt: Spoilt): Buffer {
  const { crossOrigin = false, topOrigin } = spoilt;
  return Buffer.from(
    JSON.stringify({
      type: spoilt.type ?? type,
      challenge: spoilt.challenge ?? challenge,
      origin: spoilt.origin ?? ORIGIN,
      crossOrigin,
      ...(topOrigin === undefined ? {} : { topOrigin }),
    }),
  );
}

function authenticatorData(rpId: string, spoilt: Spoilt, more: number): Buffer {
  const { userPresent = true, userVerified = true, backupEligible = true, counter = 0 } = spoilt;
  const flags = (userPresent ? 1 : 0) | (userVerified ? 4 : 0) | (backupEligible ? 8 : 0) | more;
  const tail = Buffer.alloc(5);
  tail.writeUInt8(flags, 0);
  tail.writeUInt32BE(counter, 1);
  return Buffer.concat([
    createHash('sha256')
      .update(spoilt.rpId ?? rpId)
      .digest(),
    tail,
  ]);
}

/** The little of CBOR (RFC 8949) that an attestation object is made of. */
export function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  const entries = [...(value as Map<unknown, unknown>)];
  return Buffer.concat([head(5, entries.length), ...entries.flatMap((pair) => pair.map(cbor))]);
}

function head(major: number, size: number): Buffer {
  if (size < 24) return Buffer.of((major << 5) | size);
  if (size < 256) return Buffer.of((major << 5) | 24, size);
  return Buffer.of((major << 5) | 25, size >> 8, size & 255);
}
