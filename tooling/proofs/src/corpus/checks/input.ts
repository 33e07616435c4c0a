import { check, type Check } from '../check.js';

const QUERIES: readonly (readonly [id: string, query: string])[] = [
  ['twice', 'q=a&q=b'],
  ['array', 'q[]=a'],
  ['object', 'q[x]=a'],
  ['mongo', 'q[$ne]=1'],
  ['proto', 'q=a&__proto__[admin]=1'],
  ['proto-plain', 'q=a&__proto__=1'],
  ['constructor', 'q=a&constructor[prototype][admin]=1'],
  ['unknown', 'q=a&admin=true'],
  ['missing', ''],
  ['empty', 'q='],
  ['page-hex', 'q=a&page=0x10'],
  ['page-exponent', 'q=a&page=1e2'],
  ['page-empty', 'q=a&page='],
  ['page-blank', 'q=a&page=%20'],
  ['page-plus', 'q=a&page=%2B1'],
  ['page-leading-zero', 'q=a&page=01'],
  ['page-float', 'q=a&page=1.5'],
  ['page-float-integer', 'q=a&page=1.0'],
  ['page-infinity', 'q=a&page=Infinity'],
  ['page-negative', 'q=a&page=-1'],
  ['page-array', 'q=a&page[]=1'],
  ['page-bool', 'q=a&page=true'],
  ['page-line-end', 'q=a&page=1%0a'],
  ['sql', "q='; DROP TABLE users; --"],
  ['script', 'q=<script>alert(1)</script>'],
  ['nul', 'q=a%00b'],
  ['line-end', 'q=a%0d%0ab'],
  ['bad-percent', 'q=%zz'],
  ['bad-utf8', 'q=%ff%fe'],
  ['overlong', 'q=%c0%af'],
  ['double-encoded', 'q=%253Cscript%253E'],
  ['long', `q=${'x'.repeat(101)}`],
  ['semicolon', 'q=a;page=2'],
  ['bidi', 'q=%E2%80%AE'],
];

const IDS: readonly (readonly [id: string, path: string])[] = [
  ['text', 'seven'],
  ['hex', '0x7'],
  ['exponent', '7e0'],
  ['zero', '0'],
  ['negative', '-7'],
  ['leading-zero', '07'],
  ['float', '7.0'],
  ['huge', '99999999999999999999'],
  ['plus', '+7'],
  ['blank', '%207'],
  ['nul', '7%00'],
  ['proto', '__proto__'],
  ['traversal', '..%2f..%2fetc%2fpasswd'],
  ['sql', '7%20OR%201=1'],
];

const ITEMS: readonly (readonly [id: string, body: string, detail: string])[] = [
  ['extra', '{"name":"Kettle","price":1,"isAdmin":true}', 'a member that is not listed (mass assignment)'],
  ['text-price', '{"name":"Kettle","price":"1"}', 'a price in quotes'],
  ['null-price', '{"name":"Kettle","price":null}', 'no price'],
  ['bool-price', '{"name":"Kettle","price":true}', 'true as a price'],
  ['array-price', '{"name":"Kettle","price":[1]}', 'an array as a price'],
  ['negative', '{"name":"Kettle","price":-1}', 'a negative price'],
  ['zero', '{"name":"Kettle","price":0}', 'no price at all'],
  ['number-name', '{"name":1,"price":1}', 'a number as a name'],
  ['object-name', '{"name":{"$gt":""},"price":1}', 'an object as a name'],
  ['array-name', '{"name":["Kettle"],"price":1}', 'an array as a name'],
  ['bool-name', '{"name":true,"price":1}', 'true as a name'],
  ['null-name', '{"name":null,"price":1}', 'null as a name'],
  ['empty-name', '{"name":"","price":1}', 'an empty name'],
  ['long-name', `{"name":"${'x'.repeat(101)}","price":1}`, 'a name of 101 characters'],
  ['line-name', '{"name":"a\\r\\nSet-Cookie: x=1","price":1}', 'a line end in the name'],
  ['invisible-name', '{"name":"Ket\\u200btle","price":1}', 'a zero-width space in the name'],
  ['filler-name', '{"name":"\\u3164","price":1}', 'a name that nobody sees'],
  ['missing', '{"name":"Kettle"}', 'a price missing'],
  ['missing-inherited', '{"price":1}', 'a name missing'],
  ['many-tags', `{"name":"Kettle","price":1,"tags":[${'"a",'.repeat(10)}"a"]}`, '11 tags'],
  ['text-tags', '{"name":"Kettle","price":1,"tags":"a"}', 'a text for the list of tags'],
  ['number-tags', '{"name":"Kettle","price":1,"tags":[1]}', 'numbers as tags'],
  ['float-quantity', '{"name":"Kettle","price":1,"quantity":1.5}', 'half a piece'],
  ['text-quantity', '{"name":"Kettle","price":1,"quantity":"3"}', 'a quantity in quotes'],
  ['null-quantity', '{"name":"Kettle","price":1,"quantity":null}', 'null as a quantity'],
];

export const input: readonly Check[] = [
  ...QUERIES.map(([id, query]) =>
    check(
      'query and paths',
      `search-${id}`,
      `GET /api/search?${query.slice(0, 60)}`,
      '400, no handler reached',
      async (client) => {
        const answer = await client.get(`/api/search?${encodeSpaces(query)}`);
        return answer.status === 400 && !(await client.reached()).includes('search');
      },
      'no validation',
    ),
  ),
  ...IDS.map(([id, path]) =>
    check(
      'query and paths',
      `id-${id}`,
      `GET /api/items/${path}`,
      '400 or 404, no handler reached',
      async (client) => {
        const answer = await client.get(`/api/items/${path}`);
        return [400, 404].includes(answer.status) && !(await client.reached()).includes('item');
      },
      'no validation',
    ),
  ),
  ...ITEMS.map(([id, body, detail]) =>
    check(
      'validation',
      id,
      `POST an item with ${detail}`,
      '400, no handler reached',
      async (client) => {
        const answer = await client.json(body);
        return answer.status === 400 && !(await client.reached()).includes('create');
      },
      'no validation',
    ),
  ),
  check(
    'query and paths',
    'query-type',
    'GET /api/search?q=a&page=2',
    'the handler gets the number 2, not a text',
    async (client) => (await client.get('/api/search?q=a&page=2')).body === '{"q":"a","page":2}',
  ),
  check(
    'query and paths',
    'query-flood',
    'GET with 2,000 parameters',
    '4xx',
    async (client) => {
      const { status } = await client.get(`/api/search?q=a${'&x=1'.repeat(1_900)}`);
      return status >= 400 && status < 500;
    },
    'no validation',
  ),
  check(
    'query and paths',
    'decoded-once',
    'GET /api/search?q=100%2525',
    'not taken for 100%',
    async (client) => {
      const answer = await client.get('/api/search?q=a%2541');
      return !answer.body.includes('"q":"aA"') && answer.status === 400;
    },
  ),
  check(
    'query and paths',
    'pollution-settings',
    'POST settings with __proto__',
    '400, nothing polluted',
    async (client) => {
      const answer = await client.json('{"__proto__":{"polluted":"yes"}}', { path: '/api/settings' });
      return answer.status === 400 && !(await client.serving.probe<boolean>('polluted', ''));
    },
  ),
  check(
    'query and paths',
    'pollution-constructor',
    'POST settings with constructor.prototype',
    '400, nothing polluted',
    async (client) => {
      const answer = await client.json('{"constructor":{"prototype":{"polluted":"yes"}}}', {
        path: '/api/settings',
      });
      return answer.status === 400 && !(await client.serving.probe<boolean>('polluted', ''));
    },
  ),
  check(
    'query and paths',
    'pollution-nested',
    'POST settings with notify.__proto__',
    '400, nothing polluted',
    async (client) => {
      const answer = await client.json('{"notify":{"__proto__":{"polluted":"yes"}}}', {
        path: '/api/settings',
      });
      return answer.status === 400 && !(await client.serving.probe<boolean>('polluted', ''));
    },
  ),
  check(
    'validation',
    'pointer',
    'POST an item with a bad price',
    'the problem names /price (RFC 6901)',
    async (client) => {
      const answer = await client.json('{"name":"Kettle","price":"x"}');
      return answer.status === 400 && answer.body.includes('"/price"');
    },
  ),
  check(
    'validation',
    'no-echo',
    'POST an item with a secret in the wrong place',
    'the answer does not echo it',
    async (client) => {
      const answer = await client.json('{"name":"Kettle","price":"hunter2","hunter2":"hunter2"}');
      return answer.status === 400 && !answer.body.includes('"hunter2"');
    },
  ),
  check('validation', 'problem', 'POST an item without a price', 'application/problem+json', async (client) =>
    (await client.json('{"name":"Kettle"}')).header('content-type').startsWith('application/problem+json'),
  ),
  check('validation', 'all-mistakes', 'POST an item with two mistakes', 'both are named', async (client) => {
    const answer = await client.json('{"name":1,"price":"x"}');
    return answer.status === 400 && answer.body.includes('/name') && answer.body.includes('/price');
  }),
  check(
    'validation',
    'flood-bounded',
    'POST an item with 5,000 unknown members',
    '400 in less than 20 kB',
    async (client) => {
      const extra = Array.from({ length: 5_000 }, (_, i) => `"k${i}":1`).join(',');
      const answer = await client.json(`{"name":"Kettle","price":1,${extra}}`);
      return answer.status === 400 && answer.body.length < 20_000;
    },
  ),
  check('validation', 'put-too', 'PUT an item with a bad body', '400, no handler reached', async (client) => {
    const answer = await client.json('{"name":1}', { method: 'PUT', path: '/api/items/7' });
    return answer.status === 400 && !(await client.reached()).includes('put');
  }),
  check(
    'validation',
    'email-header-injection',
    'sign in with an e-mail that holds a line end',
    '400',
    async (client) =>
      (
        await client.json('{"email":"a@b.example\\nBcc: x@y.example","password":"x"}', {
          path: '/api/sign-in',
        })
      ).status === 400,
    'no validation',
  ),
  check(
    'validation',
    'inherited-user',
    'sign in as __proto__',
    '400 or 401, never signed in',
    async (client) =>
      (await client.json('{"email":"constructor","password":"x"}', { path: '/api/sign-in' })).status === 400,
  ),
  check('validation', 'empty-body', 'POST without a body', '4xx, no handler reached', async (client) => {
    const answer = await client.change({
      headers: { 'content-type': 'application/json', 'content-length': '0' },
    });
    return answer.status >= 400 && answer.status < 500 && !(await client.reached()).includes('create');
  }),
];

function encodeSpaces(query: string): string {
  return query.replaceAll(' ', '%20').replaceAll("'", '%27').replaceAll('<', '%3C').replaceAll('>', '%3E');
}
