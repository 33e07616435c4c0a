/**
 * Text as part of one line of a log: controls, line separators, characters that turn the reading direction or cannot be seen, and
 * the backslash itself become escapes, so that nobody can forge a line, hide one, or speak to the terminal of its reader
 * (morgan CVE-2026-5078). Never longer than `maxLength` characters, 1024 by default, with `...` where it was cut.
 */
export function escapeLog(text: string, maxLength = 1024): string {
  const kept = text.length > maxLength ? text.slice(0, maxLength) : text;
  const escaped = kept.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\\]/gu, (character) => {
    const code = character.codePointAt(0)!;
    if (character === '\\') return '\\\\';
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
  return kept.length < text.length ? `${escaped}...` : escaped;
}
