import type { Span } from './spans.js';

const BEGIN = '-----BEGIN';
const SSH2 = '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY';
const END = '-----END ';

/** Private keys in PEM armour (RFC 7468, OpenSSH, PGP); one without its end runs to the end of the text. */
export function findPem(text: string, found: Span[]): void {
  for (let at = text.indexOf(BEGIN); at !== -1; at = text.indexOf(BEGIN, at)) {
    const label = text.slice(at + BEGIN.length, at + BEGIN.length + 64);
    const labelEnd = label.indexOf('-----');
    const start = at;
    at += BEGIN.length;
    // In a form, blanks are plus signs.
    if (labelEnd === -1 || !label.slice(0, labelEnd).replaceAll('+', ' ').includes('PRIVATE KEY')) continue;
    const close = text.indexOf(END, at);
    const closeEnd = close === -1 ? -1 : text.indexOf('-----', close + END.length);
    const end = closeEnd === -1 ? text.length : closeEnd + 5;
    found.push({ start, end, rule: 'pem', taints: false });
    at = end;
  }
  const ssh = text.indexOf(SSH2);
  if (ssh === -1) return;
  const end = text.indexOf('---- END', ssh);
  found.push({ start: ssh, end: end === -1 ? text.length : end, rule: 'pem', taints: false });
}
