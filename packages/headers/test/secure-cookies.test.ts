import { describe, expect, test } from '@jest/globals';
import { context, createEvents, type SecurityEvent } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import request from 'supertest';
import { secureCookies, securityHeaders, type SecureCookiesOptions } from '../src/index.js';
import { judgeCookie, type CookieRules } from '../src/cookie-rules.js';

const RULES: CookieRules = {
  sameSite: 'lax',
  readable: new Set(['theme', '__Host-theme']),
  crossSite: new Set(['widget', '__Host-widget']),
  shared: new Set(['__Secure-sso']),
  unprefixed: 'report',
};
const NOW = Date.UTC(2026, 0, 1);

function judged(line: string, rules: Partial<CookieRules> = {}, insecure = false) {
  return judgeCookie(line, { ...RULES, ...rules }, { insecure, now: NOW });
}
const lineOf = (line: string, rules?: Partial<CookieRules>, insecure = false): string => {
  const result = judged(line, rules, insecure);
  return 'line' in result ? result.line : `refused: ${result.refused}`;
};

describe('one cookie', () => {
  test.each([
    ['sid=1', 'sid=1; SameSite=Lax; HttpOnly; Secure'],
    ['sid=1; secure; HTTPONLY; samesite=strict', 'sid=1; secure; HTTPONLY; samesite=strict'],
    ['sid=1; Path=/app; Max-Age=60', 'sid=1; Path=/app; Max-Age=60; SameSite=Lax; HttpOnly; Secure'],
    ['sid=1; SameSite=None; Secure; HttpOnly', 'sid=1; SameSite=Lax; Secure; HttpOnly'],
    ['sid=1; SameSite=Loose; Secure; HttpOnly', 'sid=1; SameSite=Lax; Secure; HttpOnly'],
    ['sid=1; SameSite; Secure; HttpOnly', 'sid=1; SameSite=Lax; Secure; HttpOnly'],
    ['sid=1; SameSite=Strict; SameSite=None', 'sid=1; SameSite=Lax; HttpOnly; Secure'],
    ['widget=1; SameSite=None', 'widget=1; SameSite=None; HttpOnly; Secure'],
    ['theme=dark', 'theme=dark; SameSite=Lax; Secure'],
    ['sid=1; Domain=example.com', 'sid=1; SameSite=Lax; HttpOnly; Secure'],
    [
      '__Secure-sso=1; Domain=example.com',
      '__Secure-sso=1; Domain=example.com; SameSite=Lax; HttpOnly; Secure',
    ],
    ['__Host-sid=1', '__Host-sid=1; SameSite=Lax; HttpOnly; Secure; Path=/'],
    ['__Host-sid=1; Path=/app; Domain=example.com', '__Host-sid=1; Path=/; SameSite=Lax; HttpOnly; Secure'],
    ['__hOsT-sid=1; Domain=example.com', '__hOsT-sid=1; SameSite=Lax; HttpOnly; Secure; Path=/'],
    ['sid=a=b==; Secure; HttpOnly; SameSite=Lax', 'sid=a=b==; Secure; HttpOnly; SameSite=Lax'],
    ['sid=1; X-Future=1', 'sid=1; x-future=1; SameSite=Lax; HttpOnly; Secure'],
    ['sid=1; __proto__=1', 'sid=1; __proto__=1; SameSite=Lax; HttpOnly; Secure'],
    // Only with the Domain that it was set with does a cookie go away.
    [
      'old=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'old=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax; HttpOnly; Secure',
    ],
    [
      'old=; Domain=example.com; Max-Age=0',
      'old=; Domain=example.com; Max-Age=0; SameSite=Lax; HttpOnly; Secure',
    ],
    [
      'new=1; Domain=example.com; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'new=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax; HttpOnly; Secure',
    ],
    ['=__Host-sid=evil', 'refused: malformed'],
    ['sid', 'refused: malformed'],
    ['', 'refused: malformed'],
    ['s d=1', 'refused: malformed'],
    ['sid=1\u0001', 'refused: malformed'],
    [`sid=${'x'.repeat(4094)}`, 'refused: oversize'],
    [`sid=${'\u00e9'.repeat(2047)}`, 'refused: oversize'],
    [`sid=1; Path=/${'x'.repeat(1024)}`, 'refused: oversize'],
  ])('%j', (given, expected) => expect(lineOf(given)).toBe(expected));

  test('ASVS V3.3.5: name and value of exactly 4,096 bytes leave, one more does not', () => {
    expect(lineOf(`sid=${'x'.repeat(4093)}`)).toContain('; Secure');
    expect(lineOf(`sid=${'x'.repeat(4094)}`)).toBe('refused: oversize');
  });

  test('names without a prefix are reported, refused or left alone as the app says', () => {
    expect(judged('sid=1; Secure; HttpOnly; SameSite=Lax')).toMatchObject({ changes: ['unprefixed'] });
    expect(judged('sid=1; Secure; HttpOnly; SameSite=Lax', { unprefixed: 'allow' })).toMatchObject({
      changes: [],
    });
    expect(lineOf('sid=1', { unprefixed: 'refuse' })).toBe('refused: unprefixed');
    expect(lineOf('__Secure-sid=1', { unprefixed: 'refuse' })).toContain('Secure');
  });

  test('on a plain development server Secure is not added, except where the name or None needs it', () => {
    expect(lineOf('sid=1', {}, true)).toBe('sid=1; SameSite=Lax; HttpOnly');
    expect(lineOf('__Host-sid=1', {}, true)).toBe('__Host-sid=1; SameSite=Lax; HttpOnly; Secure; Path=/');
    expect(lineOf('widget=1; SameSite=None', {}, true)).toBe('widget=1; SameSite=None; HttpOnly; Secure');
    expect(lineOf('sid=1; Partitioned', {}, true)).toBe('sid=1; SameSite=Lax; HttpOnly');
  });
});

onBothExpress((express) => {
  function appWith(options: SecureCookiesOptions = {}, headers = true) {
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('*', (event) => seen.push(event));
    const app = express();
    app.use(context({ trustProxy: false }));
    if (headers) app.use(securityHeaders({ profile: 'api' }));
    app.use(secureCookies({ events, ...options }));
    return { app, seen };
  }
  const cookiesOf = (response: { headers: Record<string, unknown> }) =>
    response.headers['set-cookie'] as string[] | undefined;
  const HARD = 'sid=1; SameSite=Lax; HttpOnly; Secure';

  /** Everything by which code of an app, or of a library in it, can set a cookie. */
  const SETTERS: Record<string, RequestHandler> = {
    'res.cookie': (_req, res) => void res.cookie('sid', '1', { path: undefined as never }).end(),
    'res.set': (_req, res) => void res.set('Set-Cookie', 'sid=1').end(),
    'res.append': (_req, res) => void res.append('Set-Cookie', 'sid=1').end(),
    setHeader: (_req, res) => void res.setHeader('set-cookie', 'sid=1').end(),
    'setHeader with a list': (_req, res) => void res.setHeader('SET-COOKIE', ['sid=1']).end(),
    appendHeader: (_req, res) => void res.appendHeader('Set-Cookie', 'sid=1').end(),
    setHeaders: (_req, res) => {
      res.setHeaders(new Map([['Set-Cookie', 'sid=1']]));
      res.end();
    },
    'writeHead with a record': (_req, res) => void res.writeHead(200, { 'Set-Cookie': 'sid=1' }).end(),
    'writeHead with a list in a record': (_req, res) =>
      void res.writeHead(200, { 'set-cookie': ['sid=1'] }).end(),
    'writeHead with a reason': (_req, res) => void res.writeHead(200, 'OK', { 'Set-Cookie': 'sid=1' }).end(),
    'writeHead with names and values in turn': (_req, res) =>
      void res.writeHead(200, ['Set-Cookie', 'sid=1'] as never).end(),
    'a stream': (_req, res) => {
      res.setHeader('Set-Cookie', 'sid=1');
      res.write('a');
      res.end('b');
    },
    flushHeaders: (_req, res) => {
      res.setHeader('Set-Cookie', 'sid=1');
      res.flushHeaders();
      res.end();
    },
    'an error that is answered by Express': (_req, res, next) => {
      res.setHeader('Set-Cookie', 'sid=1');
      next(new Error('x'));
    },
    'a redirect': (_req, res) => {
      res.setHeader('Set-Cookie', 'sid=1');
      res.redirect('/');
    },
  };

  test.each(Object.keys(SETTERS))(
    'ASVS V3.3.1 V3.3.2 V3.3.4: a cookie set by %s leaves with Secure, SameSite and HttpOnly',
    async (name) => {
      for (const headers of [true, false]) {
        const { app } = appWith({}, headers);
        app.use(SETTERS[name]!);
        const [line, ...more] = cookiesOf(await request(app).get('/')) ?? [];
        expect([line?.replace('; Path=/', ''), more]).toEqual([HARD, []]);
      }
    },
  );

  test('several cookies, set in several ways, all leave hardened and in order', async () => {
    const { app } = appWith();
    app.get('/', (_req, res) => {
      res.setHeader('Set-Cookie', ['a=1', 'b=2; Secure']);
      res.appendHeader('Set-Cookie', 'c=3');
      res.end();
    });
    expect(cookiesOf(await request(app).get('/'))?.map((line) => line.slice(0, 3))).toEqual([
      'a=1',
      'b=2',
      'c=3',
    ]);
    for (const line of cookiesOf(await request(app).get('/'))!) expect(line).toContain('; Secure');
  });

  test('ASVS V3.3.1 V3.3.3: a name without a prefix is reported once, and refused where the app says so', async () => {
    const reported = appWith();
    reported.app.get('/', (_req, res) => void res.cookie('sid', '1').end());
    await request(reported.app).get('/');
    await request(reported.app).get('/');
    expect(reported.seen).toEqual([
      expect.objectContaining({
        type: 'headers.cookie-hardened',
        cookie: 'sid',
        changes: ['unprefixed', 'same-site', 'http-only', 'secure'],
        requestId: expect.any(String),
      }),
    ]);
    const refused = appWith({ unprefixed: 'refuse' });
    refused.app.get('/', (_req, res) => void res.cookie('sid', '1').cookie('__Host-sid', '2').end());
    expect(cookiesOf(await request(refused.app).get('/'))).toEqual([
      '__Host-sid=2; Path=/; SameSite=Lax; HttpOnly; Secure',
    ]);
    expect(refused.seen[0]).toMatchObject({
      type: 'headers.cookie-refused',
      cookie: 'sid',
      reason: 'unprefixed',
    });
  });

  test('ASVS V3.3.3: a __Host- cookie leaves with Path=/ and without Domain, whatever the code said', async () => {
    const { app } = appWith();
    app.get(
      '/',
      (_req, res) => void res.cookie('__Host-sid', '1', { domain: 'example.com', path: '/app' }).end(),
    );
    expect(cookiesOf(await request(app).get('/'))).toEqual([
      '__Host-sid=1; Path=/; SameSite=Lax; HttpOnly; Secure',
    ]);
  });

  test('ASVS V3.3.5: a cookie over 4,096 bytes does not leave, and the others do', async () => {
    const { app, seen } = appWith();
    app.get('/', (_req, res) => void res.cookie('big', 'x'.repeat(4100)).cookie('__Host-ok', '1').send('ok'));
    const response = await request(app).get('/');
    expect([response.status, response.text]).toEqual([200, 'ok']);
    expect(cookiesOf(response)?.map((line) => line.split('=')[0])).toEqual(['__Host-ok']);
    expect(seen).toContainEqual(
      expect.objectContaining({ type: 'headers.cookie-refused', cookie: 'big', reason: 'oversize' }),
    );
  });

  test.each(['send', 'writeHead'])(
    'with onRefused "throw" the error handler answers %s, and the cookie stays behind',
    async (how) => {
      const { app } = appWith({ onRefused: 'throw' });
      app.get('/', (_req, res) => {
        if (how === 'send') res.cookie('big', 'x'.repeat(4100)).send('PAGE');
        else res.writeHead(200, { 'Set-Cookie': `big=${'x'.repeat(4100)}` }).end('PAGE');
      });
      app.use(((error, _req, res, _next) => {
        res
          .status((error as { status: number }).status)
          .type('json')
          .json({ code: (error as { code: string }).code });
      }) satisfies ErrorRequestHandler);
      const response = await request(app).get('/');
      expect([response.status, response.body]).toEqual([500, { code: 'E_COOKIE_REFUSED' }]);
      expect(cookiesOf(response)).toBeUndefined();
    },
  );

  test('allowLoopback leaves Secure out for plain http on this machine only', async () => {
    const { app } = appWith({ allowLoopback: true });
    app.get('/', (_req, res) => void res.cookie('sid', '1').end());
    const local = await request(app).get('/').set('Host', 'localhost:3000');
    expect(cookiesOf(local)).toEqual(['sid=1; Path=/; SameSite=Lax; HttpOnly']);
    const elsewhere = await request(app).get('/').set('Host', 'library.example');
    expect(cookiesOf(elsewhere)).toEqual(['sid=1; Path=/; SameSite=Lax; HttpOnly; Secure']);
  });

  test('what names of cookies are remembered for has a bound', async () => {
    const { app, seen } = appWith();
    app.get('/', (req, res) => void res.cookie(`c${req.query['i'] as string}`, '1').end());
    for (let i = 0; i < 300; i++) await request(app).get(`/?i=${i}`);
    expect(seen.length).toBe(256);
  });
});

describe('a wrong configuration does not start', () => {
  test.each<[string, unknown, RegExp]>([
    ['a pattern', { readable: ['theme*;'] }, /exact name of a cookie/],
    ['a __Host- cookie for subdomains', { shared: ['__Host-sso'] }, /has no Domain/],
    ['SameSite none for all', { sameSite: 'none' }, /must be one of/],
    ['a misspelt option', { readible: [] }, /Did you mean "readable"/],
  ])('%s', (_name, options, message) => {
    expect(() => secureCookies(options as never)).toThrow(message);
  });
});
