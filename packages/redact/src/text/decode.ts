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
