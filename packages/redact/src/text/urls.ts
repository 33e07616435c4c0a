import type { Span } from './spans.js';

/**
 * Passwords in the userinfo of a URL (`postgres://u:X@host`), also when they hold `/` or `#` unescaped; a lone
 * userinfo (`https://token@host`) counts as a secret, because that is how tokens are put there.
 */
export function findUserInfo(text: string, found: Span[]): void {
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at)) {
    const start = at + 3;
    let end = start;
    let authorityEnd = -1;
    let lastAt = -1;
    let colon = -1;
    let goesOn = false;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code <= 32 || code === 34 || code === 60 || code === 62 || code === 96) break;
      if (code === 64) {
        if (authorityEnd === -1 || goesOn) lastAt = end;
      } else if (code === 58 && colon === -1 && authorityEnd === -1) {
        colon = end;
        if (text.startsWith('://', end)) break; // Another URL begins (`jdbc:x://a://`).
      } else if ((code === 47 || code === 63 || code === 35) && authorityEnd === -1) {
        authorityEnd = end;
        goesOn = passwordGoesOn(text, colon, end);
      }
    }
    if (lastAt > start) {
      const from = colon !== -1 && colon < lastAt ? colon + 1 : start;
      if (lastAt > from) found.push({ start: from, end: lastAt, rule: 'url', taints: true });
    }
    at = Math.max(end, start);
  }
}

// What follows the colon up to the first `/` is a port, or else the password goes on behind it.
function passwordGoesOn(text: string, colon: number, authorityEnd: number): boolean {
  if (colon === -1) return false;
  for (let i = colon + 1; i < authorityEnd; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return true;
  }
  return false;
}
