import { domainToASCII } from 'node:url';
import { parseAddress } from './address.js';

/** A web origin in its one serialised form, such as `https://example.com:8443` (RFC 6454 section 6.2, HTML "origin"). */
export interface WebOrigin {
  readonly text: string;
  /** Without the colon: `https`. */
  readonly scheme: string;
  /** Lower-case ASCII; IPv6 in brackets. */
  readonly host: string;
  /** Undefined for the default port of the scheme. */
  readonly port: number | undefined;
  readonly kind: 'name' | 'ipv4' | 'ipv6';
}

// Scheme, "://", host, and a port without leading zero; everything else (user, path, space, upper case) is no origin.
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?$/;
const MAX_LENGTH = 64 + 3 + 254 + 6;
const DEFAULT_PORTS: Readonly<Record<string, number>> = Object.assign(Object.create(null), {
  http: 80,
  https: 443,
  ws: 80,
  wss: 443,
  ftp: 21,
});

/**
 * The origin, or undefined if the text is not exactly what a browser would send in `Origin`: `null`, user names,
 * paths, default ports written out, upper case, IPv4 in octal or short forms, uncompressed or mapped IPv6 are none.
 * Two texts that pass are the same origin if and only if they are equal.
 */
export function parseOrigin(text: string): WebOrigin | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const match = ORIGIN.exec(text);
  if (!match) return undefined;
  const [, scheme = '', host = '', digits] = match;
  // A file's origin is opaque: browsers send "null" for it.
  if (scheme === 'file') return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port > 65_535 || port === DEFAULT_PORTS[scheme])) return undefined;
  const kind = kindOf(host);
  return kind && { text, scheme, host, port, kind };
}

/** True for `localhost`, its subdomains (RFC 6761 section 6.3), 127.0.0.0/8 and `[::1]`. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost') || host === '[::1]') return true;
  return host.startsWith('127.') && parseAddress(host) !== undefined;
}

function kindOf(host: string): WebOrigin['kind'] | undefined {
  if (host.startsWith('[')) {
    const inside = host.slice(1, -1);
    const address = parseAddress(inside);
    // A mapped address is version 4 here, and one address has one spelling (RFC 5952).
    return address?.version === 6 && address.ip === inside ? 'ipv6' : undefined;
  }
  const labels = (host.endsWith('.') ? host.slice(0, -1) : host).split('.');
  if (host.length > 254 || labels.some((label) => label === '' || label.length > 63)) return undefined;
  // URL parsers read a host whose last label is a number as IPv4, whatever the rest says (WHATWG URL, "ends in a number").
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) {
    return parseAddress(host)?.ip === host ? 'ipv4' : undefined;
  }
  if (host.includes('xn--') && domainToASCII(host) !== host) return undefined;
  return 'name';
}
