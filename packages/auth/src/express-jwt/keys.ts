import { createPublicKey, createSecretKey, KeyObject } from 'node:crypto';
import { isError } from '@portcullis/core';
import { algorithms, type Algorithm } from '../tokens/algorithms.js';
import { readKeys, type VerifiedKey } from '../tokens/keys.js';

/** What jsonwebtoken calls a secret or public key. */
export type SecretInput =
  string | Buffer | KeyObject | { readonly key: string | Buffer; readonly passphrase?: string };

export type KeyFault = { readonly problem: string };

/** Keys kept ready, so that none is read twice: a service with a key for each tenant has as many. */
const MAX_KEYS = 1_000;

export interface ReadyKeys {
  /** The key for this algorithm, or why it cannot be one. */
  of(secret: unknown, alg: Algorithm): VerifiedKey | KeyFault;
}

/**
 * Secrets as a key and its one algorithm, checked as all our keys are: long enough for the hash unless `shortSecrets`, no text of a
 * public key as HMAC secret, the right type and curve.
 */
export function readyKeys({ shortSecrets }: { readonly shortSecrets: boolean }): ReadyKeys {
  const known = new Map<string, VerifiedKey | KeyFault>();
  return {
    of(secret, alg) {
      // By value for texts: a callback may well return a new one with the same content each time.
      const name = typeof secret === 'string' ? `${alg} ${secret}` : undefined;
      const remembered = name === undefined ? undefined : known.get(name);
      if (remembered) return remembered;
      const read = readSecret(secret, alg, shortSecrets);
      if (name !== undefined) {
        if (known.size >= MAX_KEYS) known.delete(known.keys().next().value!);
        known.set(name, read);
      }
      return read;
    },
  };
}

function readSecret(secret: unknown, alg: Algorithm, shortSecrets: boolean): VerifiedKey | KeyFault {
  const row = algorithms[alg]!;
  try {
    const key = keyOf(secret, row.kty === 'oct');
    const short = row.kty === 'oct' && shortSecrets && (key.symmetricKeySize ?? 0) < row.minKeyBytes!;
    // A key that may be too short is judged in all other respects beside one that is long enough.
    if (short) {
      const judged = readKeys(
        [{ key: createSecretKey(padded(key, row.minKeyBytes!)), alg, kid: 'secret' }],
        'expressjwt',
      ).all[0]!;
      return { ...judged, verifyWith: key, signWith: undefined };
    }
    return readKeys([{ key, alg, kid: 'secret' }], 'expressjwt').all[0]!;
  } catch (error) {
    if (isError(error)) return { problem: error.message };
    throw error;
  }
}

function padded(key: KeyObject, bytes: number): Buffer {
  return Buffer.concat([key.export(), Buffer.alloc(bytes)]).subarray(
    0,
    Math.max(bytes, key.symmetricKeySize ?? 0),
  );
}

function keyOf(secret: unknown, symmetric: boolean): KeyObject {
  if (secret instanceof KeyObject) return secret;
  if (symmetric) {
    if (typeof secret === 'string' && secret !== '') return createSecretKey(Buffer.from(secret));
    if (secret instanceof Uint8Array && secret.length > 0) return createSecretKey(secret);
    throw new TypeError('secret must be a string, a Buffer or a KeyObject for HMAC');
  }
  if (typeof secret === 'string' || secret instanceof Uint8Array)
    return createPublicKey(typeof secret === 'string' ? secret : Buffer.from(secret));
  if (typeof secret === 'object' && secret !== null && 'key' in secret) {
    const { key, passphrase } = secret as { key: unknown; passphrase?: unknown };
    // Only plain texts: nothing that computes its answer (CVE-2022-23529).
    if (typeof key === 'string' || Buffer.isBuffer(key))
      return createPublicKey({
        key,
        format: 'pem',
        ...(typeof passphrase === 'string' ? { passphrase } : {}),
      });
  }
  throw new TypeError('secret must be a PEM text, a Buffer or a KeyObject for a public key');
}
