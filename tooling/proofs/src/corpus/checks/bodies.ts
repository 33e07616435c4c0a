import { gzipSync } from 'node:zlib';
import { check, type Check, type Client } from '../check.js';
import type { Answer } from '../wire.js';

const ITEM = '{"name":"Kettle","price":1}';
const refused = ({ status }: Answer): boolean => status >= 400 && status < 500;
const bad = ({ status }: Answer): boolean => status === 400;

/** Texts that two readers of JSON may understand differently, or that attack the one who reads. */
const TEXTS: readonly (readonly [id: string, sends: string, body: string | Buffer])[] = [
  ['duplicate', 'a member twice', '{"name":"Kettle","price":1,"price":2}'],
  ['duplicate-escaped', 'a member twice, once escaped', '{"name":"Kettle","price":1,"pr\\u0069ce":2}'],
  ['duplicate-nested', 'a member twice, nested', '{"name":"Kettle","price":1,"tags":[{"a":1,"a":2}]}'],
  ['proto', 'a member __proto__', '{"name":"Kettle","price":1,"__proto__":{"admin":true}}'],
  [
    'proto-escaped',
    'a member __proto__, escaped',
    '{"name":"Kettle","price":1,"\\u005f_proto__":{"admin":true}}',
  ],
  [
    'constructor',
    'constructor.prototype',
    '{"name":"Kettle","price":1,"constructor":{"prototype":{"admin":true}}}',
  ],
  ['nul', 'a NUL in a text', '{"name":"Ket\\u0000tle","price":1}'],
  ['lone-surrogate', 'half a character', '{"name":"\\ud800","price":1}'],
  ['bidi', 'a right-to-left override (CVE-2021-42574)', '{"name":"\\u202Eelttek","price":1}'],
  ['escape-sequence', 'a terminal escape', '{"name":"\\u001b[2J","price":1}'],
  ['huge-number', '1e400', '{"name":"Kettle","price":1e400}'],
  ['unsafe-integer', 'an integer beyond 2^53', '{"name":"Kettle","price":1,"quantity":9007199254740993}'],
  ['bom', 'a byte order mark', `\ufeff${ITEM}`],
  ['invalid-utf8', 'bytes that are not UTF-8', Buffer.from('{"name":"\xff\xfe","price":1}', 'latin1')],
  ['overlong-utf8', 'an overlong slash', Buffer.from('{"name":"\xc0\xaf","price":1}', 'latin1')],
  ['empty', 'nothing', ''],
  ['top-level-array', 'an array', `[${ITEM}]`],
  [
    'deep-arrays',
    '5,000 brackets',
    `{"name":"Kettle","price":1,"tags":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
  ],
  ['deep-objects', '5,000 objects deep', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
];

/** Ways to say what a body is. */
const TYPES: readonly (readonly [id: string, type: string | undefined])[] = [
  ['none', undefined],
  ['text', 'text/plain'],
  ['form', 'application/x-www-form-urlencoded'],
  ['tab', 'application/json\t;x'],
  ['two', 'application/json, text/plain'],
  ['prefix', 'application/jsonx'],
  ['suffix', 'application/vnd.evil+json'],
  ['html', 'text/html'],
  ['charset-utf7', 'application/json; charset=utf-7'],
];

async function price(client: Client, body: string | Buffer, headers = {}): Promise<Answer> {
  return client.json(body, { headers });
}

export const bodies: readonly Check[] = [
  ...TEXTS.map(([id, sends, body]) =>
    check(
      'bodies',
      id,
      `POST an item with ${sends}`,
      '400, no handler reached',
      async (client) => bad(await price(client, body)) && !(await client.reached()).includes('create'),
      'plain bodies',
      'no validation',
    ),
  ),
  ...TYPES.map(([id, type]) =>
    check(
      'bodies',
      `type-${id}`,
      `POST JSON that skips the schema (price -1), Content-Type: ${type ?? 'none'}`,
      '4xx, never unvalidated',
      async (client) =>
        refused(await price(client, '{"name":"Kettle","price":-1,"admin":true}', { 'content-type': type })) &&
        !(await client.reached()).includes('create'),
      'no validation',
    ),
  ),
  check(
    'bodies',
    'wrong-type-says-so',
    'POST JSON as text/plain',
    '415',
    async (client) => (await price(client, ITEM, { 'content-type': 'text/plain' })).status === 415,
  ),
  check(
    'bodies',
    'charset-says-so',
    'POST with charset=latin1',
    '415',
    async (client) =>
      (await price(client, ITEM, { 'content-type': 'application/json; charset=iso-8859-1' })).status === 415,
  ),
  check(
    'bodies',
    'too-large',
    'POST 200 kB of JSON',
    '413',
    async (client) => (await price(client, `{"name":"${'x'.repeat(200_000)}","price":1}`)).status === 413,
  ),
  check(
    'bodies',
    'too-large-announced',
    'Content-Length: 1 TB, nothing follows',
    '413 at once',
    async (client) => {
      const legitimate = await client.serving.legitimate();
      const bytes = client.text({
        method: 'POST',
        path: '/api/items',
        headers: { ...legitimate, 'content-type': 'application/json', 'content-length': '1099511627776' },
      });
      const { answers } = await client.exchange(bytes, { answers: 1, waitMs: 10_000 });
      return answers[0]?.status === 413;
    },
    'plain bodies',
  ),
  check('bodies', 'gzip-bomb', 'POST 20 MB of blanks in 20 kB of gzip', '413 or 415', async (client) =>
    [413, 415].includes(
      (await price(client, gzipSync(Buffer.alloc(20_000_000, 32)), { 'content-encoding': 'gzip' })).status,
    ),
  ),
  check(
    'bodies',
    'encoding-unknown',
    'POST with Content-Encoding: evil',
    '415',
    async (client) => (await price(client, ITEM, { 'content-encoding': 'evil' })).status === 415,
  ),
  check(
    'bodies',
    'gzip-broken',
    'POST with Content-Encoding: gzip and no gzip',
    '400 or 415',
    async (client) => [400, 415].includes((await price(client, ITEM, { 'content-encoding': 'gzip' })).status),
  ),
  check('bodies', 'broken-is-400', 'a broken body', '400 as a problem document', async (client) => {
    const answer = await price(client, '{"name":');
    return answer.status === 400 && answer.header('content-type').startsWith('application/problem+json');
  }),
  check('bodies', 'form-flood', 'a form with 5,000 parameters', '4xx', async (client) =>
    refused(
      await client.change({
        path: '/form',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `name=a&price=1${'&a[]=1'.repeat(5_000)}`,
      }),
    ),
  ),
  check(
    'bodies',
    'form-nested',
    'a form with a[b][c][d]... 1,000 deep (CVE-2022-24999)',
    '4xx, quickly',
    async (client) => {
      const started = performance.now();
      const answer = await client.change({
        path: '/form',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `name=a&price=1&a${'[b]'.repeat(1_000)}=1`,
      });
      return refused(answer) && performance.now() - started < 3_000;
    },
  ),
  check('bodies', 'form-proto', 'a form with __proto__[admin]=1', '400, nothing polluted', async (client) => {
    const answer = await client.change({
      path: '/form',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'name=a&price=1&__proto__[admin]=1',
    });
    return bad(answer) && !(await client.serving.probe<boolean>('polluted', ''));
  }),
  check('bodies', 'form-twice', 'a form field twice', '400', async (client) =>
    bad(
      await client.change({
        path: '/form',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'name=a&name=b&price=1',
      }),
    ),
  ),
];
