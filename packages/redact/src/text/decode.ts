const ESCAPED =
  /(?:%[0-9A-Fa-f]{2})+|&(?:quot|apos|amp|lt|gt|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});|\\x[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}/g;
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&quot;', '"'],
  ['&apos;', "'"],
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
]);

/** One level of percent-encoding, HTML entities, and `\x22` and `\u0022` as nginx and JSON write them. */
export function decodeEscapes(text: string): string {
  // Not replace(): V8 keeps every match of it until the end, and beyond some 8,000 of them the time for each doubles.
  let decoded = '';
  let from = 0;
  for (const { 0: escape, index } of text.matchAll(ESCAPED)) {
    decoded += text.slice(from, index) + decodeEscape(escape);
    from = index + escape.length;
  }
  return from === 0 ? text : decoded + text.slice(from);
}

function decodeEscape(escape: string): string {
  if (escape[0] === '%') return decodePercent(escape);
  if (escape[0] === '\\') return String.fromCharCode(Number.parseInt(escape.slice(2), 16));
  if (escape[1] !== '#') return ENTITIES.get(escape)!;
  const hex = escape[2] === 'x' || escape[2] === 'X';
  const code = Number.parseInt(escape.slice(hex ? 3 : 2), hex ? 16 : 10);
  return code <= 0x10_ffff ? String.fromCodePoint(code) : escape;
}

/** Percent-decoding that takes what it can (RFC 3986 section 2.1): malformed escapes stay as they are. */
export function decodePercent(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    const bytes = Buffer.from(escapes.replaceAll('%', ''), 'hex');
    const decoded = bytes.toString('utf8');
    return decoded.includes('\ufffd') ? bytes.toString('latin1') : decoded;
  });
}

// C0 and C1 controls, line and paragraph separators, and all bidirectional controls (the "Trojan Source" set).
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;
const BEYOND_PLAIN = /[^ -~]/;
const EVERY_UNSAFE = new RegExp(UNSAFE, 'g');

/**
 * Makes a text fit for one line of a log that people read: control characters (line ends, escape sequences, NEL),
 * U+2028/2029 and bidirectional controls become `\u001b`-style escapes.
 * Applied to JSON text it stays valid JSON with the same meaning.
 * @see OWASP Logging Cheat Sheet, "Log injection"; CVE-2021-42574
 */
export function escapeControls(text: string): string {
  // Most lines are plain ASCII, which this sees faster.
  if (!BEYOND_PLAIN.test(text) || !UNSAFE.test(text)) return text;
  return text.replace(
    EVERY_UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
