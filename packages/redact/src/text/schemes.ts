import type { Span } from './spans.js';

const SCHEMES = /\b(bearer|basic)[ \t,]{1,4}(?=[A-Za-z0-9+/])/gi;

// What people write after "Bearer" and "Basic" when they talk about the scheme.
const PROSE =
  /^(?:tokens?|auth|authentication|authorization|authori[sz]ed|scheme|headers?|credentials?|realm|error|scope|charset|access|usage|http|or|and|is|was|not|required|error_description|resource_metadata)$/i;

/**
 * Authorization values outside a header: `Bearer <token>` (RFC 6750) and `Basic <base64 of user:password>` (RFC 7617).
 * The comma is for flattened header arrays.
 */
export function findSchemes(text: string, found: Span[]): void {
  SCHEMES.lastIndex = 0;
  for (let match = SCHEMES.exec(text); match; match = SCHEMES.exec(text)) {
    const start = match.index + match[0].length;
    let end = start;
    while (end < text.length && isTokenCode(text.charCodeAt(end))) end++;
    while (text.charCodeAt(end) === 61) end++;
    SCHEMES.lastIndex = Math.max(end, start + 1);
    const token = text.slice(start, end);
    const isSecret =
      match[1]!.toLowerCase() === 'basic'
        ? looksLikeBasic(token)
        : token.length >= 6 && !PROSE.test(token.replace(/[.=]{1,3}$/, ''));
    if (isSecret) found.push({ start, end, rule: match[1]!.toLowerCase(), taints: true });
  }
}

const SASL = /\bAUTH (?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER) {1,4}([A-Za-z0-9+/]{8,4096}={0,2})/g;

/** `AUTH PLAIN <base64>` of SMTP and its relatives (RFC 4954). */
export function findSasl(text: string, found: Span[]): void {
  SASL.lastIndex = 0;
  for (let match = SASL.exec(text); match; match = SASL.exec(text)) {
    found.push({
      start: SASL.lastIndex - match[1]!.length,
      end: SASL.lastIndex,
      rule: 'basic',
      taints: true,
    });
  }
}

function looksLikeBasic(token: string): boolean {
  if (token.length < 4 || PROSE.test(token)) return false;
  return Buffer.from(token.slice(0, 512), 'base64').includes(58);
}

// The token68 alphabet of RFC 9110 section 11.2, without its padding.
function isTokenCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 45 ||
    code === 46 ||
    code === 95 ||
    code === 126 ||
    code === 43 ||
    code === 47
  );
}
