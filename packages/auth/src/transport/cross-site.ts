import { isKnownSecure, parseUrl, type SecurityRequest } from '@portcullis/core';
import { errors } from '../error-codes.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The floor under cookies: a request that changes something and that the browser says another site has started is not
 * its user's will, SameSite or not. `@portcullis/csrf` goes further and belongs in front of it.
 * @throws E_CROSS_SITE (403)
 */
export function assertSameSite(req: SecurityRequest, trustedOrigins: readonly string[]): void {
  if (SAFE.has(req.method ?? '')) return;
  const { origin, host } = req.headers;
  if (typeof origin === 'string' && trustedOrigins.includes(origin)) return;
  const site = req.headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none') return;
  if (site !== undefined) throw errors.E_CROSS_SITE({ details: { site, origin } });
  // Browsers without Fetch Metadata still send Origin with such requests; programs send neither and hold no cookies.
  if (origin === undefined) return;
  const from = parseUrl(origin);
  // Whoever is on the way can be this host over plain HTTP. Where TLS is not known of, the scheme cannot be judged.
  const isSameScheme = from?.protocol === 'https:' || !isKnownSecure(req);
  if (from?.host !== host?.toLowerCase() || !isSameScheme) throw errors.E_CROSS_SITE({ details: { origin } });
}
