import { parseUrl } from '@portcullis/core';
import { fullFormats } from 'ajv-formats/dist/formats.js';

/** One named format: a longest length, checked first, and a linear test. */
interface Format {
  readonly max: number;
  readonly test: (text: string) => boolean;
}

const pattern =
  (expression: RegExp) =>
  (text: string): boolean =>
    expression.test(text);

/**
 * Every format that a schema may name. Each has its own bound, so that none needs a `maxLength`.
 * Of ajv-formats only those are taken that a web service meets; the rest is refused at start.
 */
export const formats: Readonly<Record<string, Format>> = Object.freeze({
  // Text. `line` is what a string is when its schema says nothing else.
  line: { max: Number.POSITIVE_INFINITY, test: isLine },
  text: { max: Number.POSITIVE_INFINITY, test: (text) => isLine(text.replaceAll(/[\t\n\r]/g, ' ')) },
  raw: { max: Number.POSITIVE_INFINITY, test: () => true },
  // Names.
  username: { max: 32, test: pattern(/^[A-Za-z0-9](?:[._-]?[A-Za-z0-9]){2,31}$/) },
  slug: { max: 100, test: pattern(/^[a-z0-9]+(?:-[a-z0-9]+)*$/) },
  email: { max: 254, test: isEmail },
  'https-url': { max: 2048, test: isHttpsUrl },
  // Books.
  isbn10: { max: 10, test: isIsbn10 },
  isbn13: { max: 13, test: isIsbn13 },
  isbn: { max: 17, test: isIsbn },
  // From ajv-formats.
  date: { max: 10, test: fromAjv('date') },
  time: { max: 40, test: fromAjv('time') },
  'date-time': { max: 60, test: fromAjv('date-time') },
  duration: { max: 60, test: fromAjv('duration') },
  uuid: { max: 36, test: pattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i) },
  ipv4: { max: 15, test: fromAjv('ipv4') },
  ipv6: { max: 45, test: fromAjv('ipv6') },
  hostname: { max: 253, test: fromAjv('hostname') },
});

/** The formats as ajv takes them. */
export function ajvFormats(): Record<string, (text: string) => boolean> {
  return Object.fromEntries(
    Object.entries(formats).map(([name, { max, test }]) => [
      name,
      (text: string) => text.length <= max && test(text),
    ]),
  );
}

// C0, DEL, C1, line and paragraph separators; bidirectional embeddings, overrides and isolates (CVE-2021-42574);
// byte order mark, interlinear annotation and tag characters, which are invisible.
const NOT_IN_A_LINE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/u;

function isLine(text: string): boolean {
  return text.isWellFormed() && !NOT_IN_A_LINE.test(text);
}

// The form of ajv-formats (RFC 5321 mailboxes without quoted local parts), with the bounds of RFC 5321 4.5.3.1.
function isEmail(text: string): boolean {
  return text.lastIndexOf('@') <= 64 && text.includes('.', text.lastIndexOf('@')) && EMAIL(text);
}

const EMAIL = fromAjv('email');

function isHttpsUrl(text: string): boolean {
  // The parser forgives spaces, tabs, backslashes and missing slashes; programs that read the text later may not.
  if (!text.startsWith('https://') || /[\s\\]/.test(text) || !isLine(text)) return false;
  const url = parseUrl(text);
  return url !== undefined && url.hostname !== '' && url.username === '' && url.password === '';
}

/** ISO 2108: ten digits, the last may be X; the sum weighted 10 to 1 is a multiple of 11. */
function isIsbn10(text: string): boolean {
  if (!/^\d{9}[\dX]$/.test(text)) return false;
  const sum = text
    .split('')
    .reduce((total, digit, i) => total + (digit === 'X' ? 10 : Number(digit)) * (10 - i), 0);
  return sum % 11 === 0;
}

/** ISO 2108: thirteen digits from 978 or 979; the sum weighted 1 and 3 is a multiple of 10. */
function isIsbn13(text: string): boolean {
  if (!/^97[89]\d{10}$/.test(text)) return false;
  return (
    text.split('').reduce((total, digit, i) => total + Number(digit) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
  );
}

/** Either, as printed on books too: single hyphens or spaces between digits. */
function isIsbn(text: string): boolean {
  if (!/^\d(?:[- ]?\d){8,11}[- ]?[\dX]$/.test(text)) return false;
  const digits = text.replaceAll(/[- ]/g, '');
  return isIsbn10(digits) || isIsbn13(digits);
}

function fromAjv(name: keyof typeof fullFormats): (text: string) => boolean {
  const format: unknown = fullFormats[name];
  const test =
    typeof format === 'object' && format !== null && 'validate' in format ? format.validate : format;
  if (test instanceof RegExp) return pattern(test);
  return test as (text: string) => boolean;
}
