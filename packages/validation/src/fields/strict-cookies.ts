import {
  ALLOW,
  ensureContext,
  guard,
  noEvents,
  option,
  readOptions,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityRequest,
} from '@portcullis/core';
import { fieldName, withoutFault } from './parse-fields.js';
import { decodePercent, refuseField } from './split-fields.js';

declare module '@portcullis/core' {
  interface SecurityContext {
    /** Written by `strictCookies()`: the cookies that it names. Frozen, without a prototype. */
    cookies?: Readonly<Record<string, string>>;
  }
}

export interface StrictCookiesOptions {
  /** The cookies that this application reads. Others are left alone: anybody on a sister domain can set them. */
  readonly names: readonly string[];
  /** Characters of the whole header, 1 to 65,536. @default 8192 */
  readonly maxLength?: number;
  /** Cookies in the header, those of others included, 1 to 1000. @default 100 */
  readonly maxCookies?: number;
  readonly events?: Events;
}

/** RFC 6265 section 4.1.1, cookie-octet, with the quotes that it allows around them. */
const VALUE =
  /^(?:[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*|"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")$/;

/**
 * Reads the named cookies into `req.security.cookies`, percent-decoded once. One of them that comes twice, or holds what
 * RFC 6265 does not allow, is refused: the other may be an attacker's (cookie tossing). Names that begin with `__Host-`
 * cannot be set from elsewhere, so that nobody can lock a person out with a second one.
 * @throws OptionError; per request E_TEXT_FIELDS (400)
 */
export function strictCookies(options: StrictCookiesOptions): Middleware {
  const { names, maxLength, maxCookies, events } = readOptions('strictCookies', options, {
    names: option.array(cookieName, { min: 1, max: 100 }),
    maxLength: option.integer({ min: 1, max: 65_536, default: 8192 }),
    maxCookies: option.integer({ min: 1, max: 1000, default: 100 }),
    events: option.port<Events>(['emit'], noEvents),
  });
  const listed = new Set(names);

  return guard('strictCookies', { stage: 'body', detail: 'cookies', events }, (req: SecurityRequest) => {
    const header = req.headers.cookie ?? '';
    ensureContext(req).cookies = withoutFault('cookies', () => {
      if (header.length > maxLength) {
        refuseField([], 'maxLength', `must not have more than ${maxLength} characters`);
      }
      const pairs = header.split(';', maxCookies + 1);
      if (pairs.length > maxCookies)
        refuseField([], 'count', `must not have more than ${maxCookies} cookies`);
      return readCookies(pairs, listed);
    });
    return ALLOW;
  });
}

function readCookies(
  pairs: readonly string[],
  listed: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = trim(pair.slice(0, Math.max(0, equals)));
    if (!listed.has(name)) continue;
    if (cookies[name] !== undefined) refuseField([name], 'duplicate', 'must not occur more than once');
    const text = trim(pair.slice(equals + 1));
    if (!VALUE.test(text)) refuseField([name], 'encoding', 'must be a cookie value');
    cookies[name] = decodePercent(text.startsWith('"') ? text.slice(1, -1) : text);
  }
  return Object.freeze(cookies);
}

/** Spaces and tabs only; `trim()` would take line separators and byte order marks too. */
function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

const cookieName: OptionReader<string> = (value, owner, path) =>
  option.string({ max: 256, pattern: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/ })(
    fieldName(value, owner, path),
    owner,
    path,
  );
