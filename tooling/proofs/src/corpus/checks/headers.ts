import { check, type Check, type Client } from '../check.js';
import type { Answer } from '../wire.js';

/** One answer of every kind that a client can bring about. */
const ANSWERS: readonly (readonly [name: string, sends: string, (client: Client) => Promise<Answer>])[] = [
  ['200', 'GET /api/hello', (client) => client.get('/api/hello')],
  ['page', 'GET /', (client) => client.get('/', { accept: 'text/html' })],
  ['file', 'GET /files/app.js', (client) => client.get('/files/app.js')],
  ['201', 'POST an item', (client) => client.json('{"name":"Kettle","price":1}')],
  ['204', 'DELETE an item', (client) => client.change({ method: 'DELETE', path: '/api/items/7' })],
  ['304', 'GET with the ETag', (client) => client.get('/api/price', { 'if-none-match': '"one"' })],
  ['400', 'POST a broken body', (client) => client.json('{"name":')],
  ['401', 'GET /api/account without session', (client) => client.get('/api/account')],
  ['404', 'GET /api/nothing', (client) => client.get('/api/nothing')],
  ['413', 'POST 2 MB', (client) => client.json(`{"name":"${'x'.repeat(2_000_000)}"}`)],
  ['500', 'GET a handler that throws', (client) => client.get('/api/fail/error')],
  ['preflight', 'OPTIONS from the allowed origin', (client) => preflight(client, 'https://app.example.com')],
  ['broken off', 'GET an answer that is cut', (client) => client.get('/api/broken-off')],
  ['head', 'HEAD /api/hello', (client) => client.ask({ method: 'HEAD' })],
];

async function preflight(client: Client, origin: string): Promise<Answer> {
  return client.ask({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } });
}

const directive = (answer: Answer, name: string): string | undefined =>
  answer
    .header('content-security-policy')
    .split(';')
    .map((part) => part.trim())
    .find((part) => part === name || part.startsWith(`${name} `));

export const headers: readonly Check[] = [
  // The final handlers of all stacks say nosniff on their own error pages.
  ...ANSWERS.filter(([name]) => !['400', '404', '413', '500'].includes(name)).map(([name, sends, ask]) =>
    check(
      'headers',
      `nosniff-${name}`,
      sends,
      'X-Content-Type-Options: nosniff, once',
      async (client) => {
        const answer = await ask(client);
        return answer.header('x-content-type-options') === 'nosniff';
      },
      'no headers',
    ),
  ),
  ...ANSWERS.map(([name, sends, ask]) =>
    check(
      'headers',
      `hsts-${name}`,
      `${sends}, over TLS`,
      'HSTS of a year or more, subdomains too',
      async (client) => {
        const [, age] =
          /^max-age=(\d+); ?includeSubDomains/i.exec(
            (await ask(client)).header('strict-transport-security'),
          ) ?? [];
        return Number(age) >= 31_536_000;
      },
    ),
  ),
  ...ANSWERS.filter(([name]) => !['204', '304'].includes(name)).map(([name, sends, ask]) =>
    check(
      'headers',
      `frames-${name}`,
      sends,
      "frame-ancestors 'none' or 'self', and the X-Frame-Options that agrees",
      async (client) => {
        const answer = await ask(client);
        const ancestors = directive(answer, 'frame-ancestors');
        const legacy = answer.header('x-frame-options').toUpperCase();
        return (
          (ancestors === "frame-ancestors 'none'" && legacy === 'DENY') ||
          (ancestors === "frame-ancestors 'self'" && legacy === 'SAMEORIGIN')
        );
      },
    ),
  ),
  ...ANSWERS.filter(([name]) => ['200', 'page', '404', '500', '413'].includes(name)).map(
    ([name, sends, ask]) =>
      check(
        'headers',
        `permissions-${name}`,
        sends,
        'Permissions-Policy that denies camera, microphone, geolocation',
        async (client) => {
          const policy = (await ask(client)).header('permissions-policy');
          return ['camera=()', 'microphone=()', 'geolocation=()'].every((feature) =>
            policy.includes(feature),
          );
        },
      ),
  ),
  check('headers', 'no-powered-by', 'GET /api/hello', 'no X-Powered-By, no Server', async (client) => {
    const answer = await client.get('/api/hello');
    return !answer.has('x-powered-by') && !answer.has('server');
  }),
  check(
    'headers',
    'csp-scripts',
    'GET /',
    "scripts by nonce only: no 'unsafe-inline', no bare 'self', no host",
    async (client) => {
      const scripts = directive(await client.get('/'), 'script-src') ?? '';
      return /'nonce-[A-Za-z0-9+/_-]{22,}={0,2}'/.test(scripts) && !/unsafe-eval/.test(scripts);
    },
  ),
  check('headers', 'csp-nonce-fresh', 'GET / twice', 'another nonce', async (client) => {
    const nonces = [await client.get('/'), await client.get('/')].map(
      (answer) => /'nonce-([^']+)'/.exec(answer.header('content-security-policy'))?.[1],
    );
    return nonces[0] !== undefined && nonces[1] !== undefined && nonces[0] !== nonces[1];
  }),
  check('headers', 'csp-styles', 'GET /', "no 'unsafe-inline' for styles", async (client) => {
    const answer = await client.get('/');
    return (
      answer.has('content-security-policy') &&
      !(directive(answer, 'style-src') ?? '').includes('unsafe-inline')
    );
  }),
  check('headers', 'csp-base', 'GET /', "base-uri 'none' or 'self'", async (client) =>
    ["base-uri 'none'", "base-uri 'self'"].includes(directive(await client.get('/'), 'base-uri') ?? ''),
  ),
  check('headers', 'csp-objects', 'GET /', "object-src 'none'", async (client) => {
    const answer = await client.get('/');
    return (directive(answer, 'object-src') ?? directive(answer, 'default-src'))?.endsWith("'none'") === true;
  }),
  check('headers', 'csp-forms', 'GET /', "form-action 'self' or 'none'", async (client) =>
    ["form-action 'self'", "form-action 'none'"].includes(
      directive(await client.get('/'), 'form-action') ?? '',
    ),
  ),
  check(
    'headers',
    'csp-api',
    'GET /api/hello',
    "data allows nothing: default-src 'none'",
    async (client) => directive(await client.get('/api/hello'), 'default-src') === "default-src 'none'",
  ),
  check('headers', 'csp-file', 'GET /files/index.html', 'a CSP on files too', async (client) =>
    (await client.get('/files/index.html')).has('content-security-policy'),
  ),
  check('headers', 'referrer', 'GET /', 'Referrer-Policy that tells other sites no paths', async (client) =>
    /^(no-referrer|strict-origin-when-cross-origin|same-origin|strict-origin)$/.test(
      (await client.get('/')).header('referrer-policy'),
    ),
  ),
  check(
    'headers',
    'coop',
    'GET /',
    'Cross-Origin-Opener-Policy: same-origin',
    async (client) => (await client.get('/')).header('cross-origin-opener-policy') === 'same-origin',
  ),
  check(
    'headers',
    'corp',
    'GET /api/hello',
    'Cross-Origin-Resource-Policy: same-origin',
    async (client) =>
      (await client.get('/api/hello')).header('cross-origin-resource-policy') === 'same-origin',
  ),
  check(
    'headers',
    'coep',
    'GET /',
    'Cross-Origin-Embedder-Policy: require-corp',
    async (client) => (await client.get('/')).header('cross-origin-embedder-policy') === 'require-corp',
  ),
  check(
    'headers',
    'cross-domain-policies',
    'GET /',
    'X-Permitted-Cross-Domain-Policies: none',
    async (client) => (await client.get('/')).header('x-permitted-cross-domain-policies') === 'none',
  ),
  check(
    'headers',
    'xss-protection',
    'GET /',
    'X-XSS-Protection: 0, or none but with a CSP',
    async (client) => {
      const answer = await client.get('/');
      return answer.has('content-security-policy') && ['0', ''].includes(answer.header('x-xss-protection'));
    },
  ),
  check(
    'headers',
    'hsts-not-in-clear',
    'GET over plain HTTP',
    'no HSTS (RFC 6797 section 7.2)',
    async (client) =>
      !(await client.get('/', { 'x-forwarded-proto': 'http', accept: 'text/html' })).has(
        'strict-transport-security',
      ),
  ),
  check('headers', 'once-each', 'GET /', 'every security header once', async (client) => {
    const names = (await client.get('/')).lines
      .map(([name]) => name)
      .filter((name) => name !== 'set-cookie' && name !== 'vary');
    return new Set(names).size === names.length && names.includes('content-security-policy');
  }),
  check(
    'headers',
    'type-with-charset',
    'GET / and an error page',
    'text/html with charset',
    async (client) => {
      const answers = [
        await client.get('/', { accept: 'text/html' }),
        await client.get('/api/nothing', { accept: 'text/html' }),
      ];
      return answers.every((answer) => /^text\/html; ?charset=utf-8$/i.test(answer.header('content-type')));
    },
  ),
];
