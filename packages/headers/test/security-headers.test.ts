import { describe, expect, test } from '@jest/globals';
import { context, freezePrincipal, stageOf, type Random } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { noStore, securityHeaders, type SecurityHeadersOptions } from '../src/index.js';

/** The fields of OWASP's ci/headers_add.json (2026-07-19) that belong to every answer; the other two are of single answers. */
const OWASP = [
  'content-security-policy',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'permissions-policy',
  'referrer-policy',
  'strict-transport-security',
  'x-content-type-options',
  'x-dns-prefetch-control',
  'x-frame-options',
  'x-permitted-cross-domain-policies',
];

onBothExpress((express, major) => {
  /** Behind a proxy on the loopback that speaks TLS with the client. */
  function appWith(options: SecurityHeadersOptions) {
    const app = express();
    app.set('trust proxy', 'loopback');
    app.use(context({ trustProxy: ['127.0.0.0/8', '::1'] }), securityHeaders(options));
    return app;
  }
  type App = ReturnType<typeof appWith>;
  const overTls = (app: App, path = '/') => request(app).get(path).set('X-Forwarded-Proto', 'https');

  async function headersOf(options: SecurityHeadersOptions, tls = true): Promise<IncomingHttpHeaders> {
    const app = appWith(options);
    app.get('/', (_req, res) => void res.send('x'));
    const response = await (tls ? overTls(app) : request(app).get('/'));
    return response.headers as IncomingHttpHeaders;
  }

  test.each(['web', 'api'] as const)(
    "OWASP's set is there for the %s profile, and the server does not say what it is",
    async (profile) => {
      const headers = await headersOf({ profile });
      expect(Object.keys(headers)).toEqual(expect.arrayContaining(OWASP));
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'strict-transport-security': 'max-age=63072000; includeSubDomains',
        'x-permitted-cross-domain-policies': 'none',
        'x-xss-protection': '0',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': profile === 'api' ? 'no-referrer' : 'strict-origin-when-cross-origin',
      });
      expect(headers['cache-control']).toBe(profile === 'api' ? 'no-store' : undefined);
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('server');
      expect(headers['permissions-policy']).toContain('camera=(), ');
    },
  );

  test('mounted before context() it speaks of TLS all the same, and leaves what a handler has replaced', async () => {
    const app = express();
    app.use(securityHeaders({ profile: 'web' }), context({ trustProxy: ['loopback'] }));
    app.get('/', (_req, res) => void res.send('x'));
    app.get('/own', (_req, res) => void res.set('Content-Security-Policy', "default-src 'self'").send('x'));
    app.get('/without', (_req, res) => {
      res.removeHeader('Content-Security-Policy');
      res.send('x');
    });
    app.get('/cleared', (_req, res) => {
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      res.send('x');
    });
    const behind = (path: string) =>
      request(app).get(path).set({ 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.9' });
    const hsts = 'max-age=63072000; includeSubDomains';
    for (const path of ['/', '/cleared']) {
      const { headers } = await behind(path);
      expect(headers['strict-transport-security']).toBe(hsts);
      expect(headers['content-security-policy']).toContain('upgrade-insecure-requests');
    }
    const { headers: own } = await behind('/own');
    expect(own).toMatchObject({
      'content-security-policy': "default-src 'self'",
      'strict-transport-security': hsts,
    });
    expect((await behind('/without')).headers).not.toHaveProperty('content-security-policy');
    expect((await request(app).get('/')).headers).not.toHaveProperty('strict-transport-security');
  });

  test('the exact policies: nonce and strict-dynamic for pages, nothing for data', async () => {
    const web = await headersOf({ profile: 'web' });
    expect(String(web['content-security-policy']).replaceAll(/'nonce-[A-Za-z0-9+/]{24}'/g, 'N')).toBe(
      "default-src 'none';base-uri 'none';connect-src 'self';font-src 'self';form-action 'self';frame-ancestors 'none';" +
        "img-src 'self' data:;manifest-src 'self';media-src 'self';object-src 'none';script-src N 'strict-dynamic';" +
        "script-src-attr 'none';style-src 'self' N;worker-src 'self';upgrade-insecure-requests",
    );
    const api = await headersOf({ profile: 'api' });
    expect(api['content-security-policy']).toBe(
      "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none';sandbox",
    );
  });

  test('HSTS and upgrade-insecure-requests go out over TLS only', async () => {
    const plain = await headersOf({ profile: 'web' }, false);
    expect(plain).not.toHaveProperty('strict-transport-security');
    expect(plain['content-security-policy']).not.toContain('upgrade-insecure-requests');
    expect(plain['content-security-policy']).toContain("default-src 'none'");
  });

  test('an X-Forwarded-Proto that no trusted proxy wrote switches nothing', async () => {
    const app = express();
    app.use(
      context({ trustProxy: false }),
      securityHeaders({ profile: 'api' }),
      (_req, res) => void res.send('x'),
    );
    expect((await overTls(app)).headers).not.toHaveProperty('strict-transport-security');
  });

  test.each<[SecurityHeadersOptions, Record<string, unknown>]>([
    [{ profile: 'web', csp: 'self' }, { 'content-security-policy': "default-src 'self'" }],
    [
      { profile: 'web', frame: 'sameorigin' },
      {
        'x-frame-options': 'SAMEORIGIN',
        'content-security-policy': expect.stringContaining("frame-ancestors 'self'"),
      },
    ],
    [
      { profile: 'web', frame: 'deny' },
      {
        'x-frame-options': 'DENY',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      },
    ],
    [{ profile: 'web', hsts: '1y' }, { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }],
    [{ profile: 'web', hsts: '2y' }, { 'strict-transport-security': 'max-age=63072000; includeSubDomains' }],
    [
      { profile: 'web', hsts: '1y-preload' },
      { 'strict-transport-security': 'max-age=31536000; includeSubDomains; preload' },
    ],
    [
      { profile: 'web', hsts: '2y-preload' },
      { 'strict-transport-security': 'max-age=63072000; includeSubDomains; preload' },
    ],
    [
      { profile: 'web', hsts: { maxAge: '180d', includeSubDomains: false } },
      { 'strict-transport-security': 'max-age=15552000' },
    ],
    [
      { profile: 'web', hsts: { maxAge: 0 } },
      { 'strict-transport-security': 'max-age=0; includeSubDomains' },
    ],
    [{ profile: 'web', hsts: false }, { 'strict-transport-security': undefined }],
    [
      { profile: 'api', referrerPolicy: 'strict-origin-when-cross-origin' },
      { 'referrer-policy': 'strict-origin-when-cross-origin' },
    ],
    [{ profile: 'web', legacyXssProtection: true }, { 'x-xss-protection': '1; mode=block' }],
    [{ profile: 'web', noStore: true }, { 'cache-control': 'no-store' }],
    [
      { profile: 'web', csp: false },
      { 'content-security-policy': undefined, 'x-frame-options': 'DENY' },
    ],
    [
      { profile: 'web', permissionsPolicy: { camera: ['self', 'https://meet.example'], fullscreen: '*' } },
      {
        'permissions-policy': expect.stringMatching(
          /camera=\(self "https:\/\/meet\.example"\).*fullscreen=\*/,
        ),
      },
    ],
    [{ profile: 'web', permissionsPolicy: false }, { 'permissions-policy': undefined }],
    [
      {
        profile: 'web',
        crossOriginEmbedderPolicy: 'credentialless',
        crossOriginOpenerPolicy: false,
        crossOriginResourcePolicy: 'cross-origin',
      },
      {
        'cross-origin-embedder-policy': 'credentialless',
        'cross-origin-opener-policy': undefined,
        'cross-origin-resource-policy': 'cross-origin',
      },
    ],
    [
      { profile: 'web', csp: { directives: { 'frame-ancestors': ["'self'"] } } },
      { 'x-frame-options': 'SAMEORIGIN' },
    ],
    [
      { profile: 'web', csp: { directives: { 'frame-ancestors': ['https://partner.example'] } } },
      { 'x-frame-options': undefined },
    ],
  ])('%j', async (options, expected) => {
    const headers = await headersOf(options);
    for (const [name, value] of Object.entries(expected))
      expect([name, headers[name]]).toEqual([name, value]);
  });

  test('enforced and report-only policies go out together, with one nonce', async () => {
    const headers = await headersOf({
      profile: 'web',
      csp: {
        directives: { 'img-src': ["'self'", 'https://covers.example'], 'report-to': ['csp'] },
        reportOnly: { 'style-src': ["'nonce'"], 'require-trusted-types-for': ["'script'"] },
      },
    });
    const enforced = String(headers['content-security-policy']);
    const tried = String(headers['content-security-policy-report-only']);
    expect(enforced).toContain("img-src 'self' https://covers.example;");
    expect(tried).toContain("img-src 'self' https://covers.example;");
    expect(tried).toContain("require-trusted-types-for 'script'");
    expect(tried).not.toContain('upgrade-insecure-requests');
    const nonces = new Set(`${enforced};${tried}`.match(/'nonce-[^']+'/g));
    expect(nonces.size).toBe(1);
    expect(tried).toMatch(/style-src 'nonce-[^']+'(;|$)/);
  });

  describe('the nonce', () => {
    test('is the same in the header, req.security and res.locals, and no two answers share one', async () => {
      const app = appWith({ profile: 'web' });
      app.get('/', (req, res) => void res.json([req.security.cspNonce, res.locals['cspNonce']]));
      const seen = new Set<string>();
      for (let i = 0; i < 300; i++) {
        const { body, headers } = await request(app).get('/');
        const [inContext, inLocals] = body as [string, string];
        expect(inLocals).toBe(inContext);
        expect(inContext).toMatch(/^[A-Za-z0-9+/]{24}$/);
        expect(headers['content-security-policy']).toContain(`'nonce-${inContext}'`);
        seen.add(inContext);
      }
      // More than one pool of random bytes.
      expect(seen.size).toBe(300);
    });

    test('works without context(), and is not made where the policy has none', async () => {
      const bare = express();
      bare.use(securityHeaders({ profile: 'web' }), (req, res) => void res.send(req.security.cspNonce));
      const page = await request(bare).get('/');
      expect(page.headers['content-security-policy']).toContain(`'nonce-${page.text}'`);
      const api = express();
      api.use(
        securityHeaders({ profile: 'api' }),
        (req, res) => void res.send(String(req.security?.cspNonce)),
      );
      expect((await request(api).get('/')).text).toBe('undefined');
    });

    test('stays one when a stricter sub-app sets its own headers', async () => {
      const app = appWith({ profile: 'web' });
      const admin = express();
      admin.use(securityHeaders({ profile: 'web', csp: { directives: { 'img-src': ["'none'"] } } }));
      admin.get('/', (req, res) => void res.send(req.security.cspNonce));
      app.use('/admin', admin);
      const { text, headers } = await request(app).get('/admin');
      expect(headers['content-security-policy']).toContain(`script-src 'nonce-${text}'`);
      expect(headers['content-security-policy']).toContain("img-src 'none'");
      expect(headers).not.toHaveProperty('x-powered-by');
    });

    test('a source of chance that runs dry stops the answer instead of weakening the nonce', async () => {
      const dry: Random = {
        bytes: () => Buffer.alloc(0),
        uuid: () => '00000000-0000-4000-8000-000000000000',
      };
      const app = appWith({ profile: 'web', random: dry });
      app.get('/', (_req, res) => void res.send('PAGE'));
      const { status, text } = await request(app).get('/');
      expect([status, text.includes('PAGE')]).toEqual([500, false]);
    });
  });

  describe('every class of answer has the set', () => {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-headers-'));
    writeFileSync(join(folder, 'file.txt'), 'content');
    writeFileSync(join(folder, 'index.html'), '<p>');
    test.each<[string, number, string]>([
      ['200', 200, '/ok'],
      ['204', 204, '/empty'],
      ['redirect', 302, '/redirect'],
      ['404 of the app', 404, '/missing'],
      ['400 by an error', 400, '/bad'],
      ['500 by a throw', 500, '/throws'],
      ['500 by a late error', 500, '/late'],
      ['a static file', 200, '/static/file.txt'],
      ['a static redirect', 301, '/static'],
      ['a static 404', 404, '/static/none.txt'],
      ['writeHead by hand', 200, '/by-hand'],
      ['a stream', 200, '/stream'],
      ['an error path that clears all headers', 503, '/cleared'],
      ['a sub-app of its own', 200, '/sub'],
    ])('%s', async (_name, status, path) => {
      const app = appWith({ profile: 'web' });
      app.get('/ok', (_req, res) => void res.send('x'));
      app.get('/empty', (_req, res) => void res.status(204).end());
      app.get('/redirect', (_req, res) => res.redirect('/ok'));
      app.get('/bad', (_req, _res, next) => next(Object.assign(new Error('bad'), { status: 400 })));
      app.get('/throws', () => {
        throw new Error('boom');
      });
      app.get('/late', (_req, _res, next) => {
        setImmediate(() => next(new Error('boom')));
      });
      app.get('/by-hand', (_req, res) => void res.writeHead(200, { 'Content-Type': 'text/plain' }).end('x'));
      app.get('/stream', (_req, res) => {
        res.write('a');
        res.end('b');
      });
      app.get('/cleared', (_req, res) => {
        for (const name of res.getHeaderNames()) res.removeHeader(name);
        res.status(503).end();
      });
      const sub = express();
      sub.get('/', (_req, res) => void res.send('sub'));
      app.use('/sub', sub);
      app.use('/static', express.static(folder));

      const response = await overTls(app, path);
      expect(response.status).toBe(status);
      expect(Object.keys(response.headers)).toEqual(expect.arrayContaining(OWASP));
      expect(response.headers).not.toHaveProperty('x-powered-by');
    });

    test('304', async () => {
      const app = appWith({ profile: 'web' });
      app.use(express.static(folder));
      const first = await overTls(app, '/file.txt');
      const second = await overTls(app, '/file.txt').set('If-None-Match', first.headers['etag'] as string);
      expect(second.status).toBe(304);
      expect(Object.keys(second.headers)).toEqual(expect.arrayContaining(OWASP));
      expect(second.headers).not.toHaveProperty('x-powered-by');
    });

    test('an answer that breaks off half way', async () => {
      const app = appWith({ profile: 'web' });
      app.get('/', (_req, res) => {
        res.write('half');
        setImmediate(() => res.destroy());
      });
      const server = createServer(app as unknown as () => void);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
        httpRequest(
          {
            port: (server.address() as AddressInfo).port,
            host: '127.0.0.1',
            headers: { 'X-Forwarded-Proto': 'https' },
          },
          (res) => {
            res.on('error', () => undefined);
            res.resume();
            resolve(res.headers);
          },
        )
          .on('error', reject)
          .end();
      });
      await new Promise((resolve) => server.close(resolve));
      expect(Object.keys(headers)).toEqual(expect.arrayContaining(OWASP));
    });

    test('a handler has the last word on single headers', async () => {
      const app = appWith({ profile: 'web' });
      app.get('/', (_req, res) => {
        res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
        res.removeHeader('X-Frame-Options');
        res.send('embeddable');
      });
      const { headers } = await overTls(app);
      expect(headers['cross-origin-resource-policy']).toBe('cross-origin');
      expect(headers).not.toHaveProperty('x-frame-options');
    });

    test.each([major])('(the folder of Express %s is removed)', () => rmSync(folder, { recursive: true }));
  });

  test('noStore(): answers for a known person are not kept, others may be, and handlers decide for themselves', async () => {
    const app = express();
    app.use(context({ trustProxy: false }));
    app.use((req, _res, next) => {
      if (req.headers['x-user'] !== undefined) {
        req.security.principal = freezePrincipal({ id: '7', kind: 'user' } as never);
      }
      next();
    });
    app.use(noStore());
    app.get('/', (_req, res) => void res.send('x'));
    app.get('/logo', (_req, res) => void res.set('Cache-Control', 'public, max-age=60').send('x'));
    expect((await request(app).get('/')).headers['cache-control']).toBeUndefined();
    expect((await request(app).get('/').set('X-User', '7')).headers['cache-control']).toBe('no-store');
    expect((await request(app).get('/logo').set('X-User', '7')).headers['cache-control']).toBe(
      'public, max-age=60',
    );

    const unknown = express();
    unknown.use(noStore(), (_req, res) => void res.send('x'));
    expect((await request(unknown).get('/')).headers['cache-control']).toBe('no-store');
  });
});

describe('a wrong configuration does not start', () => {
  const web = { profile: 'web' } as const;
  const script = (...sources: string[]) => ({ ...web, csp: { directives: { 'script-src': sources } } });
  test.each([
    ['no profile', {}, /"profile" is required/],
    ['another profile', { profile: 'page' }, /must be one of "web", "api"/],
    ['a misspelt option', { ...web, hst: '1y' }, /Did you mean "hsts"/],
    [
      'a misspelt directive',
      { ...web, csp: { directives: { 'scrip-src': [] } } },
      /Did you mean "script-src"/,
    ],
    [
      'a directive in camel case',
      { ...web, csp: { directives: { scriptSrc: [] } } },
      /Did you mean "script-src"/,
    ],
    [
      'a string instead of a list',
      { ...web, csp: { directives: { 'img-src': "'self'" } } },
      /list of sources/,
    ],
    ['inline scripts', script("'self'", "'unsafe-inline'"), /lets injected scripts run/],
    ['inline scripts beside a nonce', script("'nonce'", "'unsafe-inline'"), /lets injected scripts run/],
    ['inline scripts in capitals', script("'UNSAFE-INLINE'"), /lets injected scripts run/],
    ['eval', script("'unsafe-eval'"), /lets injected scripts run/],
    ['scripts from anywhere', script('*'), /lets injected scripts run/],
    ['scripts from any https host', script('https:'), /lets injected scripts run/],
    ['scripts from data: URLs', script('data:'), /lets injected scripts run/],
    [
      'inline scripts by default-src',
      { ...web, csp: { defaults: false, directives: { 'default-src': ["'unsafe-inline'"] } } },
      /default-src lets/,
    ],
    [
      'inline scripts by script-src-elem',
      { ...web, csp: { directives: { 'script-src-elem': ["'unsafe-inline'"] } } },
      /script-src-elem lets/,
    ],
    [
      'a base from anywhere',
      { ...web, csp: { directives: { 'base-uri': ['*'] } } },
      /base-uri lets injected scripts run\. Use "'none'"/,
    ],
    [
      'plugins from anywhere',
      { ...web, csp: { directives: { 'object-src': ['https:'] } } },
      /object-src lets/,
    ],
    ['no default-src', { ...web, csp: { defaults: false, directives: {} } }, /needs a default-src/],
    [
      'default-src taken out',
      { ...web, csp: { directives: { 'default-src': false } } },
      /needs a default-src/,
    ],
    ['a keyword without quotes', script('self'), /needs quotes: "'self'"/],
    ['a fixed nonce', script("'nonce-abc'"), /fixed nonce, which protects nothing/],
    ['a second directive smuggled in', script("'self'; script-src *"), /one source/],
    ['a second policy smuggled in', script("'self',default-src"), /one source/],
    ['a second header smuggled in', script("'self'\r\nX-Evil:1"), /one source/],
    ['another CSP preset', { ...web, csp: 'strict' }, /must be 'self', false or an object/],
    ['another HSTS preset', { ...web, hsts: '3y' }, /must be one of/],
    [
      'preload for less than a year',
      { ...web, hsts: { maxAge: '180d', preload: true } },
      /needs includeSubDomains/,
    ],
    [
      'preload without subdomains',
      { ...web, hsts: { maxAge: '730d', includeSubDomains: false, preload: true } },
      /needs includeSubDomains/,
    ],
    ['seconds with a wrong name', { ...web, hsts: { maxage: 1 } }, /Did you mean "maxAge"/],
    ['a referrer policy that tells everything', { ...web, referrerPolicy: 'unsafe-url' }, /must be one of/],
    [
      'framing said twice',
      { ...web, frame: 'deny', csp: { directives: { 'frame-ancestors': ["'self'"] } } },
      /says otherwise/,
    ],
    ['an unknown browser feature', { ...web, permissionsPolicy: { camra: [] } }, /Did you mean "camera"/],
    [
      'a feature for something odd',
      { ...web, permissionsPolicy: { camera: ['https://x.example/path'] } },
      /must be 'self' or an origin/,
    ],
    [
      'a feature list smuggled in',
      { ...web, permissionsPolicy: { camera: ['self), geolocation=(*'] } },
      /must be 'self' or an origin/,
    ],
    [
      'a wrong opener policy',
      { ...web, crossOriginOpenerPolicy: 'same-orign' },
      /Did you mean "same-origin"/,
    ],
  ])('%s', (_name, options, message) => {
    expect(() => securityHeaders(options as never)).toThrow(message);
    expect(() => securityHeaders(options as never)).toThrow(expect.objectContaining({ name: 'OptionError' }));
  });

  test('what is spelled dangerously starts', () => {
    const csp = {
      directives: { 'script-src': ["'self'", "'unsafe-inline'"] },
      dangerouslyAllowUnsafeScripts: true,
    };
    expect(() => securityHeaders({ profile: 'web', csp })).not.toThrow();
    expect(stageOf(securityHeaders({ profile: 'web' }))).toEqual({
      kind: 'posture',
      name: 'securityHeaders',
      detail: 'web',
    });
  });
});
