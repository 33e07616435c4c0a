import { parseUrl } from '@portcullis/core';
export type RedirectReason =
  'absent' | 'too-long' | 'characters' | 'encoded' | 'scheme' | 'authority' | 'relative' | 'origin';

export type RedirectVerdict =
  | { readonly allowed: true; readonly location: string }
  | { readonly allowed: false; readonly reason: RedirectReason };

export interface AllowedOrigins {
  readonly exact: ReadonlySet<string>;
  readonly subdomains: readonly { readonly scheme: string; readonly rest: string }[];
}

/** A name that nobody can register (RFC 2606): a path that leaves it has left this site. */
const HERE = 'https://here.invalid';
const MAX_LENGTH = 2048;

// Browsers drop tabs and line ends, take a backslash for a slash and cut outer spaces; people see slashes, dots and
// question marks where there are none. Controls, format characters, separators, and look-alikes of / \ . : @ ? #.
const FORBIDDEN =
  /[\\\p{Cc}\p{Cf}\p{Cs}\p{Z}\u2024\u2044\u2215\u29f5\u29f8\u3002\uff0e\uff0f\uff1a\uff1f\uff20\uff03\uff3c\uff61\ufe52\ufe68\ufe6b]/u;

/** Where a target leads, by the browser's own parser (WHATWG URL), and only if no other reader could differ. */
export function judgeTarget(
  target: unknown,
  origins: AllowedOrigins,
  base: string | undefined,
): RedirectVerdict {
  if (typeof target !== 'string' || target === '') return refused('absent');
  if (target.length > MAX_LENGTH) return refused('too-long');
  if (FORBIDDEN.test(target)) return refused('characters');
  if (!survivesDecoding(target)) return refused('encoded');
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return judgeAbsolute(target, origins);
  // "//evil" and everything that somebody might read as it.
  if (target.startsWith('//')) return refused('authority');
  if (!target.startsWith('/') && base === undefined) return refused('relative');
  const url = parse(target, `${HERE}${base ?? '/'}`);
  // "/.//evil" is the path "//evil" once the dots are gone.
  if (url?.origin !== HERE || url.pathname.startsWith('//')) return refused('authority');
  return { allowed: true, location: url.pathname + url.search + url.hash };
}

function judgeAbsolute(target: string, { exact, subdomains }: AllowedOrigins): RedirectVerdict {
  // "https:evil", "https:/evil" and "https:///evil" lead to other hosts in other readers.
  const match = /^(https?):\/\/([^/?#]+)(?=[/?#]|$)/.exec(target);
  if (!match) return refused('scheme');
  const [, scheme = '', authority = ''] = match;
  const url = parse(target);
  // Only one spelling: no user, no upper case, no trailing dot, no number for an address, no Unicode for a name.
  const spelt = url?.host === authority && url.username === '' && url.password === '';
  if (!spelt || authority.endsWith('.') || url.pathname.startsWith('//')) return refused('authority');
  const known =
    exact.has(`${scheme}://${authority}`) ||
    subdomains.some((one) => one.scheme === `${scheme}://` && isBelow(authority, one.rest));
  return known ? { allowed: true, location: url.href } : refused('origin');
}

function isBelow(authority: string, rest: string): boolean {
  return authority.endsWith(rest) && authority.length > rest.length && !authority.startsWith('.');
}

/** Decoded once, twice and three times, as proxies and careless code do, the target must not turn into another one. */
function survivesDecoding(target: string): boolean {
  // A proxy that decodes a query as well splits headers at its line ends.
  if (/%(?:25)*(?:[01][0-9a-f]|7f)/i.test(target)) return false;
  const absolute = /^https?:\/\/[^/?#]*/.exec(target)?.[0] ?? '';
  const end = target.search(/[?#]/);
  let path = target.slice(absolute.length, end < 0 ? undefined : end);
  for (let round = 0; round < 3 && path.includes('%'); round++) {
    try {
      path = decodeURIComponent(path);
    } catch {
      // "100%25" decodes once; what is no encoding at all is nobody's path.
      return round > 0;
    }
    if (/[\\\p{Cc}\p{Cf}]/u.test(path)) return false;
    const url = parse(path, HERE);
    if (url?.origin !== HERE || url.pathname.startsWith('//')) return false;
  }
  return true;
}

function parse(target: string, base?: string): URL | undefined {
  return parseUrl(target, base);
}

function refused(reason: RedirectReason): RedirectVerdict {
  return { allowed: false, reason };
}
