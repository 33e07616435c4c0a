import { describe, expect, test } from '@jest/globals';
import { createEvents, hasCode, stageOf } from '@portcullis/core';
import { onBothExpress, vectorsDirectory, type ExpressLike } from '@portcullis/test-support';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import { cors, type CorsOptions } from '../src/index.js';
import { compileOriginPatterns, parseOriginPattern } from '../src/origin-patterns.js';

const vectors = vectorsDirectory('http', 'cors-origin-pattern-vectors.json');

interface PatternVector {
  readonly desc: string;
  readonly input: string;
  readonly failure: boolean;
}

(vectors ? describe : describe.skip)('origin patterns, external vectors', () => {
  const rows = vectors
    ? (JSON.parse(readFileSync(join(vectors, 'cors-origin-pattern-vectors.json'), 'utf8')) as PatternVector[])
    : [];
  test('there are 67 of them', () => expect(rows).toHaveLength(67));
  test.each(rows.map((row) => [row.desc, row.input, row.failure] as const))(
    '%s: %s',
    (_desc, input, failure) => {
      expect(parseOriginPattern(input) === undefined).toBe(failure);
    },
  );
});

describe('what a pattern matches', () => {
  const matches = (patterns: readonly string[], origin: string): boolean =>
    compileOriginPatterns(patterns.map((text) => parseOriginPattern(text)!))(origin);

  test.each([
    ['https://app.example.com', 'https://app.example.com'],
    ['https://*.example.com', 'https://a.example.com'],
    ['https://*.example.com', 'https://a.b.example.com'],
    ['https://*.example.com:8443', 'https://a.example.com:8443'],
    ['https://*.example.com:*', 'https://a.example.com'],
    ['https://*.example.com:*', 'https://a.example.com:1'],
    ['http://localhost:*', 'http://localhost:5173'],
    ['http://[::1]:*', 'http://[::1]:9090'],
    ['http://127.0.0.1:*', 'http://127.0.0.1'],
  ])('%s lets %s in', (pattern, origin) => expect(matches([pattern], origin)).toBe(true));

  test.each([
    ['https://example.com', 'https://example.com.evil'],
    ['https://example.com', 'https://notexample.com'],
    ['https://example.com', 'http://example.com'],
    ['https://example.com', 'https://example.com:8443'],
    ['https://example.com', 'https://EXAMPLE.com'],
    ['https://example.com', 'https://example.com/'],
    ['https://example.com', 'null'],
    ['https://*.example.com', 'https://example.com'],
    ['https://*.example.com', 'https://evil-example.com'],
    ['https://*.example.com', 'https://evilexample.com'],
    ['https://*.example.com', 'https://a.example.com.evil'],
    ['https://*.example.com', 'https://.example.com'],
    ['https://*.example.com', 'https://a..example.com'],
    ['https://*.example.com', 'https://evil@a.example.com'],
    ['https://*.example.com', 'https://evil.com?.example.com'],
    ['https://*.example.com', 'https://evil.com#.example.com'],
    ['https://*.example.com', 'https://evil.com/.example.com'],
    ['https://*.example.com', 'https://evil.com\\.example.com'],
    ['https://*.example.com', 'https://evil.com%00.example.com'],
    ['https://*.example.com', 'https://evil.com .example.com'],
    ['https://*.example.com', 'https://evil.com`.example.com'],
    ['https://*.example.com', 'https://a.example.com:444'],
    ['https://*.example.com', 'https://a.example.com:443'],
    ['https://*.example.com', 'http://a.example.com'],
    ['https://*.example.com:*', 'https://a.example.com:0'],
    ['https://*.example.com:*', 'https://a.example.com:99999'],
    ['http://localhost:*', 'http://localhost.evil:80'],
    ['https://example.com', `https://${'a'.repeat(100_000)}.example.com`],
  ])('%s does not let %s in', (pattern, origin) => expect(matches([pattern], origin)).toBe(false));
});

onBothExpress((express) => {
  const allowed = 'https://app.example.com';

  function appWith(options: CorsOptions, before?: ReturnType<ExpressLike>) {
    const app = express();
    const seen: unknown[] = [];
    if (before) app.use(before);
    app.use(cors(options));
    app.all('/', (_req, res) => void res.send('DATA'));
    app.use(
      (
        error: Error & { status?: number },
        _req: unknown,
        res: { statusCode: number; end(text: string): void },
        _next: unknown,
      ) => {
        seen.push(error);
        res.statusCode = error.status ?? 500;
        res.end(error.message);
      },
    );
    return { app, seen };
  }
  const preflight = (app: ReturnType<ExpressLike>, headers: Record<string, string>) =>
    request(app).options('/').set(headers);
  const corsHeaders = (headers: Record<string, string>): string[] =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  test('a listed origin may read; the default methods are GET, POST, PUT, PATCH, DELETE and OPTIONS', async () => {
    const { app } = appWith({ origins: [allowed], credentials: true, exposedHeaders: ['X-Total'] });
    const actual = await request(app).get('/').set('Origin', allowed);
    expect(actual.headers).toMatchObject({
      'access-control-allow-origin': allowed,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-Total',
      vary: 'Origin',
    });
    const asked = await preflight(app, {
      Origin: allowed,
      'Access-Control-Request-Method': 'DELETE',
      'Access-Control-Request-Headers': 'authorization,content-type',
    });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': allowed,
      'access-control-allow-methods': 'GET,POST,PUT,PATCH,DELETE,OPTIONS',
      'access-control-allow-headers': 'Content-Type,Authorization',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network',
    });
  });

  test.each([
    ['an origin that is not listed', { Origin: 'https://evil.example' }],
    ['null, the origin of sandboxed frames', { Origin: 'null' }],
    ['a suffix trick', { Origin: 'https://app.example.com.evil' }],
    ['a method that is not listed', { Origin: allowed, 'Access-Control-Request-Method': 'LINK' }],
    ['a method in lower case', { Origin: allowed, 'Access-Control-Request-Method': 'patch' }],
    ['a header that is not listed', { Origin: allowed, 'Access-Control-Request-Headers': 'x-evil' }],
    ['one header too many', { Origin: allowed, 'Access-Control-Request-Headers': 'content-type,x-evil' }],
    [
      'an endless list of headers (GHSA-vhxv-fg4m-p2w8)',
      { Origin: allowed, 'Access-Control-Request-Headers': ','.repeat(9000) },
    ],
    ['a long header name', { Origin: allowed, 'Access-Control-Request-Headers': 'a'.repeat(9000) }],
  ])('a preflight that fails reveals nothing: %s', async (_name, headers) => {
    const { app, seen } = appWith({ origins: [allowed], credentials: true, exposedHeaders: ['X-Secret'] });
    const refused = await preflight(app, { 'Access-Control-Request-Method': 'PUT', ...headers } as Record<
      string,
      string
    >);
    expect(refused.status).toBe(403);
    expect(corsHeaders(refused.headers)).toEqual([]);
    expect(refused.text).toBe('This cross-origin request is not allowed.');
    expect(refused.headers['vary']).toContain('Origin');
    expect(hasCode(seen[0], 'E_CORS_REFUSED')).toBe(true);
  });

  test('an actual request of an unlisted origin reads nothing, and its answer is kept apart by caches (expressjs/cors#332)', async () => {
    const { app } = appWith({ origins: [allowed] });
    for (const origin of [
      'https://evil.example',
      'null',
      'https://app.example.com@evil.example',
      undefined,
    ]) {
      const answer =
        origin === undefined
          ? await request(app).get('/')
          : await request(app).get('/').set('Origin', origin);
      expect(corsHeaders(answer.headers)).toEqual([]);
      expect(answer.headers['vary']).toBe('Origin');
    }
  });

  test('an OPTIONS request that is no preflight reaches the app', async () => {
    const { app } = appWith({ origins: [allowed] });
    expect((await request(app).options('/')).text).toBe('DATA');
    const crossOrigin = await request(app).options('/').set('Origin', allowed);
    expect(crossOrigin.text).toBe('DATA');
    expect(crossOrigin.headers['access-control-allow-origin']).toBe(allowed);
    expect(crossOrigin.headers['vary']).toContain('Access-Control-Request-Method');
  });

  test('Vary is appended to what others wrote, once (expressjs/cors#330)', async () => {
    const before = express();
    before.use((_req, res, next) => {
      res.setHeader('Vary', 'Accept-Encoding, origin');
      next();
    });
    const { app } = appWith({ origins: [allowed] }, before);
    expect((await request(app).get('/')).headers['vary']).toBe('Accept-Encoding, origin');
    expect((await request(app).options('/')).headers['vary']).toBe(
      'Accept-Encoding, origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network',
    );
  });

  test('public data: every answer has the asterisk, never credentials, and nothing varies by origin', async () => {
    const { app } = appWith({ origins: '*' });
    for (const origin of ['https://anyone.example', 'null', undefined]) {
      const answer =
        origin === undefined
          ? await request(app).get('/')
          : await request(app).get('/').set('Origin', origin);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
      expect(answer.headers['vary']).toBeUndefined();
    }
  });

  test.each([
    ['a suffix', 'https://app.example.com.evil.example'],
    ['a prefix', 'https://evilapp.example.com'],
    ['a sibling', 'https://evil.example.com'],
    ['the parent', 'https://example.com'],
    ['a subdomain of it', 'https://x.app.example.com'],
    ['null', 'null'],
    ['plain http', 'http://app.example.com'],
    ['another port', 'https://app.example.com:8443'],
    ['the default port, spelled out', 'https://app.example.com:443'],
    ['a user name (golang/go#78563)', 'https://app.example.com@evil.example'],
    ['a user name in front', 'https://evil@app.example.com'],
    ['upper case', 'https://APP.example.com'],
    ['a trailing dot', 'https://app.example.com.'],
    ['a trailing slash', 'https://app.example.com/'],
    ['a path', 'https://app.example.com/evil'],
    ['a full-width dot', 'https://app\uff0eexample.com'],
    ['punycode of a lookalike', 'https://xn--pp-yia.example.com'],
    ['a dot that a regular expression would take for any letter', 'https://appxexample.com'],
    ['a backtick', 'https://app.example.com`.evil.example'],
    ['a comma list', 'https://app.example.com, https://evil.example'],
    ['a space', 'https://app.example.com evil'],
    ['another scheme', 'ftp://app.example.com'],
    ['an extension', 'chrome-extension://app.example.com'],
    ['nothing', ''],
  ])('ASVS V3.4.2: %s is not the listed origin and gets no permission', async (_name, origin) => {
    const { app } = appWith({ origins: [allowed], credentials: true });
    const latin1 = Buffer.from(origin, 'utf8').toString('latin1');
    const answer = await request(app).get('/').set('Origin', latin1);
    expect(corsHeaders(answer.headers)).toEqual([]);
    const asked = await preflight(app, { Origin: latin1, 'Access-Control-Request-Method': 'PUT' });
    expect([asked.status, corsHeaders(asked.headers)]).toEqual([403, []]);
  });

  test('a private network is reached only where that is chosen', async () => {
    const ask = {
      Origin: allowed,
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Private-Network': 'true',
    };
    const off = await preflight(appWith({ origins: [allowed] }).app, ask);
    expect([off.status, corsHeaders(off.headers)]).toEqual([403, []]);
    const { app } = appWith({ origins: [allowed], privateNetwork: true });
    const on = await preflight(app, ask);
    expect([on.status, on.headers['access-control-allow-private-network']]).toEqual([204, 'true']);
    const other = await preflight(app, { Origin: allowed, 'Access-Control-Request-Method': 'PUT' });
    expect(other.headers).not.toHaveProperty('access-control-allow-private-network');
    expect((await preflight(app, { ...ask, Origin: 'https://evil.example' })).status).toBe(403);
  });

  describe('debug says to the log why, and to the client nothing more', () => {
    const patterns = ['https://app.example.com', 'https://*.partner.example', 'http://localhost:5173'];
    test.each([
      ['https://app.exampel.com', {}, /not in "origins"; the nearest is "https:\/\/app.example.com"/],
      ['http://app.example.com', {}, /has "https:\/\/app.example.com", which is another scheme/],
      ['http://localhost:3000', {}, /has "http:\/\/localhost:5173", which is another port/],
      ['https://partner.example', {}, /stands for its subdomains, not for the domain itself/],
      ['null', {}, /sandboxed frame/],
      ['https://app.example.com/', {}, /not how a browser writes an origin/],
      [
        allowed,
        { 'Access-Control-Request-Method': 'patch' },
        /the method "patch" is not in "methods"; the nearest is "PATCH"/,
      ],
      [
        allowed,
        { 'Access-Control-Request-Headers': 'x-total' },
        /the header "x-total" is not in "allowedHeaders"/,
      ],
      [allowed, { 'Access-Control-Request-Headers': 'content-type,' }, /an empty entry/],
      [allowed, { 'Access-Control-Request-Headers': 'a'.repeat(5_000) }, /longer than any honest list/],
      [allowed, { 'Access-Control-Request-Private-Network': 'true' }, /set "privateNetwork"/],
    ])('%s %j', async (origin, headers, message) => {
      const lines: string[] = [];
      const debug = { info: (line: string) => lines.push(line), warn: () => 0, error: () => 0 };
      const ask = { Origin: origin, 'Access-Control-Request-Method': 'PUT', ...headers } as Record<
        string,
        string
      >;
      const [loud, quiet] = await Promise.all(
        [{ origins: patterns, debug }, { origins: patterns }].map((options) =>
          preflight(appWith(options).app, ask),
        ),
      );
      expect(lines).toEqual([expect.stringMatching(message)]);
      const facts = ({ status, text, headers: h }: NonNullable<typeof loud>) => [
        status,
        text,
        corsHeaders(h!),
        h!['vary'],
      ];
      expect(facts(loud!)).toEqual(facts(quiet!));
    });

    test('of actual requests too; what is sent cannot forge a line, and a logger that fails decides nothing', async () => {
      const lines: string[] = [];
      const debug = {
        info: (line: string) => {
          lines.push(line);
          throw new Error('logger is down');
        },
        warn: () => 0,
        error: () => 0,
      };
      const { app } = appWith({ origins: [allowed], debug });
      const answer = await request(app)
        .get('/')
        .set('Origin', `https://evil.example\t\u009b31m${'x'.repeat(5_000)}`);
      expect([answer.status, answer.text, corsHeaders(answer.headers)]).toEqual([200, 'DATA', []]);
      await request(app).get('/').set('Origin', allowed);
      await request(app).get('/');
      expect(lines).toHaveLength(1);
      expect(lines[0]!.length).toBeLessThan(1_000);
      expect(lines[0]).not.toMatch(/\t/);
    });
  });

  test('patterns work end to end', async () => {
    const { app } = appWith({ origins: ['https://*.example.com'] });
    const inside = await request(app).get('/').set('Origin', 'https://a.b.example.com');
    expect(inside.headers['access-control-allow-origin']).toBe('https://a.b.example.com');
    const outside = await request(app).get('/').set('Origin', 'https://example.com.evil');
    expect(outside.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('a listener that throws changes nothing; there is no store to lose', async () => {
    const events = createEvents();
    events.on('headers.refused', () => {
      throw new Error('listener is down');
    });
    const { app } = appWith({ origins: [allowed], events });
    const evil = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'PUT' };
    expect((await preflight(app, evil)).status).toBe(403);
    expect((await preflight(app, { ...evil, Origin: allowed })).status).toBe(204);
    expect(events.listenerFaults).toBe(1);
  });
});

describe('a wrong configuration does not start', () => {
  const ok = ['https://app.example.com'];
  test.each([
    ['no origins', {}, /"origins" is required/],
    ['an empty list', { origins: [] }, /is empty/],
    ['the asterisk with credentials', { origins: '*', credentials: true }, /cannot be combined/],
    ['the asterisk with a private network', { origins: '*', privateNetwork: true }, /list the origins/],
    ['the asterisk beside origins', { origins: ['*', ...ok] }, /stands alone/],
    ['reflecting every origin', { origins: true }, /regular expressions, functions and true are not taken/],
    ['a regular expression', { origins: /example\.com/ }, /regular expressions/],
    ['a regular expression in the list', { origins: [/example\.com$/] }, /must be an origin/],
    ['a function', { origins: () => true }, /functions/],
    ['null', { origins: ['null'] }, /sandboxed frame/],
    ['a path', { origins: ['https://example.com/app'] }, /Did you mean "https:\/\/example.com"/],
    ['a trailing slash', { origins: ['https://example.com/'] }, /Did you mean "https:\/\/example.com"/],
    ['upper case', { origins: ['https://Example.com'] }, /Did you mean "https:\/\/example.com"/],
    ['the default port', { origins: ['https://example.com:443'] }, /Did you mean "https:\/\/example.com"/],
    ['non-ASCII', { origins: ['https://bücher.example'] }, /Did you mean "https:\/\/xn--bcher-kva.example"/],
    ['a WebSocket', { origins: ['ws://localhost:*'] }, /is the address of a WebSocket/],
    ['no scheme', { origins: ['example.com'] }, /is not an origin/],
    ['a user name', { origins: ['https://me@example.com'] }, /is not an origin/],
    ['plain http', { origins: ['http://example.com'] }, /is not https/],
    [
      'plain http that only begins like the loopback',
      { origins: ['http://localhost.evil.example'] },
      /is not https/,
    ],
    ['a whole top-level domain', { origins: ['https://*.com'] }, /registers a name under com/],
    ['a public suffix', { origins: ['https://*.co.uk'] }, /registers a name under co.uk/],
    ['a public suffix of few', { origins: ['https://*.kawasaki.jp'] }, /registers a name under kawasaki.jp/],
    ['a wildcard rule of the list', { origins: ['https://*.foo.ck'] }, /registers a name under foo.ck/],
    ['a shared hosting domain', { origins: ['https://*.github.io'] }, /registers a name under github.io/],
    [
      'a bucket store',
      { origins: ['https://*.s3.amazonaws.com'] },
      /registers a name under s3.amazonaws.com/,
    ],
    ['an asterisk inside a label', { origins: ['https://app*.example.com'] }, /is not an origin/],
    ['an asterisk in the middle', { origins: ['https://a.*.example.com'] }, /is not an origin/],
    ['an empty method', { origins: ok, methods: [''] }, /name of a method/],
    ['a method in lower case', { origins: ok, methods: ['patch'] }, /upper case: "PATCH"/],
    ['a forbidden method', { origins: ok, methods: ['GET', 'CONNECT'] }, /never send CONNECT/],
    ['all methods', { origins: ok, methods: ['*'] }, /name of a method/],
    ['an invalid header', { origins: ok, allowedHeaders: ['X Y'] }, /name of a header/],
    ['all headers', { origins: ok, allowedHeaders: ['*'] }, /"\*" is not taken/],
    ['a forbidden header', { origins: ok, allowedHeaders: ['Connection'] }, /no page set Connection/],
    ['a Sec- header', { origins: ok, allowedHeaders: ['Sec-Fetch-Site'] }, /no page set/],
    ['a CORS header', { origins: ok, allowedHeaders: ['Access-Control-Allow-Origin'] }, /belongs to CORS/],
    ['exposing Set-Cookie', { origins: ok, exposedHeaders: ['Set-Cookie'] }, /no page read/],
    ['exposing everything', { origins: ok, exposedHeaders: ['*'] }, /"\*" is not taken/],
    ['a max age over a day', { origins: ok, maxAge: '25h' }, /between 0 and/],
    ['a negative max age', { origins: ok, maxAge: -1 }, /milliseconds or a duration/],
    ['a logger that is none', { origins: ok, debug: true }, /debug must be/],
    ['a misspelt option', { origin: ok }, /Did you mean "origins"/],
  ])('%s', (_name, options, message) => {
    expect(() => cors(options as never)).toThrow(message);
    expect(() => cors(options as never)).toThrow(
      expect.objectContaining({ name: 'OptionError', owner: 'cors' }),
    );
  });

  test('what is spelled dangerously starts, and so does plain http on the loopback', () => {
    expect(() =>
      cors({ origins: ['http://old.example'], dangerouslyAllowInsecureOrigins: true }),
    ).not.toThrow();
    expect(() =>
      cors({ origins: ['https://*.github.io'], dangerouslyAllowPublicSuffixes: true }),
    ).not.toThrow();
    expect(() =>
      cors({ origins: ['http://localhost:*', 'http://127.0.0.1:5173', 'http://[::1]:3000'] }),
    ).not.toThrow();
  });

  test('the middleware can be found in the floor plan', () => {
    expect(stageOf(cors({ origins: ok, credentials: true }))).toEqual({
      kind: 'posture',
      name: 'cors',
      detail: '1 origin, credentials',
    });
  });
});
