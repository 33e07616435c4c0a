/**
 * Holes that CSRF protections of the field have had, each as the request that went through there. What the first line
 * (`csrf()`) and the second (`csrf.token()`) each have to stop stands in the title.
 */
import { describe, expect, test } from '@jest/globals';
import { context } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import { randomBytes } from 'node:crypto';
import { csrf, csrfErrors, type CsrfOptions } from '../src/index.js';
import { cookiesOf, onWire, type Answer, type Sent } from './wire.js';

const KEY = randomBytes(32).toString('base64url');
const CROSS = { Origin: 'https://attacker.example', 'Sec-Fetch-Site': 'cross-site' };

type Send = (sent?: Sent) => Promise<Answer>;

/** Both lines apart: `header` has csrf() alone, `token` asks for a token too. */
async function house(
  express: ExpressLike,
  options: CsrfOptions & { token?: boolean; development?: boolean },
  use: (send: Send, self: string) => Promise<void>,
): Promise<void> {
  const { token = false, development = false, ...site } = options;
  const app = express();
  app.use(context({ trustProxy: false }), csrf(site));
  app.use(express.urlencoded({ extended: true }), express.json());
  if (token) app.use(csrf.token({ ...site, keys: KEY, cookie: development ? 'development' : 'host' }));
  app.get(
    '/form',
    (_req, res) =>
      void res.send(String((res as unknown as { locals: Record<string, unknown> }).locals['csrfToken'])),
  );
  app.use((_req, res) => void res.send('CHANGED'));
  app.use(
    (error: unknown, _req: unknown, res: { writeHead(status: number): { end(): void } }, _next: unknown) => {
      res.writeHead((error as { status?: number }).status ?? 500).end();
    },
  );
  await onWire(app, use);
}

const page = async (send: Send) => {
  const answer = await send({ method: 'GET', path: '/form' });
  return { token: answer.text, cookie: cookiesOf(answer) };
};

onBothExpress((express) => {
  test('ASVS V3.5.2: requests that need no preflight (text/plain, multipart, urlencoded, no type) are refused all the same', async () => {
    await house(express, {}, async (send) => {
      for (const type of [
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/x-www-form-urlencoded',
        undefined,
      ]) {
        const headers = { ...CROSS, 'Content-Type': type };
        expect([type, (await send({ headers, body: '{}' })).status]).toEqual([type, 403]);
        expect(
          (await send({ headers: { ...headers, 'Sec-Fetch-Site': undefined }, body: '{}' })).status,
        ).toBe(403);
      }
    });
  });

  test('ASVS V3.5.3: a route that changes state refuses safe methods, overridden ones too', async () => {
    const app = express();
    app.use(context({ trustProxy: false }));
    app.use((req, _res, next) => {
      // What the middleware method-override does, before us.
      const wish = req.headers['x-http-method-override'];
      if (typeof wish === 'string') Object.assign(req, { originalMethod: req.method, method: wish });
      next();
    });
    app.use(csrf.stateChange(), (_req, res) => void res.send('CHANGED'));
    app.use(
      (
        error: unknown,
        _req: unknown,
        res: { writeHead(s: number, h?: object): { end(): void } },
        _next: unknown,
      ) => {
        const { status = 500, headers } = error as { status?: number; headers?: object };
        res.writeHead(status, headers).end();
      },
    );
    await onWire(app, async (send) => {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        const answer = await send({ method });
        expect([method, answer.status, answer.headers['allow']]).toEqual([
          method,
          405,
          'POST, PUT, PATCH, DELETE',
        ]);
        const overridden = await send({ method, headers: { 'X-HTTP-Method-Override': 'POST' } });
        expect([method, overridden.status]).toEqual([method, 405]);
        expect((await send({ method, path: '/?_method=POST' })).status).toBe(405);
      }
      expect((await send({ headers: { 'X-HTTP-Method-Override': 'GET' } })).status).toBe(405);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        expect((await send({ method })).status).toBe(200);
        expect((await send({ method, headers: CROSS })).status).toBe(403);
      }
    });
  });

  test('csurf#117 #239 #247 #261, csrf-csrf#57 #81: own pages, scripts and programs have nothing to plumb', async () => {
    await house(express, {}, async (send, self) => {
      const json = { 'Content-Type': 'application/json' };
      const multipart = { 'Content-Type': 'multipart/form-data; boundary=x' };
      for (const headers of [
        { Origin: self, 'Sec-Fetch-Site': 'same-origin' },
        { Origin: self, ...multipart },
        { 'Sec-Fetch-Site': 'none' },
        { ...json, Authorization: 'Bearer x' },
        json,
        {},
      ]) {
        expect([headers, (await send({ headers })).status]).toEqual([headers, 200]);
      }
    });
  });

  test('csurf#154 #170 #193: a form with a file brings its token in a field, once the parser before has read it', async () => {
    const app = express();
    const token = csrf.token({ keys: KEY });
    app.use(context({ trustProxy: false }), csrf());
    app.use((req, _res, next) => {
      // What multer, or uploads.receive() of validation, leaves behind: fields of the form.
      const field = /name="_csrf"\r\n\r\n(.*)\r\n/;
      let text = '';
      req
        .on('data', (chunk) => (text += String(chunk)))
        .on('end', () => {
          req.body = Object.assign(Object.create(null) as object, {
            title: 'x',
            _csrf: field.exec(text)?.[1],
          });
          next();
        });
    });
    app.use(token);
    app.get('/form', (req, res) => void res.send(token.issue(req as never, res as never)));
    app.use((req, res) => void res.send(Object.keys(req.body as object).join()));
    app.use(
      (error: unknown, _req: unknown, res: { writeHead(s: number): { end(): void } }, _next: unknown) => {
        res.writeHead((error as { status?: number }).status ?? 500).end();
      },
    );
    await onWire(app, async (send) => {
      const { token: value, cookie } = await page(send);
      const post = (sent: string) =>
        send({
          headers: { Cookie: cookie, 'Content-Type': 'multipart/form-data; boundary=x' },
          body: `--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${sent}\r\n--x--\r\n`,
        });
      const good = await post(value);
      expect([good.status, good.text]).toEqual([200, 'title']);
      expect((await post(`${value.startsWith('A') ? 'B' : 'A'}${value.slice(1)}`)).status).toBe(403);
    });
  });

  test('csurf#229: mounted twice, the first page of a new browser works, with one cookie and one token', async () => {
    const app = express();
    const token = csrf.token({ keys: KEY });
    app.use(context({ trustProxy: false }), csrf(), token);
    app.use((_req, res, next) => {
      const { locals } = res as unknown as { locals: Record<string, unknown> };
      locals['seen'] = String(locals['csrfToken']);
      next();
    });
    app.use(token, csrf());
    app.get('/form', (_req, res) => {
      const { locals } = res as unknown as { locals: Record<string, unknown> };
      res.send(`${String(locals['seen'])} ${String(locals['csrfToken'])}`);
    });
    app.use((_req, res) => void res.send('CHANGED'));
    app.use(
      (error: unknown, _req: unknown, res: { writeHead(s: number): { end(): void } }, _next: unknown) => {
        res.writeHead((error as { status?: number }).status ?? 500).end();
      },
    );
    await onWire(app, async (send) => {
      const answer = await send({ method: 'GET', path: '/form' });
      expect(answer.headers['set-cookie']).toHaveLength(1);
      for (const value of answer.text.split(' ')) {
        const headers = { Cookie: cookiesOf(answer), 'X-CSRF-Token': value };
        expect((await send({ headers })).status).toBe(200);
      }
    });
  });

  test('csrf-csrf#114: without a session nobody has to invent an identifier; each browser is bound by itself', async () => {
    await house(express, { token: true }, async (send) => {
      const [ann, bob] = [await page(send), await page(send)];
      expect(ann.cookie).not.toBe(bob.cookie);
      const crossed = { Cookie: bob.cookie, 'X-CSRF-Token': ann.token };
      expect((await send({ headers: crossed })).status).toBe(403);
      expect((await send({ headers: { Cookie: bob.cookie, 'X-CSRF-Token': bob.token } })).status).toBe(200);
    });
  });

  test.each<[string, Sent]>([
    ['csurf took a token from the query, where logs and Referer carry it away', { path: '/?_csrf=TOKEN' }],
    ['a token in the query, under the name of the header', { path: '/?x-csrf-token=TOKEN' }],
    [
      'tiny-csrf CVE-2022-39287: the cookie itself served as the token',
      { headers: { 'X-CSRF-Token': 'COOKIE' } },
    ],
    [
      'a value that is no string',
      { headers: { 'Content-Type': 'application/json' }, body: '{"_csrf":["TOKEN"]}' },
    ],
    ['a token with something behind it', { headers: { 'X-CSRF-Token': 'TOKENx' } }],
    ['a token in another case', { headers: { 'X-CSRF-Token': 'UPPER' } }],
  ])('token line: %s', async (_name, sent) => {
    await house(express, { token: true }, async (send) => {
      const { token, cookie } = await page(send);
      const fill = (text: string) =>
        text
          .replace('TOKEN', token)
          .replace('COOKIE', cookie.split('=')[1]!)
          .replace('UPPER', swapCase(token));
      const filled: Sent = {
        ...sent,
        ...(sent.path ? { path: fill(sent.path) } : {}),
        ...(sent.body ? { body: fill(sent.body) } : {}),
        headers: {
          ...Object.fromEntries(Object.entries(sent.headers ?? {}).map(([k, v]) => [k, fill(String(v))])),
          Cookie: cookie,
        },
      };
      expect((await send(filled)).status).toBe(403);
      expect((await send({ headers: { Cookie: cookie, 'X-CSRF-Token': token } })).status).toBe(200);
    });
  });

  test('csrf-csrf, csurf with cookies: the token and cookie of the attacker, tossed into the browser of the victim', async () => {
    await house(express, { token: true }, async (send) => {
      const attacker = await page(send);
      const victim = await page(send);
      const tossed = { Cookie: `${attacker.cookie}; ${victim.cookie}`, 'X-CSRF-Token': attacker.token };
      expect((await send({ headers: tossed })).status).toBe(403);
      // Alone, as in a browser that holds no cookie of ours: the header line knows who started it.
      const planted = { Cookie: attacker.cookie, 'X-CSRF-Token': attacker.token };
      expect((await send({ headers: { ...planted, 'Sec-Fetch-Site': 'same-site' } })).status).toBe(403);
      expect((await send({ headers: { ...planted, Origin: 'https://sibling.example' } })).status).toBe(403);
    });
  });

  test('@fastify/csrf-protection CVE-2023-27495: user names that run into one another make no common binding', () => {
    const token = csrf.token({ keys: KEY });
    const of = ([id, sessionId]: readonly [string, string], sent?: string) =>
      ({
        method: 'POST',
        url: '/',
        headers: sent === undefined ? {} : { 'x-csrf-token': sent },
        security: { principal: { kind: 'user', id, sessionId } },
      }) as never;
    const res = { setHeader: () => undefined, writeHead: () => undefined } as never;
    const alike: readonly (readonly [readonly [string, string], readonly [string, string]])[] = [
      [
        ['a', 'bc'],
        ['ab', 'c'],
      ],
      [
        ['a"', 'b'],
        ['a', '"b'],
      ],
      [
        ['a,b', 'c'],
        ['a', 'b,c'],
      ],
      [
        ['a\u0000', 'b'],
        ['a', '\u0000b'],
      ],
      [
        ['\ud800', 'b'],
        ['\ufffd', 'b'],
      ],
    ];
    for (const [a, b] of alike) {
      const sent = token.issue(of(a), res);
      expect(token.decide(of(a, sent))).toEqual({ allowed: true });
      expect(token.decide(of(b, sent))).toEqual({ allowed: false, reason: 'token-mismatch' });
    }
  });

  test('Django CVE-2016-7401: odd characters in another cookie hide neither a second token cookie nor make one', async () => {
    await house(express, { token: true, development: true }, async (send) => {
      const { token, cookie } = await page(send);
      const [name, nonce] = cookie.split('=') as [string, string];
      const post = async (Cookie: string) =>
        (await send({ headers: { Cookie, 'X-CSRF-Token': token } })).status;
      expect(await post(cookie)).toBe(200);
      for (const Cookie of [
        `ga=x]${cookie}`,
        `ga="x; ${name}=${'A'.repeat(43)}"; ${cookie}`,
        `ga=x,${cookie}`,
        `${name.toUpperCase()}=${nonce}`,
        `x${cookie}`,
        `${name}="${nonce}"`,
        `${name} =${nonce}`,
      ]) {
        expect([Cookie, await post(Cookie)]).toEqual([Cookie, 403]);
      }
    });
  });

  test.each<[string, Sent]>([
    ['Hono GHSA-2234-fmw7-43wr: no Content-Type', { body: 'a=1' }],
    ['Hono CVE-2024-43787: upper case', { headers: { 'Content-Type': 'APPLICATION/X-WWW-FORM-URLENCODED' } }],
    [
      'Qwik GHSA-vm6g-8r4h-22x8: parameters',
      { headers: { 'Content-Type': 'application/x-www-form-urlencoded;a=b' } },
    ],
    ['SvelteKit CVE-2023-29003: text/plain', { headers: { 'Content-Type': 'text/plain' } }],
    [
      'SvelteKit CVE-2023-29008: upper case multipart',
      { headers: { 'Content-Type': 'MULTIPART/form-data; boundary=x' } },
    ],
    ['SvelteKit CVE-2023-29008: other methods', { method: 'PUT' }],
    [
      'Astro CVE-2024-56140: space before the semicolon',
      { headers: { 'Content-Type': 'application/x-www-form-urlencoded ; x' } },
    ],
    ['senchalabs/connect: method override before the check', { method: 'GET', path: '/?_method=POST' }],
    ['Go CVE-2025-47910: a path that the router cleans up', { path: '/hooks/../account' }],
    ['lusca: an allow-list of prefixes', { path: '/hooksome/account' }],
    ['an allow-list of suffixes', { path: '/account/hooks/stripe' }],
    ['an allow-list of parts', { path: '/account?next=/hooks/stripe' }],
    ['an allow-list that decodes', { path: '/hooks%2fstripe' }],
    ['an allow-list that folds case', { path: '/HOOKS/STRIPE' }],
    ['an allow-list that trims slashes', { path: '/hooks/stripe/' }],
    ['an allow-list that reads the absolute form', { path: 'http://127.0.0.1/hooks/stripe' }],
    ['an allow-list that forgets the method', { path: '/hooks/stripe', method: 'DELETE' }],
    ['an allow-list that trusts a rewriting header', { headers: { 'X-Original-URL': '/hooks/stripe' } }],
    ['an allow-list that cuts at a semicolon', { path: '/hooks/stripe;/../../account' }],
    ['an allow-list that cuts at NUL', { path: '/hooks/stripe%00/account' }],
    ['an allow-list that joins slashes', { path: '//hooks/stripe' }],
    ['an allow-list that turns backslashes', { path: '/hooks\\stripe' }],
  ])('header line: %s', async (_name, sent) => {
    await house(express, { exempt: ['POST /hooks/stripe'] }, async (send) => {
      for (const headers of [CROSS, { Origin: CROSS.Origin }, { 'Sec-Fetch-Site': 'cross-site' }]) {
        expect((await send({ ...sent, headers: { ...sent.headers, ...headers } })).status).toBe(403);
      }
      expect((await send({ path: '/hooks/stripe', headers: CROSS })).status).toBe(200);
    });
  });

  test.each<[string, (self: string) => Sent['headers']]>([
    [
      'gorilla CVE-2025-24358: Referer alone makes nobody one of us',
      (self) => ({ ...CROSS, Referer: `${self}/form` }),
    ],
    [
      'a forwarded host makes no origin ours',
      () => ({ Origin: CROSS.Origin, 'X-Forwarded-Host': 'attacker.example' }),
    ],
    ['Forwarded neither', () => ({ Origin: CROSS.Origin, Forwarded: 'host=attacker.example' })],
    [
      'golang/go#78563: user name in the origin',
      (self) => ({ Origin: self.replace('//', '//attacker.example@') }),
    ],
    ['Next.js server actions: Origin null of a sandboxed frame', () => ({ Origin: 'null' })],
    ['two Origin lines, ours first', (self) => ({ Origin: [self, CROSS.Origin] })],
    ['two Origin lines, ours last', (self) => ({ Origin: [CROSS.Origin, self] })],
    ['X-Requested-With is no proof', () => ({ ...CROSS, 'X-Requested-With': 'XMLHttpRequest' })],
    [
      'Sec-Fetch-Mode is not Sec-Fetch-Site',
      () => ({ 'Sec-Fetch-Mode': 'same-origin', Origin: CROSS.Origin }),
    ],
    [
      'Sec-Fetch-User does not excuse',
      () => ({ ...CROSS, 'Sec-Fetch-User': '?1', 'Sec-Fetch-Mode': 'navigate' }),
    ],
    ['a bearer token does not excuse the header line', () => ({ ...CROSS, Authorization: 'Bearer x' })],
  ])('header line: %s', async (_name, make) => {
    await house(express, {}, async (send, self) => {
      expect((await send({ headers: make(self) ?? {} })).status).toBe(403);
    });
  });

  test('Rails CVE-2020-8166: what a page shows does not lead to a token for another session', async () => {
    await house(express, { token: true }, async (send) => {
      const { token, cookie } = await page(send);
      const other = await page(send);
      // Splicing and XOR of known tokens, which forge where a mask is all there is.
      const [a, b] = [token, other.token].map((text) => Buffer.from(text, 'base64url')) as [Buffer, Buffer];
      const forged = [
        Buffer.concat([b.subarray(0, 22), a.subarray(22)]),
        Buffer.concat([a.subarray(0, 22), b.subarray(22)]),
        Buffer.from(a.map((byte, i) => byte ^ b[i]!)),
        Buffer.alloc(54),
      ];
      for (const raw of forged) {
        const headers = { Cookie: other.cookie, 'X-CSRF-Token': raw.toString('base64url') };
        expect((await send({ headers })).status).toBe(403);
      }
      expect((await send({ headers: { Cookie: cookie, 'X-CSRF-Token': token } })).status).toBe(200);
    });
  });

  test("lusca, angular mode: scripts cannot read the cookie, and the cookie's value is no token", async () => {
    await house(express, { token: true }, async (send) => {
      const answer = await send({ method: 'GET', path: '/form' });
      expect(answer.headers['set-cookie']).toEqual([expect.stringContaining('HttpOnly')]);
      expect(cookiesOf(answer)).not.toContain(answer.text);
    });
  });
});

describe('set-ups that the field accepts and that do not start here', () => {
  test.each<[string, CsrfOptions]>([
    ['gorilla CVE-2025-47909: an http origin that is trusted', { trustedOrigins: ['http://app.example'] }],
    ['a wildcard of hosts (Next.js allowedOrigins)', { trustedOrigins: ['https://*.example'] }],
    ['any origin', { trustedOrigins: ['*'] }],
    ['the null origin', { trustedOrigins: ['null'] }],
    ['an origin with a path', { trustedOrigins: ['https://app.example/x'] }],
    ['an origin without a scheme', { trustedOrigins: ['app.example'] }],
    ['lusca: an exempt prefix of everything', { exempt: ['/*'] }],
    ['an exempt pattern in the middle', { exempt: ['/a*/b'] }],
  ])('%s', (_name, options) => {
    expect(() => csrf(options)).toThrow(expect.objectContaining({ name: 'OptionError' }));
  });

  test('every refusal has a status of its own kind', () => {
    expect(
      Object.fromEntries(Object.entries(csrfErrors).map(([code, make]) => [code, make().status])),
    ).toEqual({
      E_CSRF_CROSS_SITE: 403,
      E_CSRF_TOKEN: 403,
      E_CSRF_METHOD: 405,
      E_CSRF_TOKEN_LATE: 500,
      E_CSRF_DEVELOPMENT_COOKIE: 500,
    });
  });
});

function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));
}
