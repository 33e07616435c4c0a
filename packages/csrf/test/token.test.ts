import { describe, expect, test } from '@jest/globals';
import {
  ALLOW,
  context,
  createEvents,
  freezePrincipal,
  guard,
  hasCode,
  Secret,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import { randomBytes } from 'node:crypto';
import { csrf, type CsrfToken, type CsrfTokenOptions } from '../src/index.js';
import { cookiesOf, onWire, type Answer, type Sent } from './wire.js';

const key = (): string => randomBytes(32).toString('base64url');
const KEY = key();
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

interface Shop {
  readonly send: (sent?: Sent) => Promise<Answer>;
  readonly token: CsrfToken;
  readonly refusals: unknown[];
  readonly self: string;
}

/**
 * A service with forms: `GET /form` shows a token, `GET /csrf-token` hands one out, `POST /sign-in` begins a session. Header
 * `x-user` stands for a session that another middleware has established.
 */
async function shop(
  express: ExpressLike,
  options: Partial<CsrfTokenOptions>,
  use: (shop: Shop) => Promise<void>,
): Promise<void> {
  const app = express();
  const refusals: unknown[] = [];
  const token = csrf.token({ keys: KEY, ...options });
  app.use(context({ trustProxy: false }));
  app.use(express.urlencoded({ extended: true }), express.json());
  // As strict readers leave it.
  app.use((req, _res, next) => {
    if (req.headers['x-frozen'])
      req.body = Object.freeze(Object.assign(Object.create(null), req.body as object));
    next();
  });
  app.use(
    guard('test identity', { stage: 'identify' }, (req) => {
      const [id, sessionId] = String(req.headers['x-user'] ?? '').split('/');
      if (id) {
        req.security!.principal = freezePrincipal({ id, kind: 'user', ...(sessionId ? { sessionId } : {}) });
      }
      return ALLOW;
    }),
  );
  app.use(token);
  app.get('/csrf-token', token.endpoint());
  app.get('/form', (_req, res) => void res.send(String(localsOf(res)['csrfToken'])));
  app.get('/plain', (_req, res) => void res.send('no form'));
  app.post('/echo', (req, res) => void res.status(200).send(JSON.stringify(req.body)));
  app.post('/sign-in', (req, res) => {
    token.rotate(req as never, res as never);
    res.status(200).send('signed in');
  });
  app.use((_req, res) => void res.status(200).send('CHANGED'));
  app.use(
    (error: unknown, _req: unknown, res: { writeHead(status: number): { end(): void } }, _next: unknown) => {
      refusals.push(error);
      res.writeHead((error as { status?: number }).status ?? 500).end();
    },
  );
  await onWire(app, (send, self) => use({ send, token, refusals, self }));
}

function localsOf(res: unknown): Record<string, unknown> {
  return (res as { locals: Record<string, unknown> }).locals;
}

/** Ann's session outside of a server, for tokens that no page of the test's server has shown. */
const annRequest = {
  method: 'GET',
  url: '/',
  headers: {},
  security: { principal: { kind: 'user', id: 'ann', sessionId: 's1' } },
} as unknown as SecurityRequest;
const silentAnswer = {
  setHeader: () => undefined,
  writeHead: () => undefined,
} as unknown as SecurityResponse;

const signedIn = { 'x-user': 'ann/s1' };

async function formToken(send: Shop['send'], headers: Record<string, string> = {}) {
  const answer = await send({ method: 'GET', path: '/form', headers });
  return { token: answer.text, cookie: cookiesOf(answer), answer };
}

const reasonOf = (error: unknown): unknown => (error as { details?: { reason?: string } }).details?.reason;

onBothExpress((express) => {
  test('ASVS V3.5.1: without a token, with a made-up one, or with the token of another session a state change is 403', async () => {
    await shop(express, {}, async ({ send, refusals }) => {
      const mine = await formToken(send, signedIn);
      expect(mine.token).toMatch(/^[A-Za-z0-9_-]{72}$/);
      const post = (token: string | undefined, user = 'ann/s1') =>
        send({ headers: { 'x-user': user, 'X-CSRF-Token': token } });

      expect((await post(mine.token)).status).toBe(200);
      expect((await post(undefined)).status).toBe(403);
      expect((await post(randomBytes(54).toString('base64url'))).status).toBe(403);
      expect((await post(mine.token, 'ann/s2')).status).toBe(403);
      expect((await post(mine.token, 'eve/s1')).status).toBe(403);
      expect((await post(mine.token, '')).status).toBe(403);
      expect(refusals.every((error) => hasCode(error, 'E_CSRF_TOKEN'))).toBe(true);
      expect(refusals.map(reasonOf)).toEqual([
        'token-missing',
        'token-mismatch',
        'token-mismatch',
        'token-mismatch',
        'token-unbound',
      ]);
    });
  });

  test.each(['always', 'unproven'] as const)(
    'the field is no input of the form: handlers and schemas do not see it (%s)',
    async (require) => {
      await shop(express, { require }, async ({ send }) => {
        const { token, cookie } = await formToken(send);
        const body = `title=x&_csrf=${token}`;
        for (const also of [{}, { 'Sec-Fetch-Site': 'same-origin' }, { 'X-Frozen': '1' }]) {
          const headers = { ...FORM, ...also, Cookie: cookie, 'Content-Length': String(body.length) };
          const answer = await send({ method: 'POST', path: '/echo', headers, body });
          expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { title: 'x' }]);
        }
      });
    },
  );

  test('a token travels in a header or a field of a form or JSON body', async () => {
    await shop(express, {}, async ({ send }) => {
      const { token, cookie } = await formToken(send);
      const all: Sent[] = [
        { headers: { 'X-CSRF-Token': token } },
        { headers: { 'x-csrf-token': token } },
        { headers: FORM, body: `title=x&_csrf=${token}` },
        { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ _csrf: token }) },
        { headers: { ...FORM, 'X-CSRF-Token': token }, body: `_csrf=${token}` },
      ];
      for (const sent of all) {
        for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
          const headers = {
            ...sent.headers,
            Cookie: cookie,
            'Content-Length': String(sent.body?.length ?? 0),
          };
          expect([method, sent, (await send({ ...sent, method, headers })).status]).toEqual([
            method,
            sent,
            200,
          ]);
        }
      }
    });
  });

  test.each<[string, (token: string, other: string) => Sent, string]>([
    ['in the query', (token) => ({ path: `/?_csrf=${token}&x-csrf-token=${token}` }), 'token-missing'],
    ['in a cookie only', (token) => ({ headers: { Cookie: `_csrf=${token}` } }), 'token-missing'],
    ['twice as header', (token) => ({ headers: { 'X-CSRF-Token': [token, token] } }), 'token-malformed'],
    [
      'twice as field',
      (token) => ({ headers: FORM, body: `_csrf=${token}&_csrf=${token}` }),
      'token-malformed',
    ],
    ['as an object', (token) => ({ headers: FORM, body: `_csrf[a]=${token}` }), 'token-malformed'],
    [
      'in two places that disagree',
      (token, other) => ({ headers: { ...FORM, 'X-CSRF-Token': token }, body: `_csrf=${other}` }),
      'token-ambiguous',
    ],
    ['empty', () => ({ headers: { 'X-CSRF-Token': '' } }), 'token-malformed'],
    ['with padding', (token) => ({ headers: { 'X-CSRF-Token': `${token}=` } }), 'token-malformed'],
    [
      'in plain base64',
      (token) => ({ headers: { 'X-CSRF-Token': `${token.slice(1)}+` } }),
      'token-malformed',
    ],
    ['cut off', (token) => ({ headers: { 'X-CSRF-Token': token.slice(0, -1) } }), 'token-malformed'],
    ['a megabyte long', () => ({ headers: FORM, body: `_csrf=${'A'.repeat(90_000)}` }), 'token-malformed'],
    [
      'on the prototype of the body',
      (token) => ({
        headers: { 'Content-Type': 'application/json' },
        body: `{"__proto__":{"_csrf":"${token}"}}`,
      }),
      'token-missing',
    ],
    [
      'in a body that is a list',
      (token) => ({ headers: { 'Content-Type': 'application/json' }, body: `["${token}"]` }),
      'token-missing',
    ],
  ])('a token %s does not count', async (_name, make, reason) => {
    await shop(express, {}, async ({ send, refusals }) => {
      const { token, cookie } = await formToken(send);
      const { token: other } = await formToken(send, { Cookie: cookie });
      const sent = make(token, other);
      const cookies = [cookie, sent.headers?.['Cookie']].filter(Boolean).join('; ');
      expect((await send({ ...sent, headers: { ...sent.headers, Cookie: cookies } })).status).toBe(403);
      expect(refusals.map(reasonOf)).toEqual([reason]);
    });
  });

  test('one changed bit anywhere in a token is a refusal', async () => {
    await shop(express, {}, async ({ send, token: middleware }) => {
      const { token, cookie } = await formToken(send);
      const judge = (text: string) =>
        middleware.decide({
          method: 'POST',
          url: '/',
          headers: { cookie, 'x-csrf-token': text },
        } as unknown as SecurityRequest).allowed;
      expect(judge(token)).toBe(true);
      for (let bit = 0; bit < 54 * 8; bit++) {
        const raw = Buffer.from(token, 'base64url');
        raw[bit >> 3]! ^= 1 << (bit & 7);
        expect([bit, judge(raw.toString('base64url'))]).toEqual([bit, false]);
      }
    });
  });

  test('no two answers hold the same token or a common part of it (BREACH)', async () => {
    await shop(express, {}, async ({ send }) => {
      const { cookie } = await formToken(send);
      const tokens: Buffer[] = [];
      for (let i = 0; i < 40; i++) {
        tokens.push(Buffer.from((await formToken(send, { Cookie: cookie })).token, 'base64url'));
      }
      // Everything but the time of issue, in runs of four bytes: a repeated one has a chance of about 2^-14 here.
      const runs = tokens.flatMap((raw) =>
        [...raw.keys()]
          .filter((i) => i % 4 === 2 && i >= 22)
          .map((i) => raw.subarray(i, i + 4).toString('hex')),
      );
      expect(new Set(runs).size).toBe(runs.length);
      for (const raw of tokens) {
        const headers = { Cookie: cookie, 'X-CSRF-Token': raw.toString('base64url') };
        expect((await send({ headers })).status).toBe(200);
      }
    });
  });

  test('the pre-session cookie is __Host-, Secure, HttpOnly, SameSite=Strict, for the whole host, without Domain', async () => {
    await shop(express, {}, async ({ send }) => {
      const { answer } = await formToken(send);
      expect(answer.headers['set-cookie']).toEqual([
        expect.stringMatching(/^__Host-csrf=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/),
      ]);
      expect(answer.headers['cache-control']).toBe('no-store');
    });
  });

  test('nothing is signed and no cookie set until somebody reads the token; a session needs no cookie', async () => {
    await shop(express, {}, async ({ send }) => {
      const plain = await send({ method: 'GET', path: '/plain' });
      expect(plain.headers['set-cookie']).toBeUndefined();
      expect(plain.headers['cache-control']).toBeUndefined();
      const { answer } = await formToken(send, signedIn);
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(answer.headers['cache-control']).toBe('no-store');
    });
  });

  test('a page with a token is kept out of caches whatever its handler says afterwards', async () => {
    const app = express();
    app.use(context({ trustProxy: false }), csrf.token({ keys: KEY }));
    app.get('/', (_req, res) => {
      const token = String(localsOf(res)['csrfToken']);
      (res as unknown as SecurityResponse).setHeader('Cache-Control', 'public, max-age=600');
      res.send(token);
    });
    await onWire(app, async (send) => {
      expect((await send({ method: 'GET' })).headers['cache-control']).toBe('no-store');
    });
  });

  test('templates find the token among the locals, twice in a page with one cookie', async () => {
    const app = express();
    app.use(context({ trustProxy: false }), csrf.token({ keys: KEY }));
    app.get('/', (_req, res) => {
      const { csrfToken: one } = localsOf(res);
      const { csrfToken: two } = { ...localsOf(res) };
      res.send(`${String(one)} ${String(two)}`);
    });
    app.use((_req, res) => void res.send('CHANGED'));
    await onWire(app, async (send) => {
      const page = await send({ method: 'GET' });
      expect(page.headers['set-cookie']).toHaveLength(1);
      const tokens = page.text.split(' ');
      expect(new Set(tokens).size).toBe(2);
      for (const token of tokens) {
        expect((await send({ headers: { Cookie: cookiesOf(page), 'X-CSRF-Token': token } })).status).toBe(
          200,
        );
      }
    });
  });

  test('the endpoint hands a token to our own pages and to none of other sites', async () => {
    await shop(express, {}, async ({ send, refusals }) => {
      const get = (headers: Record<string, string>) => send({ method: 'GET', path: '/csrf-token', headers });
      const answer = await get({ 'Sec-Fetch-Site': 'same-origin' });
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      const { csrfToken, header } = JSON.parse(answer.text) as { csrfToken: string; header: string };
      const headers = { Cookie: cookiesOf(answer), [header]: csrfToken };
      expect((await send({ headers })).status).toBe(200);
      for (const foreign of [
        { 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'same-site' },
        { Origin: 'https://attacker.example' },
        { Origin: 'null' },
      ]) {
        expect((await get(foreign as Record<string, string>)).status).toBe(403);
      }
      expect(refusals.every((error) => hasCode(error, 'E_CSRF_CROSS_SITE'))).toBe(true);
    });
  });

  test('login CSRF: the token of a page from before sign-in is worth nothing in the session, and nothing after it', async () => {
    await shop(express, {}, async ({ send, refusals }) => {
      const before = await formToken(send);
      const headers = { Cookie: before.cookie, 'X-CSRF-Token': before.token };
      const answer = await send({ path: '/sign-in', headers });
      expect(answer.status).toBe(200);
      const rotated = cookiesOf(answer);
      expect(rotated).toMatch(/^__Host-csrf=/);
      expect(rotated).not.toBe(before.cookie);
      // In the session, with the new cookie and with the old one.
      for (const Cookie of [rotated, before.cookie]) {
        expect((await send({ headers: { ...headers, Cookie, ...signedIn } })).status).toBe(403);
      }
      // After sign-out, in the same browser.
      expect((await send({ headers: { ...headers, Cookie: rotated } })).status).toBe(403);
      expect(refusals.map(reasonOf)).toEqual(['token-mismatch', 'token-mismatch', 'token-mismatch']);
      expect((await formToken(send, { Cookie: rotated })).answer.headers['set-cookie']).toBeUndefined();
    });
  });

  test("login CSRF: the attacker's own token does not sign the victim's browser in (csrf-csrf without a session)", async () => {
    await shop(express, {}, async ({ send, refusals }) => {
      const attacker = await formToken(send);
      const victim = await formToken(send);
      for (const cookie of [victim.cookie, undefined]) {
        const headers = { ...FORM, Cookie: cookie };
        expect((await send({ path: '/sign-in', headers, body: `_csrf=${attacker.token}` })).status).toBe(403);
      }
      expect(refusals.map(reasonOf)).toEqual(['token-mismatch', 'token-unbound']);
    });
  });

  test('who signs in without getting a session id still gets another binding', async () => {
    await shop(express, {}, async ({ send }) => {
      const before = await formToken(send);
      const headers = { Cookie: before.cookie, 'X-CSRF-Token': before.token };
      expect((await send({ headers })).status).toBe(200);
      expect((await send({ headers: { ...headers, 'x-user': 'ann' } })).status).toBe(403);
      const after = await formToken(send, { Cookie: before.cookie, 'x-user': 'ann' });
      const own = { Cookie: before.cookie, 'X-CSRF-Token': after.token };
      expect((await send({ headers: { ...own, 'x-user': 'ann' } })).status).toBe(200);
      expect((await send({ headers: { ...own, 'x-user': 'eve' } })).status).toBe(403);
    });
  });

  test('a tossed second cookie is a refusal, whichever comes first (fastify-csrf CVE-2021-29624)', async () => {
    await shop(express, { cookie: 'development' }, async ({ send, refusals }) => {
      const attacker = await formToken(send);
      const victim = await formToken(send);
      for (const Cookie of [
        `${attacker.cookie}; ${victim.cookie}`,
        `${victim.cookie}; ${attacker.cookie}`,
        `${victim.cookie};${attacker.cookie}`,
      ]) {
        for (const token of [attacker.token, victim.token]) {
          expect((await send({ headers: { Cookie, 'X-CSRF-Token': token } })).status).toBe(403);
        }
      }
      expect(new Set(refusals.map(reasonOf))).toEqual(new Set(['cookie-ambiguous']));
      // The next page gives the browser one of its own again.
      const page = await formToken(send, { Cookie: `${attacker.cookie}; ${victim.cookie}` });
      expect(page.answer.headers['set-cookie']).toHaveLength(1);
    });
  });

  test('the header check is always on: a good token does not excuse another site', async () => {
    await shop(express, { trustedOrigins: ['https://app.example'] }, async ({ send, refusals, self }) => {
      const { token } = await formToken(send, signedIn);
      const post = (headers: Record<string, string>) =>
        send({ headers: { ...signedIn, 'X-CSRF-Token': token, ...headers } });
      expect((await post({ 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200);
      expect((await post({ Origin: self })).status).toBe(200);
      expect((await post({ Origin: 'https://app.example', 'Sec-Fetch-Site': 'cross-site' })).status).toBe(
        200,
      );
      expect((await post({ 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
      expect((await post({ 'Sec-Fetch-Site': 'same-site' })).status).toBe(403);
      expect((await post({ Origin: 'https://attacker.example' })).status).toBe(403);
      expect(refusals.every((error) => hasCode(error, 'E_CSRF_CROSS_SITE'))).toBe(true);
    });
  });

  test('the browser being ours does not excuse a missing token, unless only the unproven have to bring one', async () => {
    const own = { ...signedIn, 'Sec-Fetch-Site': 'same-origin' };
    await shop(express, {}, async ({ send }) => expect((await send({ headers: own })).status).toBe(403));
    await shop(express, { require: 'unproven' }, async ({ send, self }) => {
      expect((await send({ headers: own })).status).toBe(200);
      expect((await send({ headers: { ...signedIn, 'Sec-Fetch-Site': 'none' } })).status).toBe(200);
      expect((await send({ headers: signedIn })).status).toBe(403);
      expect((await send({ headers: { ...signedIn, Origin: self } })).status).toBe(403);
      const { token } = await formToken(send, signedIn);
      expect((await send({ headers: { ...signedIn, 'X-CSRF-Token': token } })).status).toBe(200);
    });
  });

  test('clients with a bearer token have nothing to plumb; those that browsers sign in by themselves have', async () => {
    await shop(express, {}, async ({ send }) => {
      const post = async (Authorization: string) => (await send({ headers: { Authorization } })).status;
      expect(await post('Bearer abc')).toBe(200);
      expect(await post('DPoP abc')).toBe(200);
      for (const ambient of [
        'Basic YTpi',
        'Bearer',
        'Bearer ',
        'Digest x',
        'Negotiate x',
        'Basic Bearer x',
        '',
      ]) {
        expect([ambient, await post(ambient)]).toEqual([ambient, 403]);
      }
    });
  });

  test('safe methods and exempt paths bring no token; an override is no safe method', async () => {
    await shop(express, { exempt: ['POST /hooks/stripe'] }, async ({ send }) => {
      const status = async (sent: Sent) => (await send(sent)).status;
      expect(await status({ path: '/hooks/stripe' })).toBe(200);
      expect(await status({ path: '/hooks/stripe', method: 'PUT' })).toBe(403);
      expect(await status({ path: '/hooks/Stripe' })).toBe(403);
      expect(await status({ method: 'GET' })).toBe(200);
      expect(await status({ method: 'HEAD' })).toBe(200);
      expect(await status({ method: 'OPTIONS', path: '/x' })).toBe(200);
      expect(await status({ method: 'GET', path: '/?_method=DELETE' })).toBe(403);
      expect(await status({ method: 'GET', headers: { 'X-HTTP-Method-Override': 'DELETE' } })).toBe(403);
    });
  });

  test.each([
    undefined,
    'text/plain',
    'text/plain; application/json',
    'application/x-www-form-urlencoded',
    'APPLICATION/X-WWW-FORM-URLENCODED',
    'application/x-www-form-urlencoded\t;x',
    'multipart/form-data; boundary=x',
    'application/json',
    ['text/plain', 'application/json'],
    '',
  ])('no Content-Type (%j) is let through without a token', async (type) => {
    await shop(express, {}, async ({ send }) => {
      const headers = { ...signedIn, 'Content-Type': type };
      expect((await send({ headers, body: '{}' })).status).toBe(403);
    });
  });

  test('rotating keys: the first signs, all verify, a removed one is worth nothing', async () => {
    const [old, next] = [key(), new Secret(key())];
    let token = '';
    await shop(express, { keys: [old] }, async ({ send }) => {
      ({ token } = await formToken(send, signedIn));
    });
    const post = (send: Shop['send'], text: string) =>
      send({ headers: { ...signedIn, 'X-CSRF-Token': text } });
    await shop(express, { keys: [next, old] }, async ({ send }) => {
      expect((await post(send, token)).status).toBe(200);
      const fresh = await formToken(send, signedIn);
      expect((await post(send, fresh.token)).status).toBe(200);
      await shop(express, { keys: next }, async (later) => {
        expect((await post(later.send, token)).status).toBe(403);
        expect((await post(later.send, fresh.token)).status).toBe(200);
      });
    });
  });

  test('a token ends with its lifetime; one from the future is refused', async () => {
    const clock = manualClock();
    await shop(express, { clock, lifetime: '1h' }, async ({ send, refusals }) => {
      const { token } = await formToken(send, signedIn);
      const post = async () => (await send({ headers: { ...signedIn, 'X-CSRF-Token': token } })).status;
      clock.advance('1h');
      expect(await post()).toBe(200);
      clock.advance(1);
      expect(await post()).toBe(403);
      const ahead = manualClock();
      ahead.advance('3h');
      const future = csrf.token({ keys: KEY, clock: ahead }).issue(annRequest, silentAnswer);
      expect((await send({ headers: { ...signedIn, 'X-CSRF-Token': future } })).status).toBe(403);
      expect(refusals.map(reasonOf)).toEqual(['token-expired', 'token-expired']);
    });
  });

  test('a refusal is told with its reason, and the token stays out of events, details and errors', async () => {
    const events = createEvents();
    const heard: unknown[] = [];
    events.on('csrf.refused', (event) => heard.push(event));
    await shop(express, { events }, async ({ send, refusals }) => {
      const { token } = await formToken(send, signedIn);
      await send({ method: 'DELETE', headers: { 'x-user': 'eve/s9', 'X-CSRF-Token': token } });
      expect(heard).toMatchObject([{ type: 'csrf.refused', reason: 'token-mismatch', method: 'DELETE' }]);
      const [error] = refusals as [Error & { details: unknown; status: number }];
      expect(error.status).toBe(403);
      expect(JSON.stringify([heard, error, error.message, error.details])).not.toContain(token);
      expect(JSON.stringify([heard, error, error.message, error.details])).not.toContain(KEY);
    });
  });

  test('development cookies stay on the loopback', async () => {
    await shop(express, { cookie: 'development' }, async ({ send, refusals }) => {
      const local = await formToken(send);
      expect(local.answer.headers['set-cookie']).toEqual([
        expect.stringMatching(/^dev-csrf=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
      ]);
      for (const Host of ['localhost:3000', 'localhost', '[::1]:80', 'app.localhost']) {
        expect([Host, (await send({ method: 'GET', path: '/form', headers: { Host } })).status]).toEqual([
          Host,
          200,
        ]);
      }
      for (const Host of ['library.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil:1']) {
        expect([Host, (await send({ method: 'GET', path: '/form', headers: { Host } })).status]).toEqual([
          Host,
          500,
        ]);
      }
      expect(refusals.every((error) => hasCode(error, 'E_CSRF_DEVELOPMENT_COOKIE'))).toBe(true);
    });
  });

  test('a token asked for after the answer has begun is an error, not a token nobody can use', async () => {
    const app = express();
    const caught: unknown[] = [];
    app.use(context({ trustProxy: false }), csrf.token({ keys: KEY }));
    app.get('/', (_req, res) => {
      (res as unknown as SecurityResponse).flushHeaders();
      try {
        void localsOf(res)['csrfToken'];
      } catch (error) {
        caught.push(error);
      }
      (res as unknown as SecurityResponse).end();
    });
    await onWire(app, async (send) => void (await send({ method: 'GET' })));
    expect(hasCode(caught[0], 'E_CSRF_TOKEN_LATE')).toBe(true);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('store is down');
      },
    ],
    [
      'throws undefined',
      () => {
        throw undefined;
      },
    ],
    ['answers a number', () => 1],
    ['answers the empty string', () => ''],
    ['answers null', () => null],
    ['answers a promise', () => Promise.resolve('s1')],
  ])('when session() %s the request is refused', async (_name, session) => {
    await shop(express, { session: session as never }, async ({ send }) => {
      const good = csrf.token({ keys: KEY }).issue(annRequest, silentAnswer);
      expect((await send({ headers: { ...signedIn, 'X-CSRF-Token': good } })).status).toBe(500);
    });
  });
});

describe('a wrong configuration of csrf.token() does not start', () => {
  test.each<[unknown, RegExp]>([
    [undefined, /"keys" is required/],
    [{}, /"keys" is required/],
    [{ keys: 'short' }, /at least 32 bytes/],
    [{ keys: [] }, /between 1 and 8/],
    [{ keys: [KEY, KEY] }, /same key twice/],
    [{ keys: 'a'.repeat(40) }, /must be random/],
    [{ keys: 'abcabcabcabcabcabcabcabcabcabcabcabcabc' }, /must be random/],
    [{ keys: [KEY, 5] }, /keys\[1\] must be a string or Secret/],
    [{ keys: Array.from({ length: 9 }, key) }, /between 1 and 8/],
    [{ key: KEY }, /Did you mean "keys"/],
    [{ keys: KEY, lifetime: '10s' }, /between/],
    [{ keys: KEY, lifetime: '90d' }, /between/],
    [{ keys: KEY, header: 'x csrf' }, /must match/],
    [{ keys: KEY, field: 'a[b]' }, /must match/],
    [{ keys: KEY, require: 'never' }, /must be one of/],
    [{ keys: KEY, cookie: 'none' }, /must be one of/],
    [{ keys: KEY, cookie: 'development', production: true }, /refused in production/],
    [{ keys: KEY, trustedOrigins: ['*'] }, /must be an origin/],
    [{ keys: KEY, exempt: ['/*'] }, /would exempt every path/],
    [{ keys: KEY, session: 'sid' }, /must be a function/],
  ])('%j', (options, message) => {
    expect(() => csrf.token(options as never)).toThrow(message);
    expect(() => csrf.token(options as never)).toThrow(expect.objectContaining({ name: 'OptionError' }));
    // What is wrong may be a secret: the message must not repeat it.
    try {
      csrf.token(options as never);
    } catch (error) {
      expect(String(error)).not.toContain(KEY);
    }
  });

  test('NODE_ENV=production refuses the development cookie without being told', () => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(() => csrf.token({ keys: KEY, cookie: 'development' })).toThrow(/refused in production/);
      expect(() => csrf.token({ keys: KEY })).not.toThrow();
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });
});
