import { parseUrl } from '@portcullis/core';
/** Protocols without encryption, what to use instead, and how the same protocol is switched to TLS. */
const PLAIN: Readonly<Record<string, { readonly instead: string; isTls?(query: URLSearchParams): boolean }>> =
  Object.assign(Object.create(null), {
    'redis:': { instead: 'rediss://' },
    'postgres:': { instead: 'sslmode=verify-full', isTls: postgresTls },
    'postgresql:': { instead: 'sslmode=verify-full', isTls: postgresTls },
    'amqp:': { instead: 'amqps://' },
    'ldap:': { instead: 'ldaps://' },
    'http:': { instead: 'https://' },
    'ws:': { instead: 'wss://' },
  });

/**
 * What a connection URL should be instead, if it leaves this host unencrypted; undefined if it does not.
 * A PostgreSQL URL may name its real host in the query (`?host=`), which counts before the authority.
 */
export function plaintextProblem(text: string): string | undefined {
  const url = parseUrl(text);
  if (!url) return undefined;
  const row = PLAIN[url.protocol];
  if (!row || row.isTls?.(url.searchParams)) return undefined;
  const named = url.protocol.startsWith('postgres')
    ? [...url.searchParams.getAll('host'), ...url.searchParams.getAll('hostaddr')]
    : [];
  const hosts = named.length > 0 ? named : [url.hostname];
  return hosts.every((host) => staysHere(decode(host))) ? undefined : row.instead;
}

function postgresTls(query: URLSearchParams): boolean {
  const modes = query.getAll('sslmode');
  return modes.length === 1 && ['require', 'verify-ca', 'verify-full'].includes(modes[0]!);
}

function staysHere(host: string): boolean {
  // Empty and absolute paths are unix sockets.
  if (host === '' || host.startsWith('/')) return true;
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
