import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { option, OptionError, Secret, type OptionReader } from '@portcullis/core';

/**
 * Authenticated encryption with forward secrecy only: the three suites of TLS 1.3, and of TLS 1.2 those of Mozilla's
 * intermediate profile without finite-field Diffie-Hellman. Names as OpenSSL spells them.
 */
export const modernCiphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
] as const;

export type ModernCipher = (typeof modernCiphers)[number];
type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface TlsOptions {
  /** Private key, PEM. */
  readonly key: string | Buffer | Secret<string>;
  /** Certificate chain, PEM, the server's own first. */
  readonly cert: string | Buffer;
  readonly passphrase?: string | Secret<string>;
  /** @default 'TLSv1.2' */
  readonly minVersion?: TlsVersion;
  /** A part of {@link modernCiphers}; older suites are refused. @default all of them */
  readonly ciphers?: readonly ModernCipher[];
  /** Certificates of the clients: `'require'` refuses connections without one that `ca` vouches for. @default 'none' */
  readonly clientCertificates?: 'none' | 'require';
  /** Who vouches for clients, PEM. Required with `clientCertificates: 'require'`. */
  readonly ca?: string | Buffer;
}

export type TlsSettings = SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean };

const group = option.group({
  key: pem('key'),
  cert: pem('cert'),
  passphrase: option.optional(secretText),
  minVersion: option.oneOf<TlsVersion>(['TLSv1.2', 'TLSv1.3'], 'TLSv1.2'),
  ciphers: option.array<ModernCipher>(option.oneOf<ModernCipher>(modernCiphers), {
    min: 1,
    max: modernCiphers.length,
    default: modernCiphers,
  }),
  clientCertificates: option.oneOf(['none', 'require'], 'none'),
  ca: option.optional(pem('ca')),
});

/** Reads `tls` and tries key and certificate on, so that a pair that does not fit stops the start and not a client. */
export const tlsOption: OptionReader<TlsSettings | undefined> = (value, owner, path) => {
  if (value === undefined) return undefined;
  const { key, cert, passphrase, minVersion, ciphers, clientCertificates, ca } = group(value, owner, path);
  const requestCert = clientCertificates === 'require';
  if (requestCert && ca === undefined) {
    throw new OptionError(
      'E_OPTION_REQUIRED',
      owner,
      `${path}.ca`,
      `${path}.ca is required to check clients`,
    );
  }
  const settings: TlsSettings = {
    key,
    cert,
    minVersion,
    ciphers: ciphers.join(':'),
    ecdhCurve: 'X25519:P-256:P-384',
    honorCipherOrder: false, // All of them are good; the client knows which it computes fastest.
    requestCert,
    rejectUnauthorized: requestCert,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ca === undefined ? {} : { ca }),
  };
  try {
    createSecureContext(settings);
  } catch (error) {
    // OpenSSL's code only: its message may hold parts of what it read.
    const { code = 'unknown reason' } = error as { code?: string };
    throw new OptionError('E_OPTION_VALUE', owner, path, `OpenSSL refuses key or certificate (${code})`);
  }
  return settings;
};

function pem(name: string): OptionReader<string> {
  return (value, owner, path) => {
    const text = Buffer.isBuffer(value) ? value.toString('latin1') : secretText(value, owner, path);
    if (text.includes('-----BEGIN ')) return text;
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} must hold the ${name} as PEM, not a file name`,
    );
  };
}

function secretText(value: unknown, owner: string, path: string): string {
  return option.string({ max: 1_000_000 })(Secret.is(value) ? value.reveal() : value, owner, path);
}
