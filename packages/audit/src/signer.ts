import { sign as signWith } from 'node:crypto';
import { option, OptionError, readOptions, type Secret } from '@portcullis/core';
import { readEd25519Key } from './ed25519-key.js';
import { isOrigin } from './leaf.js';
import { verifierKey } from './note.js';

/** Who speaks for the log. A key management service can stand behind it. */
export interface LogSigner {
  /** Name of the log, such as `library.example/audit`: part of every entry and of what is signed. */
  readonly origin: string;
  /** C2SP verifier key (signature type 1, Ed25519): what verifiers need. */
  readonly verifierKey: string;
  /** Ed25519 over the message (RFC 8032), 64 bytes. */
  sign(message: Buffer): Promise<Buffer> | Buffer;
}

export interface Ed25519SignerOptions {
  /** A schema-less URL that stays with the log for ever. 1 to 200 letters, digits and `._~/:@-`. */
  readonly origin: string;
  /** PKCS #8 PEM, as `openssl genpkey -algorithm ed25519` makes it. */
  readonly key: string | Secret<string>;
}

/** The log's key in this process. @throws OptionError */
export function ed25519Signer(options: Ed25519SignerOptions): LogSigner {
  const { origin, key } = readOptions('ed25519Signer', options, {
    origin: option.string({ max: 200 }),
    key: option.secret({ minBytes: 32 }),
  });
  if (!isOrigin(origin)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      'ed25519Signer',
      'origin',
      'origin must be a name such as library.example/audit',
    );
  }
  const { privateKey, publicKey } = readEd25519Key(key, 'ed25519Signer');
  return Object.freeze<LogSigner>({
    origin,
    verifierKey: verifierKey(origin, publicKey),
    sign: (message) => signWith(null, message, privateKey),
  });
}
