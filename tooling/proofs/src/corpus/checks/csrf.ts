import { check, ORIGIN, type Check, type Client, type RequestParts } from '../check.js';
import type { Answer } from '../wire.js';

const EVIL = 'https://evil.example';
const ITEM = '{"name":"Kettle","price":1}';
const json = { 'content-type': 'application/json' };

async function post(
  client: Client,
  headers: NonNullable<RequestParts['headers']>,
  body = ITEM,
): Promise<Answer> {
  return client.ask({ method: 'POST', path: '/api/items', body, headers });
}

/** A change that must be refused before any handler is reached. */
async function stopped(client: Client, answer: Promise<Answer>): Promise<boolean> {
  // 421: the host list may have found the forged name first.
  return [403, 421].includes((await answer).status) && (await client.reached()).length === 0;
}

const CROSS_SITE: readonly (readonly [
  id: string,
  sends: string,
  headers: NonNullable<RequestParts['headers']>,
])[] = [
  ['modern', 'POST, Sec-Fetch-Site: cross-site', { ...json, origin: EVIL, 'sec-fetch-site': 'cross-site' }],
  [
    'same-site',
    'POST from a sister host, Sec-Fetch-Site: same-site',
    { ...json, origin: 'https://blog.shop.example', 'sec-fetch-site': 'same-site' },
  ],
  ['origin-only', 'POST with a foreign Origin, without Sec-Fetch', { ...json, origin: EVIL }],
  ['null-origin', 'POST with Origin: null', { ...json, origin: 'null' }],
  ['port', 'POST with our host on another port', { ...json, origin: `${ORIGIN}:8443` }],
  ['scheme', 'POST with our host over http', { ...json, origin: 'http://shop.example' }],
  [
    'suffix',
    'POST with Origin: https://shop.example.evil.example',
    { ...json, origin: 'https://shop.example.evil.example' },
  ],
  [
    'userinfo',
    'POST with Origin: https://shop.example@evil.example',
    { ...json, origin: 'https://shop.example@evil.example' },
  ],
  ['path', 'POST with Origin: https://shop.example/x', { ...json, origin: `${ORIGIN}/x` }],
  [
    'empty-site',
    'POST with an odd Sec-Fetch-Site',
    { ...json, origin: EVIL, 'sec-fetch-site': 'same-origin, cross-site' },
  ],
  [
    'upper-site',
    'POST with Sec-Fetch-Site: SAME-ORIGIN from a foreign origin',
    { ...json, origin: EVIL, 'sec-fetch-site': 'SAME-ORIGIN' },
  ],
  [
    'text-plain',
    'cross-site POST, text/plain',
    { 'content-type': 'text/plain', origin: EVIL, 'sec-fetch-site': 'cross-site' },
  ],
  [
    'no-type',
    'cross-site POST without Content-Type (GHSA-2234-fmw7-43wr)',
    { origin: EVIL, 'sec-fetch-site': 'cross-site' },
  ],
  [
    'type-case',
    'cross-site POST, Content-Type: Application/X-WWW-Form-Urlencoded (CVE-2024-43787)',
    { 'content-type': 'Application/X-WWW-Form-Urlencoded', origin: EVIL, 'sec-fetch-site': 'cross-site' },
  ],
  [
    'type-parameter',
    'cross-site POST, text/plain;application/json (GHSA-vm6g-8r4h-22x8)',
    { 'content-type': 'text/plain;application/json', origin: EVIL, 'sec-fetch-site': 'cross-site' },
  ],
  [
    'multipart',
    'cross-site POST, multipart/form-data',
    { 'content-type': 'multipart/form-data; boundary=x', origin: EVIL, 'sec-fetch-site': 'cross-site' },
  ],
  [
    'forwarded-host',
    'cross-site POST with X-Forwarded-Host: evil.example',
    { ...json, origin: EVIL, 'x-forwarded-host': 'evil.example' },
  ],
  [
    'own-referer',
    'cross-site POST with our own Referer',
    { ...json, origin: EVIL, referer: `${ORIGIN}/`, 'sec-fetch-site': 'cross-site' },
  ],
  [
    'requested-with',
    'cross-site POST with X-Requested-With',
    { ...json, origin: EVIL, 'x-requested-with': 'XMLHttpRequest', 'sec-fetch-site': 'cross-site' },
  ],
];

export const csrf: readonly Check[] = [
  ...CROSS_SITE.map(([id, sends, headers]) =>
    check('csrf', id, sends, '403 (or 421), no handler reached', async (client) =>
      stopped(client, post(client, headers)),
    ),
  ),
  ...(['PUT', 'DELETE'] as const).map((method) =>
    check(
      'csrf',
      `method-${method}`,
      `cross-site ${method}`,
      '403 (or 421), no handler reached',
      async (client) =>
        stopped(
          client,
          client.ask({
            method,
            path: '/api/items/7',
            body: method === 'PUT' ? ITEM : '',
            headers: { ...json, origin: EVIL, 'sec-fetch-site': 'cross-site' },
          }),
        ),
    ),
  ),
  check(
    'csrf',
    'sign-in',
    'cross-site POST to the sign-in (login CSRF)',
    '403 (or 421), no handler reached',
    async (client) =>
      stopped(
        client,
        client.ask({
          method: 'POST',
          path: '/api/sign-in',
          body: '{"email":"ann@shop.example","password":"x"}',
          headers: { ...json, origin: EVIL, 'sec-fetch-site': 'cross-site' },
        }),
      ),
  ),
  check('csrf', 'form', 'a cross-site form', '403 (or 421), no handler reached', async (client) =>
    stopped(
      client,
      client.ask({
        method: 'POST',
        path: '/form',
        body: 'name=a&price=1',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          origin: EVIL,
          'sec-fetch-site': 'cross-site',
        },
      }),
    ),
  ),
  check(
    'csrf',
    'get-with-override',
    'a cross-site GET with X-HTTP-Method-Override: DELETE',
    'refused',
    async (client) => {
      const answer = await client.ask({
        path: '/api/items/7',
        headers: { 'x-http-method-override': 'DELETE', origin: EVIL, 'sec-fetch-site': 'cross-site' },
      });
      return [400, 403].includes(answer.status);
    },
  ),
  check(
    'csrf',
    'override-parameter',
    'a cross-site GET with ?_method=DELETE',
    'refused',
    async (client) =>
      (
        await client.ask({
          path: '/api/items/7?_method=DELETE',
          headers: { origin: EVIL, 'sec-fetch-site': 'cross-site' },
        })
      ).status >= 400,
  ),
  check(
    'csrf',
    'no-browser',
    'POST of a program, with neither header nor cookie',
    '201: nothing to plumb',
    async (client) => (await post(client, json)).status === 201,
  ),
  check(
    'csrf',
    'own-page',
    'POST of the own page as browsers send it, no token',
    '201',
    async (client) =>
      (await post(client, { ...json, origin: ORIGIN, 'sec-fetch-site': 'same-origin' })).status === 201,
  ),
  check(
    'csrf',
    'old-browser',
    'POST of the own page of a browser that knows Origin only',
    '201',
    async (client) => (await post(client, { ...json, origin: ORIGIN })).status === 201,
  ),
  check(
    'csrf',
    'trusted-origin',
    'POST from the trusted app',
    '201, without a token',
    async (client) =>
      (await post(client, { ...json, origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }))
        .status === 201,
  ),
  check(
    'csrf',
    'tossed-cookie',
    "POST with a token and cookie that an attacker got for himself and tossed into the victim's browser",
    '403',
    async (client) => {
      const tossed = await client.serving.legitimate();
      return stopped(
        client,
        post(client, { ...json, ...tossed, origin: EVIL, 'sec-fetch-site': 'cross-site' }),
      );
    },
  ),
];
