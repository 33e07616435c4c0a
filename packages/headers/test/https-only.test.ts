import { describe, expect, test } from '@jest/globals';
import { context, createEvents, hasCode, stageOf } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import { connect, type AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import request from 'supertest';
import { createHttpsCheck, httpsOnly, securityHeaders, type HttpsOnlyOptions } from '../src/index.js';

const html = 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8';

onBothExpress((express) => {
  function appWith(options: HttpsOnlyOptions, mountContext = true) {
    const app = express();
    const seen: unknown[] = [];
    app.set('trust proxy', 'loopback');
    if (mountContext) app.use(context({ trustProxy: ['127.0.0.0/8', '::1'] }));
    app.use(securityHeaders({ profile: 'web' }), httpsOnly(options));
    app.use((_req, res) => void res.send('SECRET'));
    app.use(
      (
        error: { status?: number },
        _req: unknown,
        res: { statusCode: number; end(text: string): void },
        _next: unknown,
      ) => {
        seen.push(error);
        res.statusCode = error.status ?? 500;
        res.end('refused');
      },
    );
    return { app, seen };
  }
  const hosts = ['library.example', 'localhost:8443'];

  test('ASVS V4.1.2: pages are sent to https, path and query kept', async () => {
    const { app } = appWith({ hosts });
    const answer = await request(app).get('/books/7?q=a%20b').set({ Host: 'library.example', Accept: html });
    expect(answer.status).toBe(308);
    expect(answer.headers).toMatchObject({
      location: 'https://library.example/books/7?q=a%20b',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const other = await request(app).head('/').set({ Host: 'LOCALHOST:8080', Accept: html });
    expect([other.status, other.headers['location']]).toEqual([308, 'https://localhost:8443/']);
  });

  test('ASVS V4.1.2: API requests are refused instead of being led to repeat their secrets', async () => {
    const { app, seen } = appWith({ hosts });
    const sent = [
      request(app).get('/').set({ Host: 'library.example', Accept: 'application/json' }),
      request(app).get('/').set({ Host: 'library.example', Accept: '*/*' }),
      request(app).get('/').set({ Host: 'library.example' }),
      request(app).post('/').set({ Host: 'library.example', Accept: html }),
      request(app).delete('/').set({ Host: 'library.example', Accept: html }),
    ];
    for (const answer of await Promise.all(sent)) {
      expect([answer.status, answer.text, answer.headers['location']]).toEqual([403, 'refused', undefined]);
    }
    expect(seen.every((error) => hasCode(error, 'E_HTTPS_REQUIRED'))).toBe(true);
  });

  test('ASVS V12.2.1: no answer with content leaves over plain http, whatever is asked for and however', async () => {
    const { app } = appWith({ hosts });
    const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const;
    for (const method of methods) {
      for (const accept of [html, '*/*', 'application/json', '']) {
        for (const host of ['library.example', 'localhost', '127.0.0.1', 'evil.example']) {
          for (const spoofed of [
            {},
            { 'X-Forwarded-Proto': 'http' },
            { 'X-Forwarded-Proto': 'https,http' },
            { 'X-Forwarded-Ssl': 'on' },
          ]) {
            const ask = request(app);
            const answer = await ask[method]('/')
              .redirects(0)
              .set({ Host: host, Accept: accept, ...spoofed });
            expect(answer.text ?? '').not.toContain('SECRET');
            expect([308, 403]).toContain(answer.status);
          }
        }
      }
    }
  });

  test('ASVS V4.4.1: a WebSocket handshake over plain http is refused and not redirected', async () => {
    const { app } = appWith({ hosts });
    const answer = await request(app)
      .get('/socket')
      .set({ Host: 'library.example', Accept: html, Upgrade: 'websocket', Connection: 'Upgrade' });
    expect([answer.status, answer.headers['location']]).toEqual([403, undefined]);
  });

  test('TLS passes: by the word of a trusted proxy, not of the client', async () => {
    const { app } = appWith({ hosts });
    expect((await request(app).get('/').set('X-Forwarded-Proto', 'https')).text).toBe('SECRET');
    expect((await request(app).get('/').set('X-Forwarded-Proto', 'https, http')).text).not.toBe('SECRET');

    const direct = express();
    direct.use(context({ trustProxy: false }), httpsOnly(), (_req, res) => void res.send('SECRET'));
    const spoofed = await request(direct)
      .get('/')
      .set({ 'X-Forwarded-Proto': 'https', 'X-Forwarded-Ssl': 'on' });
    expect([spoofed.status, spoofed.text.includes('SECRET')]).toEqual([403, false]);
  });

  test.each([
    'evil.example',
    'library.example.evil.example',
    'evil-library.example',
    'library.example@evil.example',
    'library.example:80@evil.example',
    'evil.example:80',
    'library.example.',
    'library.example/..',
    '',
  ])('Host poisoning is no open redirect: Host %j', async (host) => {
    const { app, seen } = appWith({ hosts });
    const answer = await raw(
      app as never,
      `GET / HTTP/1.1\r\nHost: ${host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 (403|400) /);
    expect(answer).not.toMatch(/location:/i);
    expect(answer).not.toContain('SECRET');
    expect(seen.every((error) => hasCode(error, 'E_HTTPS_REQUIRED'))).toBe(true);
  });

  test.each([
    [
      'another authority in the request line',
      'GET http://evil.example/x HTTP/1.1',
      /^HTTP\/1.1 403 /,
      undefined,
    ],
    [
      'two slashes',
      'GET //evil.example/x HTTP/1.1',
      /^HTTP\/1.1 308 /,
      'https://library.example//evil.example/x',
    ],
    [
      'a backslash',
      'GET /\\evil.example HTTP/1.1',
      /^HTTP\/1.1 308 /,
      'https://library.example/\\evil.example',
    ],
    ['an at sign', 'GET /@evil.example HTTP/1.1', /^HTTP\/1.1 308 /, 'https://library.example/@evil.example'],
    [
      'an encoded line break',
      'GET /%0d%0aX-Evil:1 HTTP/1.1',
      /^HTTP\/1.1 308 /,
      'https://library.example/%0d%0aX-Evil:1',
    ],
    [
      'X-Forwarded-Host',
      'GET / HTTP/1.1\r\nX-Forwarded-Host: evil.example',
      /^HTTP\/1.1 308 /,
      'https://library.example/',
    ],
  ])('the redirect never leaves the allowed host: %s', async (_name, line, status, location) => {
    const { app } = appWith({ hosts });
    const answer = await raw(
      app as never,
      `${line}\r\nHost: library.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(status);
    expect(/location: (.*)\r\n/i.exec(answer)?.[1]).toBe(location);
  });

  test('without hosts nothing is redirected, and without context() nothing passes', async () => {
    const { app } = appWith({});
    expect((await request(app).get('/').set({ Accept: html })).status).toBe(403);
    const { app: bare, seen } = appWith({ hosts }, false);
    expect((await request(bare).get('/').set({ Accept: html, Host: 'library.example' })).status).toBe(500);
    expect(hasCode(seen[0], 'E_CONTEXT_MISSING')).toBe(true);
  });

  test('the loopback exception is explicit, and holds for neither a remote client nor another Host', async () => {
    const { app } = appWith({ allowLoopback: true, hosts });
    expect((await request(app).get('/').set('Host', 'localhost:3000')).text).toBe('SECRET');
    expect((await request(app).get('/').set('Host', '127.0.0.1')).text).toBe('SECRET');
    expect((await request(app).get('/').set('Host', 'library.example')).text).toBe('refused');
    expect(
      (await request(app).get('/').set({ Host: 'localhost', 'X-Forwarded-For': '203.0.113.9' })).text,
    ).toBe('refused');
    const { app: strict } = appWith({ hosts });
    expect((await request(strict).get('/').set('Host', 'localhost:3000')).text).toBe('refused');
  });

  test('a listener that throws changes nothing; there is no store to lose', async () => {
    const events = createEvents();
    const heard: unknown[] = [];
    events.on('headers.refused', (event) => {
      heard.push(event);
      throw new Error('listener is down');
    });
    const { app } = appWith({ hosts, events });
    expect((await request(app).post('/')).status).toBe(403);
    expect((await request(app).get('/').set({ Accept: html, Host: 'evil.example' })).status).toBe(403);
    expect(events.listenerFaults).toBe(2);
    expect(heard).toMatchObject([
      { guard: 'httpsOnly', reason: 'plain-http' },
      { guard: 'httpsOnly', reason: 'unknown-host' },
    ]);
  });
});

test('ASVS V4.4.1: upgrades, which no middleware sees, can be asked about: wss passes, by the word of a trusted proxy only', () => {
  const handshake = (remoteAddress: string | undefined, headers: object, encrypted = false) =>
    ({ headers: { host: 'library.example', ...headers }, socket: { remoteAddress, encrypted } }) as never;
  const check = createHttpsCheck({ trustProxy: ['10.0.0.0/8'] });
  expect(check.allowsUpgrade(handshake('203.0.113.9', {}, true))).toBe(true);
  expect(check.allowsUpgrade(handshake('203.0.113.9', {}))).toBe(false);
  expect(check.allowsUpgrade(handshake('203.0.113.9', { 'x-forwarded-proto': 'https' }))).toBe(false);
  for (const [proto, allowed] of [
    ['https', true],
    ['wss', true],
    ['http, https', true],
    ['https, http', false],
    ['ws', false],
    ['', false],
  ] as const) {
    expect(check.allowsUpgrade(handshake('10.0.0.1', { 'x-forwarded-proto': proto }))).toBe(allowed);
  }
  expect(check.allowsUpgrade(handshake(undefined, { 'x-forwarded-proto': 'https' }))).toBe(false);
  const behindSocket = createHttpsCheck({ trustProxy: 1 });
  expect(behindSocket.allowsUpgrade(handshake(undefined, { 'x-forwarded-proto': 'https' }))).toBe(true);
  const local = createHttpsCheck({ trustProxy: false, allowLoopback: true });
  expect(local.allowsUpgrade(handshake('127.0.0.1', { host: 'localhost:3000' }))).toBe(true);
  expect(local.allowsUpgrade(handshake('127.0.0.1', {}))).toBe(false);
  expect(local.allowsUpgrade(handshake('203.0.113.9', { host: 'localhost' }))).toBe(false);
  expect(check.allowsUpgrade(handshake('127.0.0.1', { host: 'localhost' }))).toBe(false);
  expect(() => createHttpsCheck({} as never)).toThrow(/trustProxy is required/);
});

async function raw(app: () => void, text: string): Promise<string> {
  const server = createServer({ requireHostHeader: false }, app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await new Promise((resolve, reject) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => (answer += String(chunk)));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
      socket.write(text);
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('a wrong configuration does not start', () => {
  test.each([
    [{ hosts: ['https://library.example'] }, /host name such as/],
    [{ hosts: ['library.example/'] }, /host name such as/],
    [{ hosts: ['Library.example'] }, /host name such as/],
    [{ hosts: ['library.example:443'] }, /no ":443"/],
    [{ hosts: ['*.library.example'] }, /host name such as/],
    [{ hosts: ['evil@library.example'] }, /host name such as/],
    [{ hosts: 'library.example' }, /must be an array/],
    [{ host: [] }, /Did you mean "hosts"/],
  ])('%j', (options, message) => {
    expect(() => httpsOnly(options as never)).toThrow(message);
  });

  test('the middleware can be found in the floor plan', () => {
    expect(stageOf(httpsOnly({ hosts: ['a.example'] }))).toMatchObject({
      kind: 'posture',
      detail: 'a.example',
    });
  });
});
