import type { NameClassifier } from '../name-rules.js';
import { looksRandom } from '../taints.js';
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
      const named = colon !== -1 && colon < lastAt;
      const from = named ? colon + 1 : start;
      // Only where nobody signs in with a name alone is a lone part a token: `postgres://app@db` is a user.
      const isSecret = named || isWeb(text, at) || looksRandom(text.slice(from, lastAt));
      if (lastAt > from && isSecret) found.push({ start: from, end: lastAt, rule: 'url', taints: true });
    }
    at = Math.max(end, start);
  }
}

function isWeb(text: string, colon: number): boolean {
  return /https?$/i.test(text.slice(Math.max(0, colon - 5), colon));
}

/** Data sources that are no URLs: `app:SECRET@tcp(db:3306)` of Go, `jdbc:oracle:thin:scott/SECRET@db`. */
export function findDataSources(text: string, found: Span[]): void {
  const at = text.search(/@(?:tcp|unix)\(/);
  if (at !== -1) {
    const begin = text.slice(Math.max(0, at - LONGEST_USER), at).search(/[^\s"'`=]+$/);
    const start = Math.max(0, at - LONGEST_USER) + begin;
    const colon = begin === -1 ? -1 : text.indexOf(':', start);
    if (colon !== -1 && colon + 1 < at) found.push({ start: colon + 1, end: at, rule: 'url', taints: true });
  }
  const oracle = /:(?:thin|oci):[^\s/@]{1,64}\/([^\s@]{1,128})@/.exec(text);
  if (oracle) {
    const end = oracle.index + oracle[0].length - 1;
    found.push({ start: end - oracle[1]!.length, end, rule: 'url', taints: true });
  }
}

const LONGEST_USER = 256;
const LINK = /\/([A-Za-z][A-Za-z_-]{2,40})\/([A-Za-z0-9_-]{20,512})(?=[/?#\s"'<>,;)]|$)/g;
const LINK_NAMES = /^(?:magic|reset|verif|confirm|activat|invit|unlock|recover|unsubscribe)/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `/reset-password/3f9c...`: a segment that looks random behind one that says what it is. A UUID may be just an id. */
export function findLinkTokens(text: string, classify: NameClassifier, found: Span[]): void {
  LINK.lastIndex = 0;
  for (let match = LINK.exec(text); match; match = LINK.exec(text)) {
    const [whole, name, value] = match as unknown as [string, string, string];
    LINK.lastIndex = match.index + 1 + name.length;
    const rule = classify(name);
    if ((!rule || rule.weak) && !LINK_NAMES.test(name)) continue;
    if (!looksRandom(value) || !/[A-Za-z0-9]{16}/.test(value) || UUID.test(value)) continue;
    const start = match.index + whole.length - value.length;
    found.push({ start, end: start + value.length, rule: 'url', taints: true });
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
