import type { IncomingMessage } from 'node:http';

/** RFC 9110 section 8.3.1: type, subtype and parameters, each of which may be quoted. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const ESSENCE = new RegExp(`(${TOKEN}/${TOKEN})[ \\t]*(?:;|$)`, 'y');
const PARAMETER = new RegExp(
  `[ \\t]*(${TOKEN})=(?:(${TOKEN})|"([^"\\\\\\x00-\\x08\\x0a-\\x1f\\x7f]*)")[ \\t]*(?:;|$)`,
  'y',
);

/**
 * The media type of a body that is text in UTF-8, or undefined for a header that is absent, doubled, unreadable, or names
 * another charset: whoever reads it otherwise would see other characters.
 */
export function utf8MediaType(req: IncomingMessage): string | undefined {
  const header = req.headers['content-type'];
  if (header === undefined || timesGiven(req, 'content-type') > 1) return undefined;
  if (isPlain(header)) return header;
  ESSENCE.lastIndex = 0;
  const type = ESSENCE.exec(header)?.[1]?.toLowerCase();
  if (type === undefined) return undefined;
  let charset: string | undefined;
  for (let at = ESSENCE.lastIndex; at < header.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at;
    const [, name, token, quoted] = PARAMETER.exec(header) ?? [];
    if (name === undefined) return undefined;
    if (name.toLowerCase() !== 'charset') continue;
    if (charset !== undefined) return undefined;
    charset = (token ?? quoted ?? '').toLowerCase();
  }
  return charset === undefined || charset === 'utf-8' ? type : undefined;
}

/** What nearly every client sends. */
function isPlain(header: string): boolean {
  return header === 'application/json' || header === 'application/x-www-form-urlencoded';
}

/** Node keeps the first of two `Content-Type` fields; somebody on the way may have kept the second. */
function timesGiven({ rawHeaders }: IncomingMessage, name: string): number {
  let times = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i]!;
    if (given.length === name.length && given.toLowerCase() === name) times++;
  }
  return times;
}

/** RFC 9112 section 6: there is a body if one of these two says so. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}
