import type { SecurityResponse } from './http.js';

const KEPT_OUT = Symbol('kept out of caches');

/**
 * `Cache-Control: no-store` for an answer that carries somebody's secret (a session, a token), said last: a shared cache may
 * store an answer with its Set-Cookie (RFC 9111 section 7.3) and hand one person's secret to the next, so what a handler says
 * of caching afterwards, `writeHead()` included, does not count.
 * @see RFC 9111 section 5.2.2.5
 */
export function keepOutOfCaches(res: SecurityResponse & { [KEPT_OUT]?: true }): void {
  res.setHeader('Cache-Control', 'no-store');
  if (res[KEPT_OUT]) return;
  res[KEPT_OUT] = true;
  const writeHead = res.writeHead as (...given: unknown[]) => SecurityResponse;
  res.writeHead = function noStore(this: SecurityResponse, ...given: unknown[]): SecurityResponse {
    // Headers given to writeHead() itself win over those set before: they lose their say here.
    this.setHeader('Cache-Control', 'no-store');
    return writeHead.apply(this, given.map(withoutCacheControl));
  };
}

/** Both forms that writeHead() takes: a record, or names and values in turn. Anything else is returned as it is. */
function withoutCacheControl(headers: unknown): unknown {
  const caching = (name: unknown): boolean => String(name).toLowerCase() === 'cache-control';
  if (Array.isArray(headers)) return headers.filter((_item, i) => !caching(headers[i - (i % 2)]));
  if (typeof headers !== 'object' || headers === null) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !caching(name)));
}
