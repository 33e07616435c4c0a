import { isIP } from 'node:net';
import { judgeAddress, parseAddress, parseUrl, type AddressReason, type Network } from '@portcullis/core';
import { errors } from '../error-codes.js';

export type OutgoingReason =
  | AddressReason
  | 'url'
  | 'spelling'
  | 'user'
  | 'scheme'
  | 'port'
  | 'host'
  | 'unresolved'
  | 'socket'
  | 'downgrade'
  | 'redirect-body';

export interface Policy {
  readonly schemes: ReadonlySet<string>;
  readonly ports: ReadonlySet<number>;
  /** Exact names and addresses, and `.example.com` for all names below it; undefined: any public host. */
  readonly hosts: { readonly exact: ReadonlySet<string>; readonly below: readonly string[] } | undefined;
  readonly denied: readonly Network[];
  readonly exempt: readonly Network[];
}

/** Names that lead nowhere but to this machine or this network (RFC 6761, RFC 6762, RFC 8375, RFC 7686, ICANN .internal). */
const LOCAL = [
  'localhost',
  'local',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
  'onion',
  'alt',
];

/** The URL to connect to, in the one spelling that every reader understands alike. @throws E_OUTGOING_REFUSED */
export function judgeUrl(
  input: string | URL,
  policy: Policy,
  onRefused: (reason: OutgoingReason, host: string) => void,
): URL {
  const text = typeof input === 'string' ? input : input instanceof URL ? input.href : '';
  const url = isReadable(text) ? parseUrl(text) : undefined;
  const reason = url ? judgeParsed(text, url, policy) : 'url';
  if (url && reason === undefined) return url;
  const host = url?.hostname ?? '';
  onRefused(reason!, host);
  throw refusal(reason!, host);
}

/** Readers differ on what the parser cuts, drops or turns around: control characters, spaces, backslashes. */
function isReadable(text: string): boolean {
  return text !== '' && text.length <= 4096 && !/[\p{Cc}\p{Cf}\p{Z}\\]/u.test(text);
}

function judgeParsed(text: string, url: URL, policy: Policy): OutgoingReason | undefined {
  if (!policy.schemes.has(url.protocol)) return 'scheme';
  // An empty user name leaves nothing in the parsed URL, but other readers see an "@".
  const hasUser = url.username !== '' || url.password !== '' || /^[^/?#]*\/\/[^/?#]*@/.test(text);
  if (hasUser) return 'user';
  if (!isPlainlySpelt(text, url)) return 'spelling';
  return judgeTarget(url.hostname.replace(/^\[|\]$/g, ''), portOf(url), policy);
}

/** Name or address and port, before anything is resolved. */
export function judgeTarget(host: string, port: number, policy: Policy): OutgoingReason | undefined {
  if (!policy.ports.has(port)) return 'port';
  const name = host.toLowerCase();
  if (policy.hosts && !isListed(name, policy.hosts)) return 'host';
  if (isIP(host) !== 0) return judgeResolved(host, policy);
  const listed = policy.hosts?.exact.has(name) ?? false;
  if (!listed && (!name.includes('.') || LOCAL.some((one) => name === one || name.endsWith(`.${one}`))))
    return 'host';
  return undefined;
}

/** One address of an answer. */
export function judgeResolved(text: string, policy: Policy): OutgoingReason | undefined {
  const reason = judgeAddress(text);
  const address = parseAddress(text);
  if (address && policy.denied.some((one) => one.contains(address))) return 'private';
  // A mapped form never counts as the network that is exempt: one address, one spelling.
  if (reason !== undefined && reason !== 'mapped' && reason !== 'zone' && address) {
    if (policy.exempt.some((one) => one.contains(address))) return undefined;
  }
  return reason;
}

export function refusal(reason: OutgoingReason, host: string): Error {
  return errors.E_OUTGOING_REFUSED({ details: { reason, host } });
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function isListed(name: string, { exact, below }: NonNullable<Policy['hosts']>): boolean {
  return exact.has(name) || below.some((suffix) => name.endsWith(suffix) && name.length > suffix.length);
}

/**
 * The host as written is the host as parsed: no decimal, octal, hexadecimal or short address, no percent sign, no
 * trailing dot, no fullwidth letters. International names pass if they stay international (`xn--`) in every label that was.
 */
function isPlainlySpelt(text: string, url: URL): boolean {
  const authority = /^[a-z]+:\/\/([^/?#]+)/i.exec(text)?.[1] ?? '';
  const host = authority.replace(/:\d*$/, '');
  if (url.hostname.endsWith('.') || host.includes('%')) return false;
  if (/^[\x21-\x7e]+$/.test(host)) return host.toLowerCase() === url.hostname;
  const labels = host.split('.');
  const parsed = url.hostname.split('.');
  if (labels.length !== parsed.length) return false;
  return labels.every((label, i) =>
    /^[\x21-\x7e]+$/.test(label) ? label.toLowerCase() === parsed[i] : parsed[i]!.startsWith('xn--'),
  );
}
