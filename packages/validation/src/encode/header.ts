// Controls of both sets, line and paragraph separators, and what turns the reading direction or cannot be seen.
const INVISIBLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/**
 * Text as a value of a response header: one line, in the characters that headers can hold. Everything else becomes a space
 * or a question mark, so that no second header and no second response begins (CRLF injection).
 */
export function headerText(text: string): string {
  return text
    .toWellFormed()
    .replace(INVISIBLE, ' ')
    .replace(/[^\x20-\x7e]/gu, '?')
    .trim();
}

/** The same inside of quotes, quotes included (RFC 9110 section 5.6.4). */
export function quoteHeader(text: string): string {
  return `"${headerText(text).replace(/["\\]/g, '\\$&')}"`;
}

/**
 * `Content-Disposition` for a file name that somebody else chose (RFC 6266, RFC 8187): no folders, controls or characters that
 * change the reading direction; a plain form for old programs and the real one.
 */
export function contentDisposition(fileName: string, type: 'attachment' | 'inline' = 'attachment'): string {
  const name = cleanName(fileName);
  const plain = name.replace(/[^\x20-\x7e]|[%"\\]/gu, '_');
  const extended = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return plain === name
    ? `${type}; filename="${plain}"`
    : `${type}; filename="${plain}"; filename*=UTF-8''${extended}`;
}

function cleanName(fileName: string): string {
  const name = fileName
    .toWellFormed()
    .replace(INVISIBLE, '')
    .replace(/[/\\:*?"<>|]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '')
    .slice(0, 200)
    .toWellFormed();
  return name === '' ? 'file' : name;
}
