// Edges that browsers, proxies and several machines bring: methods, schemes, cookies that outlive their token, half characters.
import { describe, expect, test } from '@jest/globals';
import { context, createMemoryStore, isSecurityError } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { createAuth, generateKeys, type AuthOptions } from '../src/index.js';
import { asUser, memoryUsers, testHasher } from '../src/testing.js';

const keys = generateKeys();
const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };
const from = { address: undefined };

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const clock = manualClock({ now: Math.floor(Date.now() / 1000) * 1000 });
    const auth = createAuth({
      issuer: 'https://library.example',
      audience: 'https://library.example',
      keys,
      users: memoryUsers(),
      store: createMemoryStore({ clock }),
      passwords: { hash: testHasher(), accept: [] },
      clock,
      ...options,
    });
    const app = express();
    app.use(context({ trustProxy: 1 }), express.json(), auth.authenticate());
    app.use('/auth', auth.router());
    app.get('/open', (req: Request, res: Response) => void res.json(req.security.principal));
    app.post('/open', (req: Request, res: Response) => void res.json(req.security.principal));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      if (!isSecurityError(error)) throw error;
      res
        .status(error.status)
        .set(error.headers)
        .json({ code: error.code, ...error.problem });
    });
    return { app, auth, clock };
  }
  const cookieOf = ({ pair }: Awaited<ReturnType<typeof asUser>>) =>
    `__Host-access=${pair.accessToken}; __Host-refresh=${pair.refreshToken}`;
  const setBy = (response: { headers: Record<string, unknown> }) =>
    ((response.headers['set-cookie'] ?? []) as string[]).map((line) => line.split(';')[0]!);

  test('RFC 9110 9.3.2: HEAD is answered as GET, without content; Allow names both', async () => {
    const { app, auth } = makeApp();
    const { headers } = await asUser(auth, 'ada');
    for (const path of ['/auth/jwks.json', '/auth/openapi.json', '/auth/sessions']) {
      const [get, head] = [
        await request(app).get(path).set(headers),
        await request(app).head(path).set(headers),
      ];
      expect([path, head.status, head.text]).toEqual([path, 200, undefined]);
      expect(head.headers['content-type']).toBe(get.headers['content-type']);
      expect(head.headers['cache-control']).toBe(get.headers['cache-control']);
    }
    expect((await request(app).head('/auth/sessions')).status).toBe(401);
    expect((await request(app).head('/auth/sign-in')).status).toBe(405);
    expect((await request(app).put('/auth/sessions')).headers['allow']).toBe('GET, HEAD, DELETE');
  });

  describe('with cookies', () => {
    const withCookies = (cookies: object = {}) => makeApp({ transport: { cookies } });

    test('without renewal an expired access cookie leaves the way to POST /refresh open, and the refresh cookie alone', async () => {
      const { app, auth, clock } = withCookies({ renew: false, lifetime: 'session' });
      const cookie = cookieOf(await asUser(auth, (await auth.register(ada, from)).userId));
      clock.advance('11m');
      const open = await request(app).get('/open').set({ cookie });
      expect([open.status, open.body, setBy(open)]).toEqual([200, { kind: 'anonymous' }, []]);
      const refreshed = await request(app).post('/auth/refresh').set({ cookie });
      expect(refreshed.status).toBe(200);
      const again = await request(app)
        .get('/open')
        .set({ cookie: setBy(refreshed).join('; ') });
      expect(again.body).toMatchObject({ kind: 'user' });
    });

    test('without renewal an access cookie that was tampered with is still refused, and both are cleared', async () => {
      const { app, auth } = withCookies({ renew: false });
      const signedIn = await asUser(auth, (await auth.register(ada, from)).userId);
      const cookie = cookieOf(signedIn).replace('; ', 'x; ');
      const refused = await request(app).get('/open').set({ cookie });
      expect(refused).toMatchObject({ status: 401, body: { code: 'E_TOKEN_INVALID' } });
      expect(setBy(refused)).toEqual(['__Host-access=', '__Host-refresh=']);
    });

    test('over TLS the same host over plain HTTP is another site: whoever is on the way can be it', async () => {
      const { app, auth } = withCookies();
      const cookie = cookieOf(await asUser(auth, (await auth.register(ada, from)).userId));
      const post = (proto: string, origin: string) =>
        request(app)
          .post('/open')
          .set({ cookie, host: 'library.example', origin, 'x-forwarded-proto': proto });
      expect((await post('https', 'https://library.example')).status).toBe(200);
      expect(await post('https', 'http://library.example')).toMatchObject({
        status: 403,
        body: { code: 'E_CROSS_SITE' },
      });
      // Where no proxy says that it was TLS, the scheme of the page cannot be compared with anything.
      expect((await post('http', 'http://library.example')).status).toBe(200);
      expect((await post('http', 'http://other.example')).status).toBe(403);
    });
  });

  test('half a character is a 400 wherever text is asked for: as bytes all halves are the same', async () => {
    const { app } = makeApp();
    const bodies: readonly [string, object][] = [
      ['/auth/register', { login: 'eve@library.example', password: `${ada.password}\ud800` }],
      ['/auth/sign-in', { ...ada, password: `${ada.password}\udfff` }],
    ];
    for (const [path, body] of bodies) {
      const refused = await request(app).post(path).send(body);
      expect(refused).toMatchObject({
        status: 400,
        body: { code: 'E_VALIDATION', errors: [{ pointer: '/password', keyword: 'unicode' }] },
      });
    }
    const whole = { ...ada, password: `${ada.password} \u{1F4DA}` };
    expect((await request(app).post('/auth/register').send(whole)).status).toBe(201);
  });
});
