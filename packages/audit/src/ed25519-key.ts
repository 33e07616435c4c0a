import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { OptionError, type Secret } from '@portcullis/core';

export interface Ed25519Key {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Buffer;
}

/** From PKCS #8 PEM. @throws OptionError */
export function readEd25519Key(key: Secret<string>, owner: string): Ed25519Key {
  let privateKey: KeyObject | undefined;
  try {
    privateKey = createPrivateKey(key.reveal());
  } catch {
    // The error of OpenSSL helps nobody here, and may quote what it read.
  }
  if (privateKey?.asymmetricKeyType !== 'ed25519') {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      'key',
      'key must be an Ed25519 private key as PKCS #8 PEM',
    );
  }
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-32);
  return { privateKey, publicKey };
}
