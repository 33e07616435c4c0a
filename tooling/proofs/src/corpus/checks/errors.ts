import { check, type Check } from '../check.js';
import { FAULTS } from '../service.js';

const LEAKS = [
  'hunter2',
  'SELECT',
  'at ',
  'node_modules',
  '.ts:',
  '.js:',
  'TypeError',
  'ENOENT',
  'Cannot read',
];
const leaks = (text: string): boolean => LEAKS.some((word) => text.includes(word));

/** Express takes no value that is falsy, nor 'route', for an error: such a handler has not answered, and the next one may. */
const NO_ERRORS = ['undefined', 'null', 'zero', 'empty', 'route'];
const ERRORS = Object.keys(FAULTS).filter((kind) => !NO_ERRORS.includes(kind));

export const errors: readonly Check[] = [
  ...ERRORS.flatMap((kind) => [
    check(
      'errors',
      `thrown-${kind}`,
      `GET a handler that throws: ${kind}`,
      '5xx without message, stack, path or header of it',
      async (client) => {
        const answer = await client.get(`/api/fail/${kind}`);
        const text = answer.body + answer.lines.map((line) => line.join(':')).join('\n');
        // A 404 of its own that the application meant to say is honest too; its text is not for the client.
        return (answer.status >= 500 || (kind === 'status404' && answer.status === 404)) && !leaks(text);
      },
      'plain errors',
    ),
    check(
      'errors',
      `rejected-${kind}`,
      `GET an async handler that rejects: ${kind}`,
      '5xx without message, stack, path or header of it',
      async (client) => {
        const answer = await client.get(`/api/fail-async/${kind}`);
        const text = answer.body + answer.lines.map((line) => line.join(':')).join('\n');
        return (answer.status >= 500 || (kind === 'status404' && answer.status === 404)) && !leaks(text);
      },
      'plain errors',
    ),
  ]),
  ...['undefined', 'null', 'zero', 'empty'].flatMap((kind) =>
    ['throws', 'calls'].map((way) =>
      check(
        'errors',
        `guard-${way}-${kind}`,
        `GET behind a guard that ${way}: ${kind}`,
        'refused; the handler never runs',
        async (client) => {
          const answer = await client.get(`/api/guarded/${way}-${kind}`);
          return (
            answer.status >= 400 &&
            !answer.body.includes('SECRET') &&
            !(await client.reached()).includes('secret')
          );
        },
        'bare guard',
      ),
    ),
  ),
  check(
    'errors',
    'problem',
    'GET /api/fail/error',
    'application/problem+json with type, title, status',
    async (client) => {
      const answer = await client.get('/api/fail/error');
      const problem = answer.json() as Record<string, unknown>;
      return (
        answer.header('content-type').startsWith('application/problem+json') &&
        typeof problem['type'] === 'string' &&
        problem['status'] === 500
      );
    },
  ),
  check(
    'errors',
    'request-id',
    'GET /api/fail/error',
    'an id to find it in the log by, in body and header',
    async (client) => {
      const answer = await client.get('/api/fail/error');
      const id = answer.header('x-request-id');
      return id.length >= 8 && answer.body.includes(id);
    },
  ),
  check(
    'errors',
    'html',
    'GET /api/fail/error, Accept: text/html',
    'a page, without scripts',
    async (client) => {
      const answer = await client.get('/api/fail/error', { accept: 'text/html' });
      return (
        answer.header('content-type').startsWith('text/html') &&
        !answer.body.includes('<script') &&
        answer.body.includes('500')
      );
    },
  ),
  check(
    'errors',
    'json-for-api',
    'GET /api/nothing, Accept: application/json',
    'JSON, not a page',
    async (client) =>
      /^application\/(problem\+)?json/.test(
        (await client.get('/api/nothing', { accept: 'application/json' })).header('content-type'),
      ),
  ),
  check('errors', '404-no-echo', 'GET /api/<script>', '404 that does not echo the path', async (client) => {
    const answer = await client.get('/api/%3Cscript%3Ealert(1)%3C/script%3E', { accept: 'text/html' });
    return answer.status === 404 && !answer.body.includes('alert(1)');
  }),
  check('errors', '405', 'PATCH /api/hello', '405 with Allow', async (client) => {
    const answer = await client.change({ method: 'PATCH', path: '/api/hello' });
    return answer.status === 405 && answer.header('allow').includes('GET');
  }),
  check('errors', '405-delete', 'DELETE /api/hello', '405 with Allow', async (client) => {
    const answer = await client.change({ method: 'DELETE', path: '/api/hello' });
    return answer.status === 405 && answer.header('allow').includes('GET');
  }),
  check(
    'errors',
    'stale-headers',
    'GET a handler that sets Content-Encoding, Content-Length, ETag, Cache-Control and throws',
    'the 500 carries none of them',
    async (client) => {
      const answer = await client.get('/api/stale');
      return (
        answer.status === 500 &&
        answer.complete &&
        !answer.has('content-encoding') &&
        !answer.has('etag') &&
        !answer.header('cache-control').includes('public')
      );
    },
  ),
  check('errors', 'not-cached', 'GET /api/fail/error', 'Cache-Control: no-store', async (client) =>
    (await client.get('/api/fail/error')).header('cache-control').includes('no-store'),
  ),
  check('errors', '404-not-cached', 'GET /api/nothing', 'Cache-Control: no-store', async (client) =>
    (await client.get('/api/nothing')).header('cache-control').includes('no-store'),
  ),
  check(
    'errors',
    'accept-odd',
    'GET /api/fail/error with a hostile Accept',
    'still one honest 500',
    async (client) => {
      const answer = await client.get('/api/fail/error', { accept: `${'a/b;q=0.1,'.repeat(500)}<script>` });
      return (
        answer.status === 500 &&
        !leaks(answer.body) &&
        answer.header('content-type').startsWith('application/problem+json')
      );
    },
  ),
];
