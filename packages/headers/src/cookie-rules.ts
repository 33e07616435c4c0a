import { parseCookieLine, renderCookieLine, type CookieLine } from './cookie-line.js';

export interface CookieRules {
  readonly sameSite: 'lax' | 'strict';
  readonly readable: ReadonlySet<string>;
  readonly crossSite: ReadonlySet<string>;
  readonly shared: ReadonlySet<string>;
  readonly unprefixed: 'allow' | 'report' | 'refuse';
}

/** What was added to a cookie or taken from it. */
export type CookieChange =
  'secure' | 'http-only' | 'same-site' | 'no-domain' | 'path' | 'partitioned' | 'unprefixed';

export type CookieRefusal = 'malformed' | 'oversize' | 'unprefixed';

export type JudgedCookie =
  | { readonly name: string; readonly line: string; readonly changes: readonly CookieChange[] }
  | { readonly name: string; readonly refused: CookieRefusal };

/** Browsers drop what is larger, name and value together (RFC 6265bis section 5.6, step 5). */
export const MAX_COOKIE_BYTES = 4096;
const MAX_ATTRIBUTE_BYTES = 1024;

const HOST = '__host-';
const SECURE = '__secure-';

/**
 * Brings one `Set-Cookie` value to the rules, only ever to the narrower side. `insecure` is a development server that speaks plain
 * http with this machine: there `Secure` is left as it is, unless the name asks for it.
 */
export function judgeCookie(
  line: string,
  rules: CookieRules,
  { insecure, now }: { readonly insecure: boolean; readonly now: number },
): JudgedCookie {
  const cookie = parseCookieLine(line);
  if (!cookie) return { name: '', refused: 'malformed' };
  const { name, attributes } = cookie;
  const refused = sizeRefusal(cookie);
  if (refused) return { name, refused };

  // Browsers compare the prefixes without regard to case.
  const lower = name.toLowerCase();
  const host = lower.startsWith(HOST);
  const prefixed = host || lower.startsWith(SECURE);
  const changes: CookieChange[] = [];
  const set = (key: string, value: string | true, change: CookieChange) => {
    if (attributes.get(key) === value) return;
    attributes.set(key, value);
    changes.push(change);
  };
  const drop = (key: string, change: CookieChange) => {
    if (attributes.delete(key)) changes.push(change);
  };

  if (!prefixed && !insecure) {
    if (rules.unprefixed === 'refuse') return { name, refused: 'unprefixed' };
    if (rules.unprefixed === 'report') changes.push('unprefixed');
  }
  const sameSite = String(attributes.get('samesite') ?? '').toLowerCase();
  const none = sameSite === 'none' && rules.crossSite.has(name);
  if (!none && sameSite !== 'lax' && sameSite !== 'strict') {
    set('samesite', rules.sameSite === 'strict' ? 'Strict' : 'Lax', 'same-site');
  }
  // A flag counts as set whatever its value.
  if (!attributes.has('httponly') && !rules.readable.has(name)) set('httponly', true, 'http-only');
  if (!attributes.has('secure') && (!insecure || prefixed || none)) set('secure', true, 'secure');
  if (attributes.has('partitioned') && !attributes.has('secure')) drop('partitioned', 'partitioned');
  if (host) {
    set('path', '/', 'path');
    drop('domain', 'no-domain');
  } else if (!rules.shared.has(name) && !isRemoval(cookie, now)) {
    drop('domain', 'no-domain');
  }
  // Untouched cookies leave byte for byte as they came.
  const changed = changes.some((change) => change !== 'unprefixed');
  return { name, line: changed ? renderCookieLine(cookie) : line, changes };
}

function sizeRefusal({ name, value, attributes }: CookieLine): CookieRefusal | undefined {
  if (Buffer.byteLength(name) + Buffer.byteLength(value) > MAX_COOKIE_BYTES) return 'oversize';
  for (const attribute of attributes.values()) {
    // A browser ignores such an attribute, and with it perhaps the Path or Domain that was meant.
    if (attribute !== true && Buffer.byteLength(attribute) > MAX_ATTRIBUTE_BYTES) return 'oversize';
  }
  return undefined;
}

/** Takes an earlier cookie away; its Domain has to be the one that was set. */
function isRemoval({ attributes }: CookieLine, now: number): boolean {
  const maxAge = attributes.get('max-age');
  if (typeof maxAge === 'string' && maxAge !== '') return Number(maxAge) <= 0;
  const expires = attributes.get('expires');
  return typeof expires === 'string' && Date.parse(expires) <= now;
}
