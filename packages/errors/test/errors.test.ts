import {
  Agent,
  get as httpGet,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  context,
  createEvents,
  defineErrors,
  hasCode,
  OptionError,
  SecurityError,
  stageOf,
  type ErrorFactory,
  type Logger,
  type SecurityEvent,
} from '@portcullis/core';
import { createRedactor } from '@portcullis/redact';
import { eventually, onBothExpress, type ExpressLike } from '@portcullis/test-support';
import request from 'supertest';
import {
  BadRequest,
  catchAsync,
  Conflict,
  defineProblem,
  describeError,
  errorHandler,
  errorsErrors,
  Forbidden,
  Gone,
  NotFound,
  notFound,
  problemOf,
  ServiceUnavailable,
  TooManyRequests,
  Unauthorized,
  UnprocessableContent,
  type ErrorHandlerOptions,
  type ErrorReport,
} from '../src/index.js';

/** In every secret place of what is thrown; must not be found anywhere in an answer. */
const CANARY = 'c4n4ry';
const secret = `password=${CANARY} in /srv/app/${CANARY}.js`;

/** What was thrown, and the status that it deserves as a real error. */
type Kind = readonly [name: string, make: () => unknown, status: number];

const with_ = (error: object, extra: object): unknown => Object.assign(error, extra);
const throwing = (): never => {
  throw new Error(secret);
};
const hostileProxy = (target: object): unknown =>
  new Proxy(target, {
    get: throwing,
    getPrototypeOf: throwing,
    has: throwing,
    ownKeys: throwing,
    getOwnPropertyDescriptor: throwing,
  });
const circular = (): unknown => {
  const error: Error & { self?: unknown } = new Error(secret);
  error.self = error;
  error.cause = error;
  return error;
};
const chain = (depth: number): Error => new Error(secret, depth === 0 ? {} : { cause: chain(depth - 1) });

const kinds: readonly Kind[] = [
  ['undefined', () => undefined, 500],
  ['null', () => null, 500],
  ['0', () => 0, 500],
  ['an empty string', () => '', 500],
  ['false', () => false, 500],
  ['NaN', () => Number.NaN, 500],
  ["'route'", () => 'route', 500],
  ["'router'", () => 'router', 500],
  ['a string with secrets', () => secret, 500],
  ['a number', () => 42, 500],
  ['a BigInt', () => 10n ** 30n, 500],
  ['a symbol', () => Symbol(secret), 500],
  ['a function', () => Object.assign(() => secret, { status: 403, message: secret }), 500],
  [
    'a class',
    () =>
      class Leak {
        message = secret;
      },
    500,
  ],
  ['a rejecting promise', () => Promise.reject(new Error(secret)), 500],
  ['a Buffer', () => Buffer.from(secret), 500],
  ['a null-prototype object', () => with_(Object.create(null) as object, { message: secret }), 500],
  ['a plain object with status 404', () => ({ status: 404, message: secret }), 404],
  ['Error', () => new Error(secret), 500],
  ['Error of another realm', () => runInNewContext(`new Error(${JSON.stringify(secret)})`) as unknown, 500],
  ['TypeError', () => new TypeError(secret), 500],
  ['URIError of the app', () => new URIError(secret), 500],
  ['Error with status 200', () => with_(new Error(secret), { status: 200, expose: true }), 500],
  ["Error with status 'abc'", () => with_(new Error(secret), { status: 'abc' }), 500],
  ["Error with status '404'", () => with_(new Error(secret), { status: '404', expose: true }), 500],
  ['Error with status 700', () => with_(new Error(secret), { status: 700, expose: true }), 500],
  ['Error with status -1', () => with_(new Error(secret), { statusCode: -1, expose: true }), 500],
  ['Error with status 404.5', () => with_(new Error(secret), { statusCode: 404.5 }), 500],
  ['Error with status 403, not exposed', () => with_(new Error(secret), { status: 403 }), 403],
  ['Error with status 503, exposed', () => with_(new Error(secret), { status: 503, expose: true }), 503],
  [
    'Error with headers that split the response',
    () =>
      with_(new Error(secret), {
        status: 400,
        expose: false,
        headers: { 'Retry-After': `1\r\nX-${CANARY}: 1`, [`X-${CANARY}`]: '1' },
      }),
    400,
  ],
  ['Error with frozen fields', () => Object.freeze(with_(new Error(secret), { status: 409 })), 409],
  [
    'Error with throwing message',
    () => Object.defineProperty(new Error('x'), 'message', { get: throwing }),
    500,
  ],
  [
    'Error with throwing stack',
    () => Object.defineProperty(new Error(secret), 'stack', { get: throwing }),
    500,
  ],
  [
    'Error with throwing status',
    () => Object.defineProperty(new Error(secret), 'status', { get: throwing }),
    500,
  ],
  [
    'Error with throwing toString',
    () => with_(new Error(secret), { toString: throwing, toJSON: throwing }),
    500,
  ],
  [
    'Error with a symbol as message',
    () => with_(new Error('x'), { message: Symbol(secret), status: 400, expose: true }),
    400,
  ],
  ['a proxy that throws at everything', () => hostileProxy({}), 500],
  ['a proxy of an error that throws at everything', () => hostileProxy(new Error(secret)), 500],
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    500,
  ],
  ['a proxy that has every property', () => new Proxy(new Error(secret), { get: () => secret }), 500],
  ['AggregateError', () => new AggregateError([new Error(secret), secret], secret), 500],
  ['an error with a chain of causes', () => chain(40), 500],
  ['DOMException', () => new DOMException(secret, 'DataCloneError'), 500],
  ['AbortError', () => AbortSignal.abort().reason as unknown, 500],
  ['a circular error', circular, 500],
  ['a message of 400 kB', () => new Error(secret.repeat(10_000)), 500],
  [
    'markup in an exposed message of a wrapped error',
    () => with_(new SyntaxError(secret), { status: 400, expose: true }),
    400,
  ],
  [
    "body-parser's parse error that quotes the body",
    () =>
      with_(new SyntaxError(`Unexpected token 'p', "${secret}" is not valid JSON`), {
        status: 400,
        statusCode: 400,
        expose: true,
        type: 'entity.parse.failed',
        body: secret,
      }),
    400,
  ],
  [
    "send's error that names a file",
    () =>
      with_(new Error(`ENOENT: no such file, stat '${secret}'`), {
        status: 404,
        statusCode: 404,
        expose: true,
        code: 'ENOENT',
        errno: -2,
        syscall: 'stat',
        path: secret,
      }),
    404,
  ],
  [
    "PostgreSQL's error with the statement in it",
    () =>
      with_(new Error(`duplicate key value: ${secret}`), {
        code: '23505',
        severity: 'ERROR',
        routine: '_bt_check',
        detail: secret,
        query: secret,
        table: secret,
      }),
    500,
  ],
  [
    "axios's error of an upstream 401",
    () =>
      with_(new Error(secret), {
        status: 401,
        isAxiosError: true,
        response: { status: 401, headers: { 'www-authenticate': CANARY } },
        config: { headers: { Authorization: secret } },
      }),
    500,
  ],
  [
    "Stripe's error with the headers of Stripe",
    () =>
      with_(new Error(secret), {
        statusCode: 402,
        rawType: 'card_error',
        headers: { 'www-authenticate': CANARY },
      }),
    500,
  ],
  [
    'a 500 of this family',
    () =>
      new SecurityError(secret, {
        code: 'E_SECRET',
        status: 500,
        details: secret,
        problem: { hint: secret },
      }),
    500,
  ],
  [
    'a 503 of this family',
    () =>
      new SecurityError(secret, { code: 'E_BUSY', status: 503, details: secret, problem: { hint: secret } }),
    503,
  ],
  [
    'a refusal of this family with private details',
    () => new SecurityError('No.', { code: 'E_NO', status: 403, details: secret, cause: new Error(secret) }),
    403,
  ],
  [
    'a refusal of this family with an impossible status',
    () => new SecurityError(secret, { code: 'E_NO', status: 200 }),
    500,
  ],
  [
    'a boom error',
    () =>
      with_(new Error(secret), { isBoom: true, output: { statusCode: 404, payload: { message: secret } } }),
    404,
  ],
];

const environments = [undefined, '', 'development', 'staging', 'prod', 'Production', 'production'] as const;
const accepts = ['application/json', 'text/html', 'text/plain'] as const;
const isFalsy = (value: unknown): boolean => !value || value === 'route' || value === 'router';

const OVERLONG = '(longer than anybody sends)';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly raw: string;
}

const agent = new Agent({ keepAlive: true });
const open: Server[] = [];

async function start(app: unknown): Promise<number> {
  const server = createServer(app as RequestListener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function fetchRaw(port: number, path: string, accept: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpGet({ port, host: '127.0.0.1', path, agent, headers: { Accept: accept } }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('error', reject);
      res.on('data', (part: string) => (text += part));
      res.on('end', () => {
        const raw = `${res.statusCode} ${res.statusMessage}\n${res.rawHeaders.join('\n')}\n\n${text}`;
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text, raw });
      });
    }).on('error', reject);
  });
}

afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections();
});
afterAll(() => agent.destroy());

function leaks(raw: string): boolean {
  return (
    raw.includes(CANARY) ||
    /\bat .{1,300}:\d+:\d+/.test(raw) ||
    /node_modules|\.[cm]?[jt]s\b/.test(raw) ||
    raw.includes(process.cwd())
  );
}

function recordingLogger(): { logger: Logger; lines: { level: string; message: string; meta: object }[] } {
  const lines: { level: string; message: string; meta: object }[] = [];
  const at =
    (level: string) =>
    (message: string, meta: object = {}) =>
      void lines.push({ level, message, meta });
  return { logger: { error: at('error'), warn: at('warn'), info: at('info') }, lines };
}

test('there are at least 40 kinds of thrown values and 6 spellings of NODE_ENV', () => {
  expect(kinds.length).toBeGreaterThanOrEqual(40);
  expect(environments.length).toBeGreaterThanOrEqual(6);
});

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(errorsErrors)) expect(make().code).toBe(code);
});

onBothExpress((express, major) => {
  function appThat(fail: () => unknown, options: ErrorHandlerOptions = {}): ReturnType<ExpressLike> {
    const app = express();
    app.all(
      '/',
      catchAsync(async (_req, _res) => {
        await Promise.resolve();
        throw fail();
      }),
    );
    app.use(notFound(), errorHandler({ logger: false, ...options }));
    return app;
  }

  describe.each(environments)('nothing leaks with NODE_ENV=%p', (environment) => {
    const before = process.env['NODE_ENV'];
    const unhandled: unknown[] = [];
    const note = (error: unknown): unknown => unhandled.push(error);
    let port = 0;

    beforeAll(() => {
      if (environment === undefined) delete process.env['NODE_ENV'];
      else process.env['NODE_ENV'] = environment;
      process.on('unhandledRejection', note);
    });
    afterAll(() => {
      if (before === undefined) delete process.env['NODE_ENV'];
      else process.env['NODE_ENV'] = before;
      process.off('unhandledRejection', note);
    });

    test(`ASVS V13.4.2 V16.5.1: of ${kinds.length} kinds of errors, thrown, rejected and passed to next(), answers say nothing`, async () => {
      const { logger, lines } = recordingLogger();
      const app = express();
      for (const [i, [, make]] of kinds.entries()) {
        app.get(`/thrown/${i}`, () => {
          throw make();
        });
        app.get(`/next/${i}`, (_req, _res, next) => next(make()));
        app.get(
          `/caught/${i}`,
          catchAsync(async (_req, _res, _next) => {
            await Promise.resolve();
            throw make();
          }),
        );
        if (major === 5)
          app.get(`/rejected/${i}`, async () => {
            await Promise.resolve();
            throw make();
          });
      }
      app.get('/alive', (_req, res) => void res.send('alive'));
      app.use(notFound(), errorHandler({ logger }));
      port = await start(app);

      for (const [i, [name, make, status]] of kinds.entries()) {
        const ways = ['caught', 'thrown', 'next', ...(major === 5 ? ['rejected'] : [])];
        for (const [j, way] of ways.entries()) {
          const answer = await fetchRaw(port, `/${way}/${i}`, accepts[(i + j) % 3]!);
          const falsy = isFalsy(discard(make()));
          // What Express takes for "go on" ends at notFound(), or, for 'router', at Express's own 404. Only catchAsync()
          // makes errors of all of it; Express 5's own rejections do so for falsy values.
          const signal = falsy && (way === 'thrown' || way === 'next' || (way === 'rejected' && make()));
          expect({ name, way, status: answer.status, leak: leaks(answer.raw) ? answer.raw : false }).toEqual({
            name,
            way,
            status: signal ? 404 : status,
            leak: false,
          });
          if (answer.status >= 500) expect(answer.text).not.toContain('"detail"');
        }
      }
      expect((await fetchRaw(port, '/alive', '*/*')).text).toBe('alive');
      expect(unhandled).toEqual([]);
      // What the client does not see is in the log.
      expect(lines.filter(({ meta }) => JSON.stringify(meta).includes(CANARY)).length).toBeGreaterThan(50);
    });
  });

  test('the stock handler of Express would have leaked: the check can fail', async () => {
    const app = express();
    app.get('/', () => {
      throw new Error(secret);
    });
    app.set('env', 'test'); // Prints nothing on the console, and tells the client everything.
    expect(leaks((await fetchRaw(await start(app), '/', '*/*')).raw)).toBe(true);
  });

  describe('the answer', () => {
    const refusal = () =>
      new UnprocessableContent('The form has <2> faults.', {
        problem: {
          errors: [
            { pointer: '/title', detail: 'must not be <script>alert(1)</script>' },
            { pointer: '/isbn', message: 'is required' },
          ],
          status: 200,
          requestId: 'forged',
        },
      });

    test('is a problem document (RFC 9457) with code, request id and the errors of the fields', async () => {
      const response = await request(appThat(refusal)).get('/');
      expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(response.body).toEqual({
        type: 'urn:portcullis:error:E_UNPROCESSABLE_CONTENT',
        title: 'Unprocessable content',
        status: 422,
        detail: 'The form has <2> faults.',
        instance: `urn:uuid:${response.headers['x-request-id']}`,
        code: 'E_UNPROCESSABLE_CONTENT',
        requestId: response.headers['x-request-id'],
        errors: [
          { pointer: '/title', detail: 'must not be <script>alert(1)</script>' },
          { pointer: '/isbn', message: 'is required' },
        ],
      });
      expect(response.text).not.toContain('<');
    });

    test('has the compact form with the numeric status where that is asked for', async () => {
      const compact = await request(appThat(() => new Forbidden('Staff only.'), { shape: 'compact' })).get(
        '/',
      );
      expect(compact.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(compact.body).toEqual({ error: { code: 403, message: 'Staff only.' } });
      const failed = await request(appThat(() => new Error(secret), { shape: 'compact' })).get('/');
      expect(failed.body).toEqual({ error: { code: 500, message: 'Internal server error' } });
      const fields = await request(appThat(refusal, { shape: 'compact' })).get('/');
      expect(fields.body).toMatchObject({
        error: { code: 422, errors: [{ pointer: '/title' }, { pointer: '/isbn' }] },
      });
    });

    test('is a page without script, style or unescaped text for browsers', async () => {
      const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';
      const { text, headers } = await request(appThat(refusal)).get('/').set('Accept', browser);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(text).toContain('The form has &lt;2&gt; faults.');
      expect(text).toContain(
        '<li><code>/title</code> must not be &lt;script&gt;alert(1)&lt;/script&gt;</li>',
      );
      expect(text).toContain('<li><code>/isbn</code> is required</li>');
      expect(text).not.toMatch(/<(?:script|style|link|img|iframe)|\sstyle=|\son\w+=/i);
      expect(headers['content-security-policy']).toContain("default-src 'none'");
    });

    test('is a text without control characters for terminals', async () => {
      const escape = () => new BadRequest('red \u001b[31m and\r\nforged: line');
      const { text, headers } = await request(appThat(escape)).get('/').set('Accept', 'text/plain');
      expect(headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(text).toBe(`400 Bad request\nred  [31m and forged: line\nRequest ${headers['x-request-id']}\n`);
    });

    test.each([
      ['*/*', 'json'],
      ['', 'json'],
      ['application/json', 'json'],
      ['application/problem+json', 'json'],
      ['application/*', 'json'],
      ['text/html', 'html'],
      ['TEXT/HTML;Q=0.5', 'html'],
      ['text/*', 'html'],
      ['text/html;q=0, */*', 'json'],
      ['application/json;q=0.4, text/plain;q=0.5', 'text'],
      ['text/html;q=0.9, application/json;q=0.9', 'json'],
      ['image/avif', 'json'],
      ['text/html;q=9', 'json'],
      [';;;,,,=', 'json'],
      [OVERLONG, 'json'],
    ])('Accept: %s is answered with %s', async (header, form) => {
      const accept = header === OVERLONG ? `${'a/b,'.repeat(1_500)}text/html` : header;
      const response = await request(appThat(() => new Gone()))
        .get('/')
        .set('Accept', accept);
      expect(response.headers['content-type']).toContain(form === 'text' ? 'text/plain' : form);
      expect(response.headers['vary']).toBe('Accept');
    });

    test('is in the only form on offer, whatever is accepted', async () => {
      const app = appThat(() => new Gone(), { formats: ['json'] });
      expect((await request(app).get('/').set('Accept', 'text/html')).headers['content-type']).toContain(
        'json',
      );
    });

    test('to HEAD has the headers and no body', async () => {
      const response = await request(appThat(() => new NotFound())).head('/');
      expect([response.status, response.text, Number(response.headers['content-length']) > 100]).toEqual([
        404,
        undefined,
        true,
      ]);
    });

    test('carries type and challenge as configured', async () => {
      const options = { typeBase: 'https://errors.example.com/', challenge: 'Bearer realm="library"' };
      const response = await request(appThat(() => new Unauthorized(), options)).get('/');
      expect(response.body).toMatchObject({ type: 'https://errors.example.com/E_UNAUTHORIZED' });
      expect(response.headers['www-authenticate']).toBe('Bearer realm="library"');
      const own = () => new Unauthorized('', { headers: { 'www-authenticate': 'DPoP' } });
      expect((await request(appThat(own, options)).get('/')).headers['www-authenticate']).toBe('DPoP');
    });

    test('carries the request id of context()', async () => {
      const app = express();
      app.use(context({ trustProxy: false }), notFound(), errorHandler({ logger: false }));
      const response = await request(app).get('/');
      expect(response.body).toMatchObject({ requestId: response.headers['x-request-id'] });
    });

    test('keeps Retry-After and the other headers of the error, on 503 too, but never framing', async () => {
      const busy = () =>
        new ServiceUnavailable(secret, {
          headers: {
            'Retry-After': '120',
            'Content-Length': '3',
            'Content-Type': 'text/evil',
            'X-Bad': 'a\r\nb',
          },
        });
      const response = await request(appThat(busy)).get('/');
      expect([response.status, response.headers['retry-after'], response.headers['x-bad']]).toEqual([
        503,
        '120',
        undefined,
      ]);
      expect(response.body).toMatchObject({ title: 'Service unavailable', code: 'E_SERVICE_UNAVAILABLE' });
      const later = () => new TooManyRequests(undefined, { headers: { 'Retry-After': '7' } });
      expect((await request(appThat(later)).get('/')).headers['retry-after']).toBe('7');
    });

    test('takes of a foreign error only the headers that HTTP ties to a status', async () => {
      const foreign = () =>
        with_(new Error(secret), {
          status: 429,
          expose: false,
          headers: { 'Retry-After': 30, 'Set-Cookie': 'sid=evil', 'Access-Control-Allow-Origin': '*' },
        });
      const { headers } = await request(appThat(foreign)).get('/');
      expect([headers['retry-after'], headers['set-cookie'], headers['access-control-allow-origin']]).toEqual(
        ['30', undefined, undefined],
      );
    });

    test('is rid of the headers of the answer that did not come; security headers and cookies stay', async () => {
      const app = express();
      app.get('/', (_req, res) => {
        res.statusMessage = `OK ${CANARY}`;
        res.set({
          'Content-Encoding': 'gzip',
          'Content-Length': '5',
          'Content-Disposition': `attachment; filename=${CANARY}`,
          ETag: `"${CANARY}"`,
          'Last-Modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
          'Cache-Control': 'public, max-age=31536000',
          Expires: 'Thu, 01 Jan 2099 00:00:00 GMT',
          'X-Accel-Redirect': `/internal/${CANARY}`,
          Location: `/${CANARY}`,
          'Content-Security-Policy': "default-src 'self'",
          'Strict-Transport-Security': 'max-age=63072000',
          'Access-Control-Allow-Origin': 'https://app.example',
          Vary: 'Origin',
          'Set-Cookie': 'theme=dark',
        });
        throw new Error(secret);
      });
      app.use(errorHandler({ logger: false }));
      const answer = await fetchRaw(await start(app), '/', '*/*');
      expect(leaks(answer.raw)).toBe(false);
      expect(answer.headers).toMatchObject({
        'cache-control': 'no-store',
        'content-length': String(Buffer.byteLength(answer.text)),
        'content-security-policy': "default-src 'self'",
        'strict-transport-security': 'max-age=63072000',
        'access-control-allow-origin': 'https://app.example',
        vary: 'Origin, Accept',
        'set-cookie': ['theme=dark'],
        'x-content-type-options': 'nosniff',
      });
      for (const gone of [
        'content-encoding',
        'etag',
        'last-modified',
        'expires',
        'location',
        'x-accel-redirect',
        'x-powered-by',
      ]) {
        expect(answer.headers).not.toHaveProperty(gone);
      }
    });

    test('loses members that cannot be written, not itself', async () => {
      const circle: Record<string, unknown> = {};
      circle['self'] = circle;
      for (const problem of [
        circle,
        { n: 1n },
        { toJSON: throwing },
        { big: 'x'.repeat(100_000) },
        hostileProxy({}) as Record<string, unknown>,
      ]) {
        const response = await request(appThat(() => new Conflict('Busy.', { problem }))).get('/');
        expect(response.status).toBe(409);
        expect(Object.keys(response.body as object)).toEqual([
          'type',
          'title',
          'status',
          'detail',
          'instance',
          'code',
          'requestId',
        ]);
      }
      const many = Array.from({ length: 5_000 }, (_, i) => ({ pointer: `/${i}`, detail: 'no' }));
      const { body } = await request(appThat(() => new Conflict('Busy.', { problem: { errors: many } }))).get(
        '/',
      );
      expect((body as { errors: unknown[] }).errors).toHaveLength(100);
    });
  });

  describe('foreign errors', () => {
    test('of http-errors show their message only when it is exposed and 4xx', async () => {
      const exposed = () => with_(new Error('The coupon has expired.'), { status: 410, expose: true });
      expect((await request(appThat(exposed)).get('/')).body).toMatchObject({
        status: 410,
        detail: 'The coupon has expired.',
      });
      const hidden = () => with_(new Error(secret), { status: 410, expose: false });
      expect((await request(appThat(hidden)).get('/')).body).not.toHaveProperty('detail');
      const odd = () => with_(new Error(secret), { status: 418 });
      expect((await request(appThat(odd)).get('/')).body).toMatchObject({
        status: 418,
        title: "I'm a Teapot",
        code: 'E_CLIENT_ERROR',
      });
    });

    test('of body-parser become refusals that quote nothing: too large, malformed, encoding, charset, length, parameters, depth', async () => {
      const app = express();
      app.use(
        express.json({
          limit: 100,
          verify: (req) => {
            if ((req as { url?: string }).url === '/refuse') throw new Error(secret);
          },
        }),
        express.urlencoded({ extended: true, parameterLimit: 2 }),
        notFound(),
        errorHandler({ logger: false }),
      );
      const send = async (body: string, headers: Record<string, string>, path = '/'): Promise<unknown[]> => {
        const response = await request(app)
          .post(path)
          .set({ 'Content-Type': 'application/json', ...headers })
          .send(body);
        expect(leaks(response.text)).toBe(false);
        return [response.status, (response.body as { code: string }).code];
      };
      expect(await send(`{"a": "${'x'.repeat(200)}"}`, {})).toEqual([413, 'E_BODY_TOO_LARGE']);
      expect(await send(`{"${CANARY}": oops}`, {})).toEqual([400, 'E_BODY_MALFORMED']);
      expect(await send('{}', { 'Content-Encoding': 'rot13' })).toEqual([415, 'E_BODY_ENCODING']);
      for (const encoding of ['gzip', 'deflate', ...(major === 5 ? ['br'] : [])]) {
        expect([
          encoding,
          await send('{"not": "compressed at all"}', { 'Content-Encoding': encoding }),
        ]).toEqual([encoding, [400, 'E_BODY_MALFORMED']]);
      }
      expect(await send('{}', { 'Content-Type': 'application/json; charset=x-evil' })).toEqual([
        415,
        'E_BODY_CHARSET',
      ]);
      expect(await send('{}', {}, '/refuse')).toEqual([403, 'E_BODY_REFUSED']);
      const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
      expect(await send('a=1&b=2&c=3', form)).toEqual([413, 'E_BODY_TOO_MANY_PARAMETERS']);
      const deep = `a${'[a]'.repeat(60)}=1`;
      expect(await send(deep, form)).toEqual([400, 'E_BODY_TOO_DEEP']);
    });

    test('of sendFile(), static files and http-errors itself name no path, although they are marked as exposed', async () => {
      const app = express();
      app.get('/file', (_req, res) => res.sendFile(`/nowhere/${CANARY}/file.txt`));
      app.use('/static', express.static(`/nowhere/${CANARY}`, { fallthrough: false }));
      // The copy that Express itself uses.
      const createError = createRequire(import.meta.resolve('express'))('http-errors') as (
        status: number,
        ...rest: unknown[]
      ) => Error;
      app.get('/made', (_req, _res, next) => next(createError(402, 'Please pay first.')));
      app.get('/wrapped', (_req, _res, next) => next(createError(404, new RangeError(secret))));
      app.get('/headers', (_req, _res, next) =>
        next(createError(503, secret, { headers: { 'Retry-After': '9' } })),
      );
      app.use(notFound(), errorHandler({ logger: false }));
      const port = await start(app);
      for (const [path, status] of [
        ['/file', 404],
        ['/static/x', 404],
        ['/static/..%2fx', 403],
        ['/static/%00', 400],
        ['/wrapped', 404],
        ['/headers', 503],
      ] as const) {
        const answer = await fetchRaw(port, path, '*/*');
        expect([path, answer.status, leaks(answer.raw)]).toEqual([path, status, false]);
      }
      expect((await fetchRaw(port, '/made', '*/*')).text).toContain('Please pay first.');
      expect((await fetchRaw(port, '/headers', '*/*')).headers['retry-after']).toBe('9');
    });

    test('of the router for addresses that cannot be decoded are 400', async () => {
      const app = express();
      app.get('/books/:id', (_req, res) => void res.send('never'));
      app.use(notFound(), errorHandler({ logger: false }));
      const response = await request(app).get('/books/%E0%A4%A');
      expect([response.status, (response.body as { code: string }).code]).toEqual([400, 'E_URL_MALFORMED']);
      expect(response.text).not.toContain('%E0');
    });

    test('are translated by map(); a faulty map() costs nothing', async () => {
      class UniqueViolation extends Error {}
      const events = createEvents();
      const failures: unknown[] = [];
      events.on('errors.hook-failed', (event) => void failures.push(event.hook));
      const map = (error: unknown): unknown => {
        if (error instanceof UniqueViolation) return new Conflict('This ISBN exists already.');
        return error instanceof RangeError ? throwing() : undefined;
      };
      const status = async (error: Error): Promise<number> =>
        (await request(appThat(() => error, { map, events })).get('/')).status;
      expect(await status(new UniqueViolation(secret))).toBe(409);
      expect(await status(new TypeError(secret))).toBe(500);
      expect(await status(new RangeError(secret))).toBe(500);
      expect(failures).toEqual(['map']);
    });
  });

  describe('notFound()', () => {
    function library(): ReturnType<ExpressLike> {
      const app = express();
      const books = express.Router();
      books.get('/', (_req, res) => void res.send('all')).post('/', (_req, res) => void res.send('added'));
      books.get('/:isbn', (req, res, next) => (req.params['isbn'] === 'none' ? next() : res.send('one')));
      books.delete('/:isbn', (_req, res) => void res.send('gone'));
      app.use('/books', books);
      app.all('/anything', (_req, _res, next) => next());
      app.use(notFound(), errorHandler({ logger: false }));
      return app;
    }

    test('answers 404 for unknown addresses, also for routes that pass the request on', async () => {
      for (const path of ['/', '/nothing', '/books/1/2', '/books/none', '/anything', '//', '/bookshop']) {
        const response = await request(library()).get(path);
        expect([path, response.status, response.headers['allow']]).toEqual([path, 404, undefined]);
        expect(response.text).not.toContain('bookshop');
      }
    });

    test('answers 405 with Allow where the address has other methods', async () => {
      const patched = await request(library()).patch('/books/123?x=1');
      expect([patched.status, patched.headers['allow']]).toEqual([405, 'DELETE, GET, HEAD, OPTIONS']);
      expect(patched.body).toMatchObject({ code: 'E_METHOD_NOT_ALLOWED' });
      expect((await request(library()).delete('/books')).headers['allow']).toBe('GET, HEAD, OPTIONS, POST');
      expect((await request(library()).trace('/books')).status).toBe(405);
    });

    test('answers OPTIONS with the methods of the address', async () => {
      const app = express();
      app.get('/books/:isbn', throwing).delete('/books/:isbn', throwing);
      app.use(notFound(), errorHandler({ logger: false }));
      const response = await request(app).options('/books/123');
      expect([response.status, response.headers['allow'], response.text]).toEqual([
        204,
        'DELETE, GET, HEAD, OPTIONS',
        '',
      ]);
      expect((await request(library()).options('/nothing')).status).toBe(404);
    });

    test('inside a router and a sub-app looks at the right routes', async () => {
      const inner = express.Router();
      inner.get('/x', (_req, res) => void res.send('x'));
      inner.use(notFound());
      const sub = express();
      sub.get('/y', (_req, res) => void res.send('y'));
      sub.use(notFound(), errorHandler({ logger: false }));
      const app = express();
      app.use('/inner', inner);
      app.use('/sub', sub);
      app.get('/x', (_req, res) => void res.send('outer'));
      app.use(errorHandler({ logger: false }));
      expect((await request(app).post('/inner/x')).status).toBe(405);
      expect((await request(app).get('/inner/y')).status).toBe(404);
      expect((await request(app).post('/sub/y')).status).toBe(405);
      expect((await request(app).post('/sub/x')).status).toBe(404);
    });

    test('can be told not to look', async () => {
      const app = express();
      app.get('/x', (_req, res) => void res.send('x'));
      app.use(notFound({ methods: false }), errorHandler({ logger: false }));
      expect((await request(app).post('/x')).status).toBe(404);
    });
  });

  describe('catchAsync()', () => {
    test('leaves results, next() and next(route) as they are', async () => {
      const app = express();
      app.get(
        '/',
        catchAsync(async (_req, _res, next) => next()),
        catchAsync(async (_req, _res, next) => next('route')),
        () => throwing(),
      );
      app.get(
        '/',
        catchAsync((_req, res) => void res.send('reached')),
      );
      app.use(errorHandler({ logger: false }));
      expect((await request(app).get('/')).text).toBe('reached');
    });

    test('wraps error middleware too', async () => {
      const app = express();
      app.get('/', () => throwing());
      app.use(
        catchAsync(async (_error: unknown, _req: unknown, _res: unknown, _next: unknown) => {
          await Promise.resolve();
          throw new Conflict();
        }),
      );
      app.use(errorHandler({ logger: false }));
      expect((await request(app).get('/')).status).toBe(409);
    });

    test('keeps name and stage', () => {
      const limit = context({ trustProxy: false });
      expect(stageOf(catchAsync(limit))).toEqual(stageOf(limit));
      expect(catchAsync(async function listBooks() {}).name).toBe('listBooks');
    });
  });

  describe('an answer that is already on its way', () => {
    test('is cut, so that it cannot pass for a whole one, and reported', async () => {
      const reports: ErrorReport[] = [];
      const app = express();
      app.get('/', (_req, res, next) => {
        res.write('half');
        setTimeout(() => next(new Error(secret)), 20);
      });
      app.use(errorHandler({ logger: false, report: (_error, info) => void reports.push(info) }));
      const port = await start(app);
      await expect(fetchRaw(port, '/', '*/*')).rejects.toMatchObject({ message: 'aborted' });
      expect(reports).toMatchObject([{ outcome: 'truncated', status: 500, path: '/' }]);
    });

    test('is left alone when it is complete, and the error is reported', async () => {
      const reports: ErrorReport[] = [];
      const app = express();
      app.get('/', (_req, res, next) => {
        res.send('complete');
        next(new Error(secret));
      });
      app.use(errorHandler({ logger: false, report: (_error, info) => void reports.push(info) }));
      expect((await request(app).get('/')).text).toBe('complete');
      expect(reports).toMatchObject([{ outcome: 'late' }]);
    });

    test('is not tried when the client has gone; a mere disconnect is no report, a fault is', async () => {
      const reports: string[] = [];
      const outcomes: string[] = [];
      const events = createEvents();
      events.on('errors.handled', (event) => void outcomes.push(event.outcome));
      const app = express();
      let leave = (): void => undefined;
      app.get('/:kind', (req, res, next) => {
        res.on('close', () =>
          next(req.params['kind'] === 'fault' ? new TypeError('fault') : AbortSignal.abort().reason),
        );
        leave();
      });
      app.use(
        errorHandler({ logger: false, events, report: (error) => void reports.push((error as Error).name) }),
      );
      const port = await start(app);
      for (const kind of ['disconnect', 'fault']) {
        const socket = connect(port, '127.0.0.1', () =>
          socket.write(`GET /${kind} HTTP/1.1\r\nHost: x\r\n\r\n`),
        );
        leave = () => void socket.destroy();
        const expected = kind === 'fault' ? 2 : 1;
        await eventually(() => expect(outcomes).toHaveLength(expected));
      }
      expect(outcomes).toEqual(['aborted', 'aborted']);
      expect(reports).toEqual(['TypeError']);
    });

    test('an upload that breaks off ends as 400 request aborted and hurts nobody', async () => {
      const codes: string[] = [];
      const events = createEvents();
      events.on('errors.handled', (event) => void codes.push(event.code));
      const app = express();
      let breakOff = (): void => undefined;
      app.use((req, _res, next) => {
        next();
        req.once('data', () => breakOff());
      });
      app.use(express.json(), errorHandler({ logger: false, events }));
      const port = await start(app);
      const upload = httpRequest({
        port,
        host: '127.0.0.1',
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Content-Length': 100 },
      });
      upload.on('error', () => undefined);
      Readable.from(['{"a":']).pipe(upload, { end: false });
      breakOff = () => void upload.destroy();
      await eventually(() => expect(codes).toEqual(['E_REQUEST_ABORTED']));
    });
  });

  describe('log and report', () => {
    test('ASVS V16.3.4: receive the whole error with its cause, once, with request id and path but without the query', async () => {
      const { logger, lines } = recordingLogger();
      const reports: [unknown, ErrorReport][] = [];
      const thrown = new Error(secret, { cause: new TypeError('root') });
      const app = appThat(() => thrown, {
        logger,
        report: (error, info) => void reports.push([error, info]),
      });
      const response = await request(app).get('/?token=t0k3n');
      const requestId = response.headers['x-request-id'];
      expect(reports).toEqual([
        [
          thrown,
          expect.objectContaining({
            requestId,
            method: 'GET',
            path: '/',
            status: 500,
            tags: { requestId, code: 'E_INTERNAL', status: '500' },
          }),
        ],
      ]);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({
        level: 'error',
        meta: { requestId, error: { name: 'Error', message: secret, cause: { name: 'TypeError' } } },
      });
      expect(JSON.stringify(lines)).not.toContain('t0k3n');
    });

    describe('with redact', () => {
      const password = 'hunter2-Tr0ub4dor';
      const dsn = 'pa55word-of-the-pool';
      const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJpYXQiOjF9.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw';
      /** As database drivers make them: the row and the parameters are quoted. */
      const databaseError = (): Error =>
        Object.assign(
          new Error(`new row violates check; failing row contains (7, ada@example.org, ${password})`, {
            cause: new AggregateError(
              [new Error(`cannot reach postgres://app:${dsn}@db.internal/library`)],
              `gave up with parameters ada@example.org, ${password}`,
            ),
          }),
          { name: 'DatabaseError', code: '23514', details: { parameters: { email: 'ada', password } } },
        );
      const secretsIn = (value: unknown): string[] =>
        [password, dsn, token].filter((text) => JSON.stringify(value).includes(text));

      test('the record of a database error that quotes a password holds no secret, in message, stack, details, cause and path', async () => {
        const { redact } = createRedactor();
        const answers: unknown[] = [];
        for (const options of [{}, { redact }]) {
          const { logger, lines } = recordingLogger();
          const reports: unknown[] = [];
          const thrown = databaseError();
          const app = express();
          app.get('/reset/:token', (_req, _res, next) => next(thrown));
          app.use(errorHandler({ logger, report: (error) => void reports.push(error), ...options }));
          const { status, body } = await request(app)
            .get(`/reset/${token}`)
            .set('Accept', 'application/json');
          const { requestId, instance, ...said } = body as Record<string, unknown>;
          answers.push({ status, said, ids: [typeof requestId, typeof instance] });

          expect(reports[0]).toBe(thrown);
          expect(lines).toHaveLength(1);
          // Without a redactor all of them are there: that is what the other half of this test has to tell apart.
          expect(secretsIn(lines)).toEqual('redact' in options ? [] : [password, dsn, token]);
          expect(lines[0]).toMatchObject({
            message: 'A request failed.',
            meta: {
              requestId,
              status: 500,
              code: 'E_INTERNAL',
              path: expect.stringMatching(/^\/reset\//),
              error: {
                name: 'DatabaseError',
                code: '23514',
                message: expect.stringContaining('new row violates check'),
                stack: expect.stringMatching(/\n {4}at /),
                details: expect.stringContaining('email'),
                cause: {
                  name: 'AggregateError',
                  errors: [{ message: expect.stringContaining('db.internal/library') }],
                },
              },
            },
          });
        }
        expect(answers[1]).toEqual(answers[0]);
      });

      test('a thrown record is redacted by its names, and so is the fault of another hook', async () => {
        const { redact } = createRedactor();
        const { logger, lines } = recordingLogger();
        const map = (): never => {
          throw databaseError();
        };
        await request(appThat(() => ({ user: 'ada', password }), { logger, redact, map })).get('/');
        expect(lines.map(({ message }) => message)).toEqual([
          'The map hook of errorHandler() failed.',
          'A request failed.',
        ]);
        expect(secretsIn(lines)).toEqual([]);
        expect(lines[1]?.meta).toMatchObject({
          error: { name: 'thrown object', message: expect.stringContaining("user: 'ada'") },
        });
      });

      test('a secret across the place where a long message is cut is found before the cut', async () => {
        const { redact } = createRedactor();
        const { logger, lines } = recordingLogger();
        const long = `${'x'.repeat(3_990)} Bearer ${token}`;
        await request(appThat(() => new Error(long), { logger, redact })).get('/');
        expect(JSON.stringify(lines)).not.toContain('Bearer e');
        expect(lines).toHaveLength(1);
      });

      test.each<[string, (value: unknown) => unknown]>([
        [
          'throws what it was given',
          (value) => {
            throw new Error(JSON.stringify(value));
          },
        ],
        ['rejects', (value) => Promise.reject(new Error(JSON.stringify(value)))],
        ['returns a promise', (value) => Promise.resolve(value)],
        ['returns nothing', () => undefined],
        ['returns a text', (value) => JSON.stringify(value)],
        ['returns what cannot be read', () => hostileProxy({})],
      ])('a redactor that %s: the record says so and carries no content', async (_name, redact) => {
        const unhandled: unknown[] = [];
        const note = (error: unknown): unknown => unhandled.push(error);
        process.on('unhandledRejection', note);
        const events = createEvents();
        const failed: string[] = [];
        events.on('errors.hook-failed', ({ hook }) => void failed.push(hook));
        const { logger, lines } = recordingLogger();
        const response = await request(appThat(databaseError, { logger, redact, events })).get('/');
        await new Promise((resolve) => setImmediate(resolve));
        process.off('unhandledRejection', note);
        expect([response.status, failed, unhandled]).toEqual([500, ['redact'], []]);
        expect(lines).toEqual([
          {
            level: 'error',
            message: 'A request failed.',
            meta: {
              requestId: response.headers['x-request-id'],
              status: 500,
              code: 'E_INTERNAL',
              outcome: 'answered',
              method: 'GET',
              error: { name: 'Withheld', message: 'The redactor failed; the error is not shown.' },
            },
          },
        ]);
      });

      test('what is no function is refused at once', () => {
        expect(() => errorHandler({ redact: createRedactor() as never })).toThrow(OptionError);
      });
    });

    test('are for 5xx, or for what reportIf and logLevel choose', async () => {
      const { logger, lines } = recordingLogger();
      const reported: number[] = [];
      const report = (_error: unknown, info: ErrorReport): void => void reported.push(info.status);
      await request(appThat(() => new NotFound(), { logger, report })).get('/');
      expect([reported, lines]).toEqual([[], []]);
      const reportIf = (_error: unknown, info: ErrorReport): boolean => info.status === 403;
      await request(appThat(() => new Forbidden(), { logger, report, reportIf, logLevel: () => 'warn' })).get(
        '/',
      );
      expect([reported, lines.map(({ level }) => level)]).toEqual([[403], ['warn']]);
    });

    test.each([
      ['throws', () => throwing()],
      ['rejects', () => Promise.reject(new Error(secret))],
      ['hangs', () => new Promise(() => undefined)],
      [
        'tries to change the status',
        (_error: unknown, info: object) => void Object.assign(info, { status: 200 }),
      ],
    ])('a report hook that %s never changes the answer nor calls itself', async (_name, report) => {
      let calls = 0;
      const events = createEvents();
      const failed: SecurityEvent[] = [];
      events.on('errors.hook-failed', (event) => void failed.push(event));
      const { logger, lines } = recordingLogger();
      const app = appThat(() => new Error(secret), {
        logger,
        events,
        report: (error, info) => {
          calls += 1;
          return report(error, info);
        },
      });
      const response = await request(app).get('/');
      expect([response.status, leaks(response.text), calls]).toEqual([500, false, 1]);
      const faulty = _name !== 'hangs';
      await eventually(() => expect([failed.length, lines.length]).toEqual(faulty ? [1, 2] : [0, 1]));
    });

    test('a faulty logger, level function, page or request record does not change the answer either', async () => {
      const bad: Logger = { error: throwing, warn: throwing, info: throwing };
      expect(
        (await request(appThat(() => new Error(secret), { logger: bad, report: throwing })).get('/')).status,
      ).toBe(500);
      expect((await request(appThat(() => new NotFound(), { logLevel: throwing })).get('/')).status).toBe(
        404,
      );
      for (const html of [throwing, () => undefined as unknown as string]) {
        const page = await request(appThat(() => new NotFound('Gone <b>.'), { html }))
          .get('/')
          .set('Accept', 'text/html');
        expect([page.status, page.text.includes('Gone &lt;b&gt;.')]).toEqual([404, true]);
      }
      const app = express();
      app.use((req, _res, next) => {
        Object.defineProperty(req, 'security', { get: throwing });
        next(new NotFound());
      });
      app.use(errorHandler({ logger: false }));
      expect((await request(app).get('/')).status).toBe(404);
    });

    test('a page of the app is used, under a policy of its own', async () => {
      const html = ({ status, requestId }: { status: number; requestId: string }): string =>
        `<h1>${status} ${requestId}</h1>`;
      const page = await request(appThat(() => new NotFound(), { html }))
        .get('/')
        .set('Accept', 'text/html');
      expect(page.text).toBe(`<h1>404 ${page.headers['x-request-id']}</h1>`);
      expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    });

    test('a response that cannot be written gets the last resort, or its connection is cut', async () => {
      const { logger, lines } = recordingLogger();
      const app = express();
      app.use((req, res, next) => {
        const end = res.end.bind(res) as (...args: unknown[]) => unknown;
        let first = true;
        res.end = ((...args: unknown[]): unknown => {
          if (req.path === '/once' && !first) return end(...args);
          first = false;
          throw new Error(secret);
        }) as typeof res.end;
        next(new NotFound());
      });
      app.use(errorHandler({ logger, logLevel: () => 'info' }));
      const port = await start(app);
      const answer = await fetchRaw(port, '/once', '*/*');
      expect([answer.status, answer.text]).toEqual([500, '500 Internal server error\n']);
      await expect(fetchRaw(port, '/always', '*/*')).rejects.toBeDefined();
      expect(lines).toHaveLength(2);
    });
  });

  test('refusals of any package of the family are answered with their code and text', async () => {
    const other = defineErrors('library', {
      E_BOOK_LENT: { status: 409, title: 'Lent', message: 'The book is lent.' },
    });
    const response = await request(appThat(() => other.E_BOOK_LENT({ problem: { due: '2027-01-01' } }))).get(
      '/',
    );
    expect(response.body).toMatchObject({
      code: 'E_BOOK_LENT',
      title: 'Lent',
      detail: 'The book is lent.',
      due: '2027-01-01',
    });
  });
});

describe('classes', () => {
  test.each([
    [BadRequest, 400],
    [Unauthorized, 401],
    [Forbidden, 403],
    [NotFound, 404],
    [Conflict, 409],
    [Gone, 410],
    [UnprocessableContent, 422],
    [TooManyRequests, 429],
    [ServiceUnavailable, 503],
  ])('%p has status %i, a code with a help page, and keeps cause and details private', (Class, status) => {
    const cause = new Error(secret);
    const error = new Class('Sentence.', { cause, details: secret });
    expect(error).toMatchObject({ status, message: 'Sentence.', name: Class.name, cause });
    expect(errorsErrors).toHaveProperty(error.code);
    expect(error.help).toContain(`${error.code}.md`);
    expect(JSON.stringify(error)).not.toContain(CANARY);
    expect(new Class().message).not.toBe('');
  });

  test('a domain error has code, status and members of its own, and can be extended', () => {
    class CardDeclined extends defineProblem('E_CARD_DECLINED', {
      status: 402,
      title: 'Card declined',
      message: 'The card was declined.',
    }) {
      constructor(reason: 'funds' | 'expired') {
        super(undefined, { problem: { reason }, details: secret });
      }
    }
    const error = new CardDeclined('funds');
    expect(error).toMatchObject({ name: 'CardDeclined', status: 402, code: 'E_CARD_DECLINED' });
    expect(error).toBeInstanceOf(Error);
    expect([
      CardDeclined.is(error),
      CardDeclined.is(new NotFound()),
      hasCode(error, 'E_CARD_DECLINED'),
    ]).toEqual([true, false, true]);
    expect(problemOf(error)).toEqual({
      status: 402,
      code: 'E_CARD_DECLINED',
      title: 'Card declined',
      detail: 'The card was declined.',
      headers: {},
      members: { reason: 'funds' },
    });
  });

  test.each([
    ['e_lower', { status: 400, title: 'x' }],
    ['E_OK', { status: 200, title: 'x' }],
    ['E_OK', { status: 400, title: '' }],
    ['E_OK', { status: 400 }],
    ['E_OK', { status: 400, title: 'x', mesage: 'y' }],
  ])('a wrong domain error does not start: %p %p', (code, row) => {
    expect(() => defineProblem(code as 'E_OK', row as { status: number; title: string })).toThrow(
      OptionError,
    );
  });
});

test.each([
  [{ shape: 'compct' }, /compact/],
  [{ formats: [] }, /formats/],
  [{ formats: ['xml'] }, /formats/],
  [{ typeBase: 'errors/' }, /absolute/],
  [{ challenge: 'Basic\r\nX: y' }, /challenge/],
  [{ logger: {} }, /logger/],
  [{ raport: () => undefined }, /Did you mean "report"/],
])('a wrong option does not start: %p', (options, message) => {
  expect(() => errorHandler(options as ErrorHandlerOptions)).toThrow(message);
});

test('describeError is total and bounded', () => {
  for (const [name, make] of kinds) {
    const record = JSON.stringify(describeError(discard(make())));
    expect([name, record.length < 250_000]).toEqual([name, true]);
  }
  expect(describeError('text')).toEqual({ name: 'thrown string', message: 'text' });
});

test('problemOf is total', () => {
  for (const [, make, status] of kinds) expect(problemOf(discard(make())).status).toBe(status);
});

/** Keeps a rejecting promise that a test only looks at from ending the run. */
function discard(value: unknown): unknown {
  if (types.isPromise(value)) value.catch(() => undefined);
  return value;
}
