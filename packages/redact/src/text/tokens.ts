import type { Span } from './spans.js';
import { isAlphanumeric } from './sniff.js';
import { compileVendorKeys, marksIn } from './vendor-keys.js';

/**
 * Scans for JSON Web Tokens (RFC 7515 and 7516 compact forms) and vendor keys: walks over each run of token
 * characters once and tries at its start and behind each of its inner borders.
 */
export function compileTokens(wanted: { readonly jwt: boolean; readonly vendor: boolean }) {
  const vendorEndAt = compileVendorKeys();

  return (text: string, found: Span[]): void => {
    const marks = wanted.vendor ? marksIn(text) : [];
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (!isAlphanumeric(code)) continue;
      // Start of a word: keys stand behind a border (`=`, `/`, `.`, `_`, quote), never in the middle of letters.
      const end = wanted.jwt && code === LOWER_E ? jwtEnd(text, i) : -1;
      if (end !== -1) {
        found.push({ start: i, end, rule: 'jwt', taints: true });
        i = end - 1;
        continue;
      }
      const vendorEnd = wanted.vendor ? vendorEndAt(text, i, marks) : -1;
      if (vendorEnd !== -1) {
        found.push({ start: i, end: vendorEnd, rule: 'vendor', taints: true });
        i = vendorEnd - 1;
        continue;
      }
      while (i + 1 < text.length && isAlphanumeric(text.charCodeAt(i + 1))) i++;
    }
  };
}

const LOWER_E = 101;
const DOT = 46;

/** `eyJ...` (base64url of `{"`) with at least one dot. */
function jwtEnd(text: string, start: number): number {
  if (text.charCodeAt(start + 1) !== 121 || text.charCodeAt(start + 2) !== 74) return -1;
  let dots = 0;
  let i = start + 3;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) dots++;
    else if (!isAlphanumeric(code) && code !== 45 && code !== 95) break;
  }
  return dots >= 1 && i - start >= 16 ? i : -1;
}
