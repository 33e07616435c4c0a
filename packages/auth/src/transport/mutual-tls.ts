import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  compileTrustProxy,
  option,
  OptionError,
  parseAddress,
  readOptions,
  type SecurityRequest,
} from '@portcullis/core';

export interface MutualTlsOptions {
  /** Refuse tokens that are not bound to a key. @default false */
  readonly required?: boolean;
  /** Where a proxy ends TLS and tells us the client's certificate. @default the connection itself must be mutual TLS */
  readonly header?: {
    /** It must overwrite this header in every request, or its clients can write it themselves. */
    readonly name: string;
    /** `rfc9440`: `:base64 of the DER:`, as `Client-Cert`. `pem`: URL-encoded PEM, as nginx's `$ssl_client_escaped_cert`. */
    readonly format: 'rfc9440' | 'pem';
    /** The networks of the proxies next to us; from anybody else the header counts for nothing. */
    readonly from: readonly string[];
  };
}

export interface MutualTls {
  readonly required: boolean;
  /** `x5t#S256` of the certificate whose key the sender has shown to hold; undefined if there is none. */
  thumbprintOf(req: SecurityRequest): string | undefined;
}

/**
 * Certificates of clients, to which tokens may be bound (RFC 8705 section 3). TLS has proven that the sender holds the key;
 * here only whose key it is.
 * @throws OptionError
 */
export function createMutualTls(options: MutualTlsOptions = {}): MutualTls {
  const { required, header } = readOptions('mutualTls', options, {
    required: option.boolean(false),
    header: option.optional(
      option.group({
        name: option.string({ max: 64, pattern: /^[a-z][a-z0-9-]*$/ }),
        format: option.oneOf(['rfc9440', 'pem']),
        from: fromReader,
      }),
    ),
  });
  if (!header) return { required, thumbprintOf: fromConnection };
  const { name, format, from } = header;
  return {
    required,
    thumbprintOf(req) {
      const peer = parseAddress(req.socket.remoteAddress ?? '');
      if (!peer || !from(peer, 0)) return undefined;
      const value = req.headers[name];
      // Two of them arrive joined by a comma, and are none.
      if (typeof value !== 'string' || value.length > 32_768) return undefined;
      const der = format === 'rfc9440' ? derOfField(value) : derOfPem(value);
      return der && thumbprintOf(der);
    },
  };
}

/** RFC 8705 section 3.1. */
export function thumbprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url');
}

function fromConnection(req: SecurityRequest): string | undefined {
  // An object without `raw` where the client showed no certificate; no method at all without TLS.
  const certificate = (req.socket as Partial<TLSSocket>).getPeerCertificate?.() as
    { raw?: Buffer } | undefined;
  return certificate?.raw && thumbprintOf(certificate.raw);
}

// A byte sequence of structured fields (RFC 8941 section 3.3.5).
function derOfField(value: string): Buffer | undefined {
  const [, base64] = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(value.trim()) ?? [];
  return base64 === undefined ? undefined : certificateOf(Buffer.from(base64, 'base64'));
}

const PEM = /^-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----\n?$/;

function derOfPem(value: string): Buffer | undefined {
  try {
    const pem = decodeURIComponent(value);
    return PEM.test(pem) ? certificateOf(pem) : undefined;
  } catch {
    return undefined;
  }
}

/** What is a certificate, and nothing behind it. */
function certificateOf(text: Buffer | string): Buffer | undefined {
  try {
    const { raw } = new X509Certificate(text);
    return typeof text === 'string' || raw.length === text.length ? raw : undefined;
  } catch {
    return undefined;
  }
}

function fromReader(value: unknown, owner: string, path: string): ReturnType<typeof compileTrustProxy> {
  if (Array.isArray(value)) return compileTrustProxy(value, owner);
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} must list the networks of your proxies, such as ["10.0.0.0/8"]: whoever may write the header may be anybody`,
  );
}
