import { parseUrl } from '@portcullis/core';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { digitsOf } from './currencies.js';
import { isIsbn, isIsbn10, isIsbn13 } from './isbn.js';
import { isLine, isSearch, isText } from './lines.js';
import { isPrice } from './money.js';
import { isPhone } from './phone.js';
import { isReservedName, isUnicodeUsername } from './username.js';

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
  text: { max: Number.POSITIVE_INFINITY, test: isText },
  raw: { max: Number.POSITIVE_INFINITY, test: () => true },
  search: { max: 100, test: isSearch },
  // Names.
  username: { max: 32, test: (text) => USERNAME.test(text) && !isReservedName(text) },
  'unicode-username': { max: 64, test: isUnicodeUsername },
  slug: { max: 100, test: pattern(/^[a-z0-9]+(?:-[a-z0-9]+)*$/) },
  email: { max: 254, test: isEmail },
  'https-url': { max: 2048, test: isHttpsUrl },
  phone: { max: 16, test: isPhone },
  // Money.
  currency: { max: 3, test: (text) => digitsOf(text) !== undefined },
  price: { max: 17, test: isPrice },
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

const USERNAME = /^[A-Za-z0-9](?:[._-]?[A-Za-z0-9]){2,31}$/;

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

function fromAjv(name: keyof typeof fullFormats): (text: string) => boolean {
  const format: unknown = fullFormats[name];
  const test =
    typeof format === 'object' && format !== null && 'validate' in format ? format.validate : format;
  if (test instanceof RegExp) return pattern(test);
  return test as (text: string) => boolean;
}
