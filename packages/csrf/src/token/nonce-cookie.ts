import {
  isLoopbackHost,
  keepOutOfCaches,
  type Random,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { errors } from '../error-codes.js';

export type NonceRead =
  | { readonly kind: 'one'; readonly nonce: string }
  | { readonly kind: 'none' }
  /** Two cookies of the name: somebody else's may be among them. */
  | { readonly kind: 'several' };

export interface NonceCookie {
  readonly name: string;
  read(req: SecurityRequest): NonceRead;
  /** Sets a new nonce and returns it. @throws E_CSRF_TOKEN_LATE | E_CSRF_DEVELOPMENT_COOKIE */
  renew(req: SecurityRequest, res: SecurityResponse): string;
}

const NONE: NonceRead = Object.freeze({ kind: 'none' });
const SEVERAL: NonceRead = Object.freeze({ kind: 'several' });
const NONCE = /^[A-Za-z0-9_-]{43}$/;

/**
 * What a browser is told apart by before it has a session. `__Host-csrf`: Secure, HttpOnly, SameSite=Strict, Path=/ and no Domain,
 * which the prefix makes the browser enforce (RFC 6265bis section 4.1.3.2): neither a sibling domain nor plain HTTP can plant
 * one. It ends with the browser session. The development profile leaves out Secure and the prefix, for http://localhost.
 */
export function createNonceCookie(profile: 'host' | 'development', random: Random): NonceCookie {
  const development = profile === 'development';
  const name = development ? 'dev-csrf' : '__Host-csrf';
  const flags = `Path=/; ${development ? '' : 'Secure; '}HttpOnly; SameSite=Strict`;
  const start = `${name}=`;

  return {
    name,
    read(req) {
      const header = req.headers.cookie;
      if (header === undefined || !header.includes(start)) return NONE;
      const values = header
        .split(';')
        .map((part) => part.trim())
        .filter((part) => part.startsWith(start));
      if (values.length > 1) return SEVERAL;
      const nonce = values[0]?.slice(start.length) ?? '';
      return NONCE.test(nonce) ? { kind: 'one', nonce } : NONE;
    },
    renew(req, res) {
      if (res.headersSent) throw errors.E_CSRF_TOKEN_LATE();
      if (development) assertLoopback(req);
      const nonce = random.bytes(32).toString('base64url');
      // One that was put before in this answer gives way: two of a name would leave the choice to the browser.
      const others = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
      const kept = others.filter((line) => !line.startsWith(start));
      res.setHeader('Set-Cookie', [...kept, `${start}${nonce}; ${flags}`]);
      keepOutOfCaches(res);
      return nonce;
    },
  };
}

function assertLoopback(req: SecurityRequest): void {
  const host = (req.headers.host ?? '').toLowerCase();
  if (!isLoopbackHost(host.replace(/:\d{1,5}$/, ''))) {
    throw errors.E_CSRF_DEVELOPMENT_COOKIE({ details: { host } });
  }
}
