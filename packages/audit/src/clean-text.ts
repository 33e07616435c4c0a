/**
 * Characters that JSON leaves as they are and that still end a line, move the cursor or turn the direction of text around
 * (DEL, C1, line and paragraph separators, bidirectional controls): nobody who prints an entry may be fooled by it.
 */
// oxlint-disable-next-line no-control-regex
const TRICKY = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const EACH_TRICKY = new RegExp(TRICKY, 'g');

/** Whether a JSON text can be stored and shown as it is. A JSON text escapes C0 controls by itself. */
export function isClean(json: string): boolean {
  return !TRICKY.test(json) && !json.includes('\\u0000');
}

/**
 * The same value with tricky characters written out as `\u202e`, NUL as U+2400 and lone surrogates replaced: PostgreSQL stores
 * neither of the last two, and an attacker must not be able to block a record.
 */
export function cleaned<T>(value: T): T {
  if (typeof value === 'string') return cleanText(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => cleaned(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), cleaned(item)])) as T;
}

function cleanText(text: string): string {
  return text
    .replaceAll('\0', '\u2400')
    .toWellFormed()
    .replace(EACH_TRICKY, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
