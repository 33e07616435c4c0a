import { check, type Check, type Client } from '../check.js';
import type { Answer } from '../wire.js';

const APP = 'https://app.example.com';

const readable = (answer: Answer): boolean => answer.has('access-control-allow-origin');

async function preflight(
  client: Client,
  headers: Readonly<Record<string, string>>,
  path = '/api/items/7',
): Promise<Answer> {
  return client.ask({
    method: 'OPTIONS',
    path,
    headers: { origin: APP, 'access-control-request-method': 'PUT', ...headers },
  });
}

const HOSTILE: readonly (readonly [id: string, origin: string])[] = [
  ['other', 'https://evil.example'],
  ['suffix', 'https://app.example.com.evil.example'],
  ['prefix', 'https://evilapp.example.com'],
  ['insecure', 'http://app.example.com'],
  ['port', 'https://app.example.com:8443'],
  ['null', 'null'],
  ['pattern-insecure', 'http://shop.partner.example'],
  ['pattern-suffix', 'https://shop.partner.example.evil.example'],
  ['pattern-no-dot', 'https://evilpartner.example'],
  ['pattern-userinfo', 'https://evil.example/@shop.partner.example'],
  ['pattern-port', 'https://shop.partner.example:444'],
  ['pattern-fragment', 'https://evil.example#.partner.example'],
  ['pattern-query', 'https://evil.example?.partner.example'],
  ['pattern-scheme', 'javascript://x.partner.example'],
  ['pattern-underscore-host', 'https://evil.example\\.partner.example'],
  ['pattern-empty-label', 'https://.partner.example'],
  ['upper-case', 'HTTPS://EVIL.EXAMPLE'],
  ['list', `${APP}, https://evil.example`],
  ['trailing-slash', `${APP}/`],
];

export const cors: readonly Check[] = [
  ...HOSTILE.map(([id, origin]) =>
    check(
      'cors',
      `origin-${id}`,
      `GET with Origin: ${origin}`,
      'not readable for it',
      async (client) => !readable(await client.get('/api/hello', { origin })),
      'reflecting cors',
    ),
  ),
  check(
    'cors',
    'credentials',
    `GET with Origin: ${APP}`,
    'exactly this origin, with credentials',
    async (client) => {
      const answer = await client.get('/api/hello', { origin: APP });
      return (
        answer.header('access-control-allow-origin') === APP &&
        answer.header('access-control-allow-credentials') === 'true'
      );
    },
  ),
  check(
    'cors',
    'pattern',
    'GET from a partner',
    'readable for it',
    async (client) =>
      (await client.get('/api/hello', { origin: 'https://shop.partner.example' })).header(
        'access-control-allow-origin',
      ) === 'https://shop.partner.example',
  ),
  check('cors', 'never-star', `GET with Origin: ${APP}`, 'never * with credentials', async (client) => {
    const answer = await client.get('/api/hello', { origin: APP });
    return readable(answer) && answer.header('access-control-allow-origin') !== '*';
  }),
  check(
    'cors',
    'credentials-refused',
    'GET with Origin: https://evil.example',
    'no word about credentials',
    async (client) =>
      !(await client.get('/api/hello', { origin: 'https://evil.example' })).has(
        'access-control-allow-credentials',
      ),
  ),
  check('cors', 'vary', 'GET with the allowed origin', 'Vary: Origin', async (client) =>
    /(^|, ?)origin($|,)/i.test((await client.get('/api/hello', { origin: APP })).header('vary')),
  ),
  check(
    'cors',
    'vary-without-origin',
    'GET without Origin',
    'Vary: Origin all the same (expressjs/cors#332)',
    async (client) => /(^|, ?)origin($|,)/i.test((await client.get('/api/hello')).header('vary')),
  ),
  check('cors', 'vary-refused', 'GET with a foreign origin', 'Vary: Origin', async (client) =>
    /(^|, ?)origin($|,)/i.test(
      (await client.get('/api/hello', { origin: 'https://evil.example' })).header('vary'),
    ),
  ),
  check('cors', 'vary-preflight', 'a preflight', 'Vary names both request fields', async (client) => {
    const vary = (await preflight(client, {})).header('vary').toLowerCase();
    return vary.includes('access-control-request-method') && vary.includes('access-control-request-headers');
  }),
  check(
    'cors',
    'preflight-refused',
    'a preflight from a foreign origin',
    'no 2xx and no Access-Control header',
    async (client) => {
      const answer = await preflight(client, { origin: 'https://evil.example' });
      return answer.status >= 400 && !answer.lines.some(([name]) => name.startsWith('access-control-'));
    },
  ),
  check(
    'cors',
    'preflight-null',
    'a preflight from Origin: null',
    'no 2xx and no Access-Control header',
    async (client) => {
      const answer = await preflight(client, { origin: 'null' });
      return answer.status >= 400 && !answer.lines.some(([name]) => name.startsWith('access-control-'));
    },
  ),
  check(
    'cors',
    'preflight-method',
    'a preflight for method PURGE',
    'refused without a list',
    async (client) => {
      const answer = await preflight(client, { 'access-control-request-method': 'PURGE' });
      return answer.status >= 400 && !answer.has('access-control-allow-methods');
    },
  ),
  check(
    'cors',
    'preflight-method-case',
    'a preflight for method put',
    'refused: methods have a case',
    async (client) => {
      const answer = await preflight(client, { 'access-control-request-method': 'put' });
      return answer.status >= 400 && !answer.has('access-control-allow-methods');
    },
  ),
  check('cors', 'preflight-header', 'a preflight for header X-Evil', 'refused', async (client) => {
    const answer = await preflight(client, { 'access-control-request-headers': 'x-evil' });
    return answer.status >= 400 && !answer.has('access-control-allow-headers');
  }),
  check(
    'cors',
    'preflight-header-flood',
    'a preflight with 12,000 header names',
    'refused, nothing reflected (GHSA-vhxv-fg4m-p2w8)',
    async (client) => {
      const answer = await preflight(client, {
        'access-control-request-headers': Array.from({ length: 5_000 }, () => 'a').join(','),
      });
      return answer.status >= 400 && answer.header('access-control-allow-headers').length < 200;
    },
  ),
  check(
    'cors',
    'preflight-good',
    'the preflight that a page makes for PUT with JSON',
    '2xx; method and header allowed, remembered at most a day',
    async (client) => {
      const answer = await preflight(client, { 'access-control-request-headers': 'content-type' });
      return (
        [200, 204].includes(answer.status) &&
        answer.header('access-control-allow-methods').includes('PUT') &&
        answer.header('access-control-allow-headers').toLowerCase().includes('content-type') &&
        Number(answer.header('access-control-max-age') || '5') <= 86_400
      );
    },
  ),
  check(
    'cors',
    'preflight-not-handled',
    'a preflight for DELETE',
    'no handler is reached',
    async (client) => {
      const answer = await preflight(client, { 'access-control-request-method': 'DELETE' });
      return (
        answer.status < 300 &&
        answer.has('access-control-allow-origin') &&
        (await client.reached()).length === 0
      );
    },
  ),
  check(
    'cors',
    'error-readable',
    'GET /api/fail/error with the allowed origin',
    'the error is readable for it too',
    async (client) => {
      const answer = await client.get('/api/fail/error', { origin: APP });
      return answer.status === 500 && answer.header('access-control-allow-origin') === APP;
    },
  ),
  check(
    'cors',
    'page-not-readable',
    `GET / with Origin: ${APP}`,
    'pages are not opened with the API',
    async (client) => !readable(await client.get('/', { origin: APP })),
  ),
  check(
    'cors',
    'private-network',
    'a preflight with Access-Control-Request-Private-Network',
    'no grant',
    async (client) => {
      const answer = await preflight(client, {
        'access-control-request-private-network': 'true',
        origin: 'https://evil.example',
      });
      return answer.status >= 400 && !answer.has('access-control-allow-private-network');
    },
  ),
];
