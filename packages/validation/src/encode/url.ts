import { option, OptionError, readOptions, type OptionReader, parseUrl } from '@portcullis/core';
import { errors } from '../error-codes.js';

/** A name or value in a query string or fragment: nothing but letters, digits and `-._~` stays as it is (RFC 3986). */
export function encodeQueryPart(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * One segment of a path. `.`, `..` and empty text cannot be encoded so that nobody takes them for what they are.
 * @throws E_VALIDATION (400) for those
 */
export function encodePathSegment(text: string): string {
  if (text !== '' && text !== '.' && text !== '..') return encodeQueryPart(text);
  const message = 'must not be empty, a dot or two';
  throw errors.E_VALIDATION({
    problem: { errors: [{ in: 'params', pointer: '', keyword: 'pathSegment', message }] },
  });
}

export interface SafeUrlOptions {
  /** Lower-case, without the colon. Schemes that run code cannot be named. @default ['https', 'http', 'mailto'] */
  readonly schemes?: readonly string[];
  /** Accept paths, queries and fragments of this site: `/x`, `./x`, `../x`, `?x`, `#x`. @default true */
  readonly relative?: boolean;
}

export type UrlChecker = (text: string) => string | undefined;

const RUNS_CODE: ReadonlySet<string> = new Set([
  'javascript',
  'vbscript',
  'data',
  'blob',
  'filesystem',
  'about',
  'view-source',
]);

const scheme: OptionReader<string> = (value, owner, path) => {
  const name = option.string({ max: 30, pattern: /^[a-z][a-z0-9+.-]*$/ })(value, owner, path);
  if (!RUNS_CODE.has(name)) return name;
  throw new OptionError('E_OPTION_VALUE', owner, path, `${path} names "${name}", which can run code`);
};

/**
 * Builds a check for addresses that go into `href`, `src` and the like: the address as the parser of browsers writes it, or
 * undefined. Refused are other schemes however they are spelt, spaces and controls (parsers drop some of them),
 * backslashes, addresses of other sites without a scheme, user names and passwords, and character references.
 * The result still has to be escaped for the attribute.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V1.2.2
 */
export function createUrlChecker(options: SafeUrlOptions = {}): UrlChecker {
  const { schemes, relative } = readOptions('createUrlChecker', options, {
    schemes: option.array(scheme, { min: 1, max: 50, default: ['https', 'http', 'mailto'] }),
    relative: option.boolean(true),
  });
  const known = new Set(schemes.map((name) => `${name}:`));
  return (text) => {
    if (text.length > MAX_URL || !text.isWellFormed() || UNSAFE_CHARACTER.test(text)) return undefined;
    if (RELATIVE.test(text)) return relative && !text.startsWith('//') ? text : undefined;
    const url = parseUrl(text);
    if (!url) return undefined;
    const { protocol, username, password, href } = url;
    return known.has(protocol) && username === '' && password === '' ? href : undefined;
  };
}

const MAX_URL = 2048;
/** Spaces, controls, invisible characters, backslashes, quotes and brackets of HTML, and what could be a character reference. */
const UNSAFE_CHARACTER = /[\p{C}\p{Z}\\<>"'`]|&#|&[A-Za-z][A-Za-z0-9]*;/u;
const RELATIVE = /^(?:\/|\.{1,2}\/|[?#])/;
