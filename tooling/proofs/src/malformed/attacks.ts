import { gzipSync } from 'node:zlib';
import type { Socket } from 'node:net';
import type { Places } from './target.js';

export interface Attack {
  readonly name: string;
  bytes(places: Places): string | Buffer;
  /** Whether a server may take it: `answer` for what is odd but allowed. */
  readonly must: 'refuse' | 'answer';
  /** What is sent after the first bytes. */
  readonly then?: (socket: Socket) => void;
  /** How long to wait for an answer. */
  readonly waitMs?: number;
}

/** The rest of a request whose beginning the attack writes. */
const head = ({ host, proxied }: Places, ...lines: readonly string[]): string =>
  [
    `Host: ${host}`,
    ...proxied,
    'Accept: application/json',
    'Sec-Fetch-Site: same-origin',
    ...lines,
    '',
    '',
  ].join('\r\n');
const get = (places: Places, path: string, ...lines: readonly string[]): string =>
  `GET ${path} HTTP/1.1\r\n${head(places, ...lines)}`;
const post = (places: Places, body: string | Buffer, ...lines: readonly string[]): Buffer => {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body, 'latin1');
  const start = `POST ${places.json} HTTP/1.1\r\n${head(places, ...lines, `Content-Length: ${bytes.length}`)}`;
  return Buffer.concat([Buffer.from(start, 'latin1'), bytes]);
};
const JSON_TYPE = 'Content-Type: application/json';
const BODY = '{"a":1}';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';

type Make = (places: Places) => string | Buffer;
const refuse = (name: string, bytes: Make, more: Partial<Attack> = {}): Attack => ({
  name,
  bytes,
  must: 'refuse',
  ...more,
});
const answer = (name: string, bytes: Make, more: Partial<Attack> = {}): Attack => ({
  name,
  bytes,
  must: 'answer',
  ...more,
});

/** A POST whose framing is described by these lines. */
const framed =
  (lines: readonly string[], body: string): Make =>
  (places) =>
    `POST ${places.json} HTTP/1.1\r\n${head(places, JSON_TYPE, ...lines)}${body}`;
const CHUNKED = '7\r\n{"a":1}\r\n0\r\n\r\n';

const framing: readonly Attack[] = [
  refuse(
    'length and chunked',
    framed(['Content-Length: 7', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`),
  ),
  refuse(
    'chunked and length',
    framed(['Transfer-Encoding: chunked', 'Content-Length: 7'], `0\r\n\r\n${SMUGGLED}`),
  ),
  refuse('two lengths', framed(['Content-Length: 7', 'Content-Length: 50'], BODY + SMUGGLED)),
  refuse('a list of lengths', framed(['Content-Length: 7, 50'], BODY + SMUGGLED)),
  refuse('length +7', framed(['Content-Length: +7'], BODY)),
  refuse('length -7', framed(['Content-Length: -7'], BODY)),
  refuse('length 0x7', framed(['Content-Length: 0x7'], BODY)),
  refuse('length 7e0', framed(['Content-Length: 7e0'], BODY)),
  refuse('length of nothing', framed(['Content-Length:'], BODY)),
  refuse('length beyond 64 bits', framed([`Content-Length: ${'9'.repeat(30)}`], BODY)),
  refuse('length with a space within', framed(['Content-Length: 7 7'], BODY)),
  refuse('length in two lines', framed(['Content-Length: 1\r\n 7'], BODY)),
  refuse('transfer coding xchunked', framed(['Transfer-Encoding: xchunked'], CHUNKED)),
  refuse('transfer coding chunked, identity', framed(['Transfer-Encoding: chunked, identity'], CHUNKED)),
  refuse('transfer coding identity', framed(['Transfer-Encoding: identity'], CHUNKED)),
  refuse('transfer coding with a vertical tab', framed(['Transfer-Encoding: \vchunked'], CHUNKED)),
  refuse('transfer coding in quotes', framed(['Transfer-Encoding: "chunked"'], CHUNKED)),
  refuse('transfer coding behind a space', framed(['Transfer-Encoding : chunked'], CHUNKED)),
  refuse(
    'transfer coding of two lines',
    framed(['Transfer-Encoding:\r\n chunked', 'Content-Length: 7'], CHUNKED),
  ),
  refuse('chunk size not hexadecimal', framed(['Transfer-Encoding: chunked'], 'zz\r\n{"a":1}\r\n0\r\n\r\n')),
  refuse('chunk size negative', framed(['Transfer-Encoding: chunked'], '-7\r\n{"a":1}\r\n0\r\n\r\n')),
  refuse(
    'chunk size beyond 64 bits',
    framed(['Transfer-Encoding: chunked'], `${'f'.repeat(17)}\r\n{"a":1}\r\n`),
  ),
  refuse('chunk size 0x7', framed(['Transfer-Encoding: chunked'], '0x7\r\n{"a":1}\r\n0\r\n\r\n')),
  refuse('chunk longer than its size', framed(['Transfer-Encoding: chunked'], '3\r\n{"a":1}\r\n0\r\n\r\n')),
  refuse(
    'chunk extension of 100 kB',
    framed(['Transfer-Encoding: chunked'], `7;${'x'.repeat(100_000)}\r\n{"a":1}\r\n0\r\n\r\n`),
  ),
  refuse(
    'trailers of 100 kB',
    framed(['Transfer-Encoding: chunked'], `7\r\n{"a":1}\r\n0\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
  ),
  answer(
    'a trailer that is a header field',
    framed(
      ['Transfer-Encoding: chunked'],
      '7\r\n{"a":1}\r\n0\r\nContent-Length: 9\r\nHost: evil.example\r\n\r\n',
    ),
  ),
  refuse('chunks ended by bare line feeds', framed(['Transfer-Encoding: chunked'], '7\n{"a":1}\n0\n\n')),
  refuse(
    'a byte after the chunk instead of its end',
    framed(['Transfer-Encoding: chunked'], '7\r\n{"a":1}X0\r\n\r\n'),
  ),
];

/** A first line of one's own in front of what an honest request says. */
const line =
  (text: string | ((page: string) => string)): Make =>
  (places) =>
    `${typeof text === 'string' ? text : text(places.page)}\r\n${head(places)}`;
/** For a page, of a host of one's own. */
const hosted =
  (hostOf: (host: string) => string): Make =>
  ({ page, host }) =>
    `GET ${page} HTTP/1.1\r\nHost: ${hostOf(host)}\r\n\r\n`;
const field =
  (text: string): Make =>
  (places) =>
    get(places, places.page, text);

const heads: readonly Attack[] = [
  refuse('no host', ({ page }) => `GET ${page} HTTP/1.1\r\n\r\n`),
  refuse('two hosts', (places) => get(places, places.page, 'Host: evil.example')),
  refuse(
    'host with a space',
    hosted(() => 'a b'),
  ),
  refuse(
    'host with user information',
    hosted((host) => `evil@${host}`),
  ),
  refuse(
    'host with a path',
    hosted((host) => `${host}/evil`),
  ),
  answer('HTTP/0.9', ({ page }) => `GET ${page}\r\n\r\n`),
  refuse(
    'HTTP/9.9',
    line((page) => `GET ${page} HTTP/9.9`),
  ),
  refuse(
    'HTTP/1.1 misspelt',
    line((page) => `GET ${page} HTTTP/1.1`),
  ),
  refuse('preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  refuse('TLS on a plain port', () => Buffer.from('16030100f0010000ec0303', 'hex')),
  refuse('nothing but zeros', () => Buffer.alloc(4096)),
  refuse('nothing but 0xff', () => Buffer.alloc(4096, 0xff)),
  refuse(
    'method in lower case',
    line((page) => `get ${page} HTTP/1.1`),
  ),
  refuse(
    'unknown method',
    line((page) => `FOO ${page} HTTP/1.1`),
  ),
  refuse(
    'method of 10 kB',
    line((page) => `${'G'.repeat(10_000)} ${page} HTTP/1.1`),
  ),
  refuse(
    'method with NUL',
    line((page) => `GE\0T ${page} HTTP/1.1`),
  ),
  refuse('CONNECT', line('CONNECT evil.example:443 HTTP/1.1')),
  refuse(
    'TRACE',
    line((page) => `TRACE ${page} HTTP/1.1`),
  ),
  answer('OPTIONS *', line('OPTIONS * HTTP/1.1')),
  refuse('bare line feeds', ({ page, host }) => `GET ${page} HTTP/1.1\nHost: ${host}\n\n`),
  refuse('bare carriage returns', ({ page, host }) => `GET ${page} HTTP/1.1\rHost: ${host}\r\r`),
  refuse('space before a colon', field('X-Odd : 1')),
  refuse('a line without a colon', field('X-Odd')),
  refuse('a line without a name', field(': odd')),
  refuse('NUL in a value', field('X-Odd: a\0b')),
  refuse('NUL in a name', field('X-\0Odd: 1')),
  refuse('control characters in a value', field('X-Odd: a\u0001\u0008b')),
  refuse('carriage return in a value', field('X-Odd: a\rSet-Cookie: b=c')),
  refuse('folded line', field('X-Odd: a\r\n b')),
  refuse('header field of 100 kB', field(`X-Odd: ${'x'.repeat(100_000)}`)),
  refuse('5,000 header fields', (places) =>
    get(places, places.page, ...Array.from({ length: 5000 }, (_, i) => `X-${i}: 1`)),
  ),
  refuse('cookies of 50 kB', field(`Cookie: ${'a=b; '.repeat(10_000)}`)),
  answer('cookies without sense', field('Cookie: ;;;=;=a;a;"\\;__Host-x=\u00ff;%zz=%zz')),
  answer('bearer token without sense', field('Authorization: Bearer ..%00..')),
  answer('bearer token of 8 kB', field(`Authorization: Bearer ${'a'.repeat(8000)}`)),
  answer('basic credentials without sense', field('Authorization: Basic %%%%')),
  answer('unknown scheme', field('Authorization: Negotiate AAAA')),
  answer('accepts 2,000 types', field(`Accept: ${'a/b;q=0.1,'.repeat(600)}`)),
  answer('languages without sense', field('Accept-Language: ;q=;;,-,-,*;q=9')),
  answer('date without sense', field('If-Modified-Since: 99 Foo 9999999')),
  answer('tags without sense', field('If-None-Match: W/"\u00ff","",*,"""')),
  answer('origin without sense', field('Origin: http://[::1')),
  answer('fetch metadata without sense', field('Sec-Fetch-Mode: \u00ff\u00fe')),
  answer('forwarded for nobody', field('X-Forwarded-For: , ,,;\u00ff,[::1')),
  answer('forwarded without sense', field('Forwarded: for="[::1;proto=";;by')),
  answer(
    'upgrade to h2c',
    field('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA'),
  ),
  answer(
    'upgrade to a WebSocket',
    field('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x'),
  ),
  answer('connection names other fields', field('Connection: host, content-length, x-odd')),
  answer('expects the unexpected', field('Expect: 200-ok')),
  answer('5,000 ranges', (places) => get(places, places.file, `Range: bytes=${'0-0,'.repeat(3000)}1-1`)),
  answer('range without sense', (places) => get(places, places.file, 'Range: bytes=9-1,-,--5')),
];

const path = (name: string, text: string, must: 'refuse' | 'answer' = 'answer'): Attack => ({
  name,
  must,
  bytes: (places) => get(places, text.startsWith('/') || text === '*' ? text : `${places.page}${text}`),
});
const paths: readonly Attack[] = [
  path('%00 in the path', '/%00', 'refuse'),
  path('%ff in the path', '/%ff', 'refuse'),
  path('overlong UTF-8', '/%c0%ae%c0%ae/', 'refuse'),
  path('half an escape', '/%', 'refuse'),
  path('escape of no number', '/%zz', 'refuse'),
  path('half a surrogate', '/%ed%a0%80', 'refuse'),
  path('raw bytes beyond ASCII', '/\u00ff\u00fe', 'refuse'),
  path('raw UTF-8', '/\u00c3\u00a4', 'refuse'),
  path('backslashes', '/..\\..\\etc\\passwd', 'refuse'),
  path('escaped slashes', '/..%2f..%2fetc%2fpasswd', 'refuse'),
  path('dots above the root', '/../../../etc/passwd', 'refuse'),
  path('two slashes', '//evil.example/'),
  path('an empty host', '///'),
  path('a path of 100 kB', `/${'a'.repeat(100_000)}`, 'refuse'),
  path('a path of 2,000 parts', '/a'.repeat(2000), 'refuse'),
  path('matrix parameters', '/;a=b;c'),
  path('a star', '*', 'refuse'),
  path('query of 4,000 brackets', `?${'a[b]'.repeat(1000)}=1`),
  path('query with a prototype', '?__proto__[x]=1&constructor[prototype][y]=1'),
  path('query of 2,000 parameters', `?${'a=1&'.repeat(1900)}`),
  path('query that is not UTF-8', '?q=%ff%fe%c0%ae'),
  path('query with half an escape', '?q=%&%=q&=&&?'),
  path('query with NUL', '?q=%00'),
  answer('another host in the target', (places) => get(places, 'http://evil.example/')),
  answer('a scheme without a host', (places) => get(places, 'http:///')),
  refuse('a target that is none', (places) => get(places, '\\\\evil')),
  refuse('a target with a space', (places) => get(places, '/a b')),
  refuse('NUL in the target', (places) => get(places, '/a\0b')),
];

const body = (name: string, text: string | Buffer, ...lines: readonly string[]): Attack =>
  refuse(name, (places) => post(places, text, ...(lines.length > 0 ? lines : [JSON_TYPE])));
const bodies: readonly Attack[] = [
  body('JSON that is not UTF-8', '{"a":"\u00ff\u00fe"}'),
  body('NUL in JSON', '{"a":"\0"}'),
  body('escaped NUL in JSON', '{"a":"\\u0000"}'),
  body('half a surrogate in JSON', '{"a":"\\ud800"}'),
  body('truncated JSON', '{"a":[1,'),
  body('JSON twice', '{"a":1}{"a":1}'),
  body('a name twice in JSON', '{"email":"a","email":"b"}'),
  body('prototype in JSON', '{"__proto__":{"x":1},"constructor":{"prototype":{"y":1}}}'),
  body('100,000 brackets', '['.repeat(100_000)),
  body('5,000 objects deep', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`),
  body('a number of 100,000 digits', `{"a":${'9'.repeat(100_000)}}`),
  body('1e999', '{"a":1e999}'),
  body('JSON null', 'null'),
  body('JSON text', '"text"'),
  body('nothing as JSON', ''),
  body('byte order mark', '\u00ef\u00bb\u00bf{"a":1}'),
  body('UTF-16', Buffer.from('{"a":1}', 'utf16le'), 'Content-Type: application/json; charset=utf-16'),
  body('UTF-7', BODY, 'Content-Type: application/json; charset=utf-7'),
  body('unknown charset', BODY, 'Content-Type: application/json; charset=\u00ff'),
  body('half a parameter', BODY, 'Content-Type: application/json;charset="'),
  body('two types', BODY, 'Content-Type: application/json, text/html'),
  body('no type', BODY, 'X-Odd: 1'),
  body('type without a subtype', BODY, 'Content-Type: json'),
  body('garbage as gzip', 'not gzip', JSON_TYPE, 'Content-Encoding: gzip'),
  body('a gzip bomb of 50 MB', gzipSync(Buffer.alloc(50_000_000, 0x20)), JSON_TYPE, 'Content-Encoding: gzip'),
  body('half a gzip', gzipSync(Buffer.from('{"a":1}')).subarray(0, 12), JSON_TYPE, 'Content-Encoding: gzip'),
  body('unknown coding', BODY, JSON_TYPE, 'Content-Encoding: lol'),
  body('six codings', BODY, JSON_TYPE, 'Content-Encoding: gzip, gzip, br, deflate, gzip, gzip'),
  body('multipart without a boundary', '--x\r\n\r\n--x--', 'Content-Type: multipart/form-data'),
  body(
    'multipart that ends early',
    '--x\r\nContent-Disposition: form-data; name="a',
    'Content-Type: multipart/form-data; boundary=x',
  ),
  body(
    'multipart with a boundary of 1,000',
    '--x',
    `Content-Type: multipart/form-data; boundary=${'x'.repeat(1000)}`,
  ),
  body('10 MB', `{"a":"${'x'.repeat(10_000_000)}"}`),
  ...['a=%', 'a=%ff%fe', 'a=1&'.repeat(50_000), `${'a[b]'.repeat(5000)}=1`, '__proto__[x]=1', 'a=%00'].map(
    (text, i) =>
      refuse(
        ['half an escape', 'no UTF-8', '50,000 fields', '5,000 brackets', 'a prototype', 'NUL'][i]! +
          ' in a form',
        (places) =>
          `POST ${places.form} HTTP/1.1\r\n${head(places, 'Content-Type: application/x-www-form-urlencoded', `Content-Length: ${text.length}`)}${text}`,
      ),
  ),
  answer('GET with a body', (places) => `${get(places, places.page, JSON_TYPE, 'Content-Length: 7')}${BODY}`),
  refuse(
    'DELETE with a broken body',
    (places) => `DELETE ${places.json} HTTP/1.1\r\n${head(places, JSON_TYPE, 'Content-Length: 3')}{"a`,
  ),
];

const destroyedAfter = (ms: number): Partial<Attack> => ({
  then: (socket) => setTimeout(() => socket.destroy(), ms),
});
const resetAfter = (ms: number): Partial<Attack> => ({
  then: (socket) => setTimeout(() => socket.resetAndDestroy(), ms),
});
const ended: Partial<Attack> = { then: (socket) => void socket.end() };

const endings: readonly Attack[] = [
  refuse('upload that is aborted', framed(['Content-Length: 1000000'], '{"a":"'), destroyedAfter(20)),
  refuse('upload that is reset', framed(['Content-Length: 1000000'], '{"a":"'), resetAfter(20)),
  refuse(
    'chunks that are aborted',
    framed(['Transfer-Encoding: chunked'], '1000\r\n{"a":"'),
    destroyedAfter(20),
  ),
  refuse('half a request and an end', ({ page }) => `GET ${page} HTTP/1.1\r\nHo`, ended),
  refuse('half a body and an end', framed(['Content-Length: 100'], '{"a":'), ended),
  answer('a request and an end', (places) => get(places, places.page), ended),
  answer('a request and a reset', (places) => get(places, places.page), resetAfter(5)),
  answer('50 requests at once and a reset', (places) => get(places, places.page).repeat(50), resetAfter(20)),
  refuse(
    'waits for 100 and sends nothing',
    framed(['Content-Length: 7', 'Expect: 100-continue'], ''),
    destroyedAfter(50),
  ),
  refuse('a byte every 100 ms', ({ page }) => `GET ${page} HTTP/1.1\r\n`, {
    waitMs: 30_000,
    then: (socket) => {
      const timer = setInterval(() => socket.write('X'), 100);
      socket.on('close', () => clearInterval(timer));
    },
  }),
];

export const attacks: readonly Attack[] = [...framing, ...heads, ...paths, ...bodies, ...endings];
