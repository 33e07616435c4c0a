import { describe, expect, test } from '@jest/globals';
import { context } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import request from 'supertest';
import {
  cors,
  httpsOnly,
  secureCookies,
  securityHeaders,
  type SecurityHeadersOptions,
} from '../src/index.js';

// What went wrong in packages like this one, or was missing in them, by its identifier.
onBothExpress((express) => {
  async function headersOf(options: SecurityHeadersOptions, handler?: RequestHandler) {
    const app = express();
    app.use(context({ trustProxy: false }), securityHeaders(options));
    app.use(handler ?? ((_req, res) => void res.type('html').send('<p>')));
    return (await request(app).get('/')).headers as Record<string, string | undefined>;
  }

  test.each<[string, RequestHandler]>([
    [
      'a list of names and values',
      (_req, res) => void res.writeHead(200, ['X-A', '1', 'X-B', '2'] as never).end(),
    ],
    ['a record', (_req, res) => void res.writeHead(200, { 'X-A': '1', 'X-B': '2' }).end()],
  ])(
    'on-headers CVE-2025-7339: writeHead() with %s writes those headers and ours, and no others',
    async (_form, handler) => {
      const headers = await headersOf({ profile: 'api' }, handler);
      expect(headers).toMatchObject({ 'x-a': '1', 'x-b': '2', 'x-content-type-options': 'nosniff' });
      // The fault named headers after positions and values of the list.
      expect(Object.keys(headers).filter((name) => /^(?:\d+|1|2|x-[ab],.*)$/.test(name))).toEqual([]);
    },
  );

  test.each([
    ['name', 'a=b; Domain=evil.example; x'],
    ['value', 'sid=1; Domain=evil.example'],
    ['path', 'sid=1; Path=/; Domain=evil.example'],
    ['domain', 'sid=1; Domain=library.example; Domain=evil.example'],
    ['control characters', 'sid=1\u0001; Domain=evil.example'],
  ])(
    'cookie CVE-2024-47764: what is smuggled in by the %s of a cookie widens nothing',
    async (_part, line) => {
      const app = express();
      app.use(context({ trustProxy: false }), secureCookies());
      app.get('/', (_req, res) => void res.writeHead(200, { 'Set-Cookie': [line] }).end());
      const answer = await request(app).get('/');
      // Node itself refuses control characters; then nothing leaves at all.
      for (const cookie of (answer.headers['set-cookie'] ?? []) as unknown as string[]) {
        expect(cookie).not.toMatch(/domain/i);
        expect(cookie).toMatch(/; Secure/);
      }
    },
  );

  test.each([
    ['CVE-2024-29041: a path that a browser takes for a host', '//evil.example/%2e%2e'],
    ['CVE-2024-29041: a backslash', '/\\evil.example'],
    ['CVE-2024-29041: user information', '/@evil.example'],
    ['CVE-2024-43796: markup', '/%22%3E%3Cscript%3Ealert(1)%3C/script%3E'],
    ['CVE-2024-43796: markup as it is', '/"><script>alert(1)</script>'],
  ])('express %s: the redirect to https stays on our host and shows nothing of it', async (_what, path) => {
    const app = express();
    app.use(context({ trustProxy: false }), httpsOnly({ hosts: ['library.example'] }));
    app.use(((_error, _req, res, _next) => void res.status(403).end()) satisfies ErrorRequestHandler);
    const server = createServer(app as unknown as () => void);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: library.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
        ),
      );
      let received = '';
      socket.on('data', (data) => (received += data.toString('latin1')));
      socket.on('error', reject).on('close', () => resolve(received));
    });
    await new Promise((resolve) => server.close(resolve));
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const location = /\nlocation: (.*)\r?/i.exec(head)?.[1]?.trim();
    if (location === undefined) expect(head).toMatch(/^HTTP\/1\.1 40[03] /);
    else expect(new URL(location).host).toBe('library.example');
    expect(body).not.toContain('<script');
  });

  test('helmet#351: a policy that is enforced and one that is tried go out together', async () => {
    const headers = await headersOf({
      profile: 'web',
      reports: '/reports',
      csp: { reportOnly: { 'img-src': ["'none'"] } },
    });
    expect(headers['content-security-policy']).toContain("img-src 'self' data:");
    expect(headers['content-security-policy-report-only']).toContain("img-src 'none'");
  });

  test('helmet#234: Permissions-Policy is sent, and single features can be given back', async () => {
    const headers = await headersOf({ profile: 'web', permissionsPolicy: { camera: ['self'] } });
    expect(headers['permissions-policy']).toMatch(/camera=\(self\)/);
    expect(headers['permissions-policy']).toMatch(/geolocation=\(\)/);
  });

  test('helmet#238 helmet#156: where browsers report is named in the old way and the new one', async () => {
    const headers = await headersOf({ profile: 'web', reports: '/reports' });
    expect(headers['reporting-endpoints']).toMatch(/^([\w-]+)="\/reports"/);
    const [, name] = /^([\w-]+)=/.exec(headers['reporting-endpoints']!)!;
    expect(headers['content-security-policy']).toContain(`report-to ${name}`);
    expect(headers['content-security-policy']).toContain('report-uri /reports');
  });

  test('helmet#336: opener and embedder policies can be tried without being enforced', async () => {
    const headers = await headersOf({
      profile: 'web',
      crossOriginOpenerPolicy: false,
      crossOriginOpenerPolicyReportOnly: 'same-origin',
      crossOriginEmbedderPolicy: false,
      crossOriginEmbedderPolicyReportOnly: 'require-corp',
    });
    expect(headers['cross-origin-opener-policy-report-only']).toContain('same-origin');
    expect(headers['cross-origin-embedder-policy-report-only']).toContain('require-corp');
    expect(headers).not.toHaveProperty('cross-origin-opener-policy');
  });

  test('helmet#293: a nonce that is made once for all answers cannot be configured', async () => {
    const build = () =>
      securityHeaders({
        profile: 'web',
        csp: { directives: { 'script-src': ["'nonce-c2FtZSBmb3IgYWxs'"] } },
      });
    expect(build).toThrow(expect.objectContaining({ code: 'E_OPTION_VALUE' }));
    const [one, two] = [await headersOf({ profile: 'web' }), await headersOf({ profile: 'web' })];
    const nonceOf = (headers: typeof one) => /'nonce-([^']+)'/.exec(headers['content-security-policy']!)![1];
    expect(nonceOf(one)).not.toBe(nonceOf(two));
  });
});

onBothExpress((express) => {
  const listed = 'https://app.example.com';
  function service() {
    const app = express();
    app.use(context({ trustProxy: false }), cors({ origins: [listed], credentials: true }));
    app.use(((_error, _req, res, _next) => void res.status(403).end()) satisfies ErrorRequestHandler);
    app.all('/', (_req, res) => void res.send('ok'));
    return app;
  }

  test.each<[string, Record<string, string>]>([
    [
      'expressjs/cors#106 #105 #429: the answer to an origin that is not listed',
      { Origin: 'https://evil.example' },
    ],
    ['expressjs/cors#348 #332 #428: the answer to a request without an origin', {}],
    ['an answer to null', { Origin: 'null' }],
    ['an answer to a listed origin', { Origin: listed }],
  ])('%s is kept apart by caches', async (_what, headers) => {
    for (const method of ['get', 'post', 'options'] as const) {
      const answer = await request(service())[method]('/').set(headers);
      expect([method, answer.headers['vary']]).toEqual([
        method,
        expect.stringMatching(/(?:^|, )Origin(?:,|$)/),
      ]);
      // Nothing of the list, nor that there is one, is told to whom it is not for (they say so although they refuse).
      const told = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
      expect([method, told.length > 0]).toEqual([method, headers['Origin'] === listed]);
    }
  });

  test('expressjs/cors#302 #317: a preflight is kept apart by what it asked for; public data by nothing', async () => {
    const preflight = await request(service()).options('/').set({
      Origin: listed,
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Headers': 'content-type',
    });
    expect(preflight.headers['vary']).toMatch(
      /^Origin, Access-Control-Request-Method, Access-Control-Request-Headers\b/,
    );
    const open = express();
    open.use(context({ trustProxy: false }), cors({ origins: '*' }));
    open.get('/', (_req, res) => void res.send('ok'));
    const answer = await request(open).get('/').set('Origin', listed);
    expect([answer.headers['access-control-allow-origin'], answer.headers['vary']]).toEqual(['*', undefined]);
  });
});

describe('expressjs/cors accepts, and ours does not start with', () => {
  test.each([
    ['every origin, with cookies (honojs/hono#4813 reflects them all)', { origins: '*', credentials: true }],
    ['every origin that asks', { origins: true }],
    ['an expression that is not anchored', { origins: [/example\.com/] }],
    ['null', { origins: ['null'] }],
    ['a function', { origins: () => true }],
    ['all that ends so', { origins: ['https://*.com'] }],
    ['a page over http', { origins: ['http://app.example.com'] }],
  ] as const)('%s', (_what, options) => {
    expect(() => cors(options as never)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^E_OPTION_/) }),
    );
  });
});
