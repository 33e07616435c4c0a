import { describe, expect, test } from '@jest/globals';
import { context, isSecurityError, stageOf, type Principal } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  argon2id,
  bcrypt,
  emailLogin,
  type AccountAction,
  type AuthOptions,
  type AuthRouterOptions,
  type UserPort,
} from '../src/index.js';
import { asUser, memoryUsers, testHasher } from '../src/testing.js';
import { ada, authKit, password } from './support/auth-kit.js';

const from = { address: undefined };

describe('signing in', () => {
  test('register, sign in, refresh, sign out; each leaves its event', async () => {
    const { auth, events } = authKit();
    const { userId } = await auth.register({ ...ada, login: ' Ada@LIBRARY.example ', name: 'Ada' }, from);
    const pair = await auth.signIn(ada, { ...from, userAgent: 'test' });
    expect(pair.userId).toBe(userId);
    const next = await auth.refresh(pair.refreshToken);
    const principal = await auth.sessions.check(auth.tokens.verify(next.accessToken));
    expect(principal).toMatchObject({
      id: userId,
      kind: 'user',
      aal: 1,
      sessionId: pair.sessionId,
      methods: [{ method: 'pwd' }],
    });
    expect(Object.isFrozen(principal)).toBe(true);
    await auth.signOut(principal);
    await auth.signOut(principal);
    await expect(auth.refresh(next.refreshToken)).rejects.toMatchObject({ code: 'E_SESSION_ENDED' });
    expect(events.all.map((event) => event.type)).toEqual([
      'auth.registered',
      'auth.signed-in',
      'auth.refreshed',
      'auth.signed-out',
    ]);
    expect(JSON.stringify(events.all)).not.toMatch(/kestrel|ada@/);
  });

  test('ASVS V11.4.2: with the real argon2id, and an old bcrypt hash that is replaced at the next sign-in', async () => {
    const { auth, users, events } = authKit({
      passwords: { hash: argon2id({ memoryKib: 7_168, passes: 1 }) },
    });
    await auth.register(ada, from);
    await auth.signIn(ada, from);
    const old = await bcrypt({ cost: 10 }).hash({ raw: password, normal: password });
    users.put({ id: 'bob', login: 'bob@library.example', active: true, passwordHash: old });
    await auth.signIn({ login: 'bob@library.example', password }, from);
    expect((await users.findById('bob'))?.passwordHash).toMatch(/^\$argon2id\$/);
    expect(events.of('auth.password-upgraded')).toMatchObject([{ userId: 'bob' }]);
    await auth.signIn({ login: 'bob@library.example', password }, from);
  });

  test('ASVS V6.3.8: unknown, wrong, inactive, without password, malformed and used-up accounts get one answer for one hash of work', async () => {
    const hasher = testHasher();
    let hashes = 0;
    const counting: typeof hasher = {
      ...hasher,
      hash: (text) => (hashes++, hasher.hash(text)),
      verify: (text, stored) => (hashes++, hasher.verify(text, stored)),
    };
    const { auth, users, events } = authKit({
      passwords: { hash: counting, accept: [] },
      guesses: { perAccount: 1 },
    });
    const stored = await hasher.hash({ raw: password, normal: password });
    for (const [id, more] of Object.entries({
      wrong: { active: true, passwordHash: stored },
      inactive: { active: false, passwordHash: stored },
      keyless: { active: true, passwordHash: null },
      limited: { active: true, passwordHash: stored },
      foreign: { active: true, passwordHash: '$unknown$x' },
    })) {
      users.put({ id, login: `${id}@library.example`, ...more });
    }
    await auth.guesses.take({ account: await accountOf('limited'), address: undefined });
    await auth.guesses.take({ account: await accountOf('limited'), address: undefined });

    const answers: unknown[] = [];
    const attempts = {
      wrong: 'not the password',
      inactive: password,
      keyless: password,
      limited: password,
      foreign: password,
      nobody: password,
    };
    for (const [id, typed] of [...Object.entries(attempts), ['not an address', password]] as const) {
      hashes = 0;
      const login = id.includes(' ') ? id : `${id}@library.example`;
      const error: unknown = await auth
        .signIn({ login, password: typed }, from)
        .catch((thrown: unknown) => thrown);
      if (!isSecurityError(error)) throw new Error(`no refusal for ${id}`);
      const { code, status, title, message, headers, problem } = error;
      answers.push({ code, status, title, message, headers, problem, hashes });
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ code: 'E_SIGN_IN_FAILED', status: 401, hashes: 1 });
    const reasons = events.of('auth.failed').map((event) => event.reason);
    expect(reasons).toEqual([
      'wrong-password',
      'inactive',
      'wrong-password',
      'limited',
      'wrong-password',
      'unknown-account',
      'unknown-account',
    ]);

    async function accountOf(id: string): Promise<string> {
      await auth.signIn({ login: `${id}@library.example`, password: 'x' }, from).catch(() => undefined);
      const [event] = events.of('auth.failed').toReversed();
      events.clear();
      return event!.account;
    }
  });

  test('a sign-in under way when the password changes does not begin a session', async () => {
    const hasher = testHasher();
    let release: () => void = () => undefined;
    let hold = false;
    const slow = {
      ...hasher,
      verify: async (...args: Parameters<typeof hasher.verify>) => {
        const result = await hasher.verify(...args);
        if (hold) await new Promise<void>((resolve) => (release = resolve));
        return result;
      },
    };
    const { auth, events } = authKit({ passwords: { hash: slow, accept: [] } });
    const { userId } = await auth.register(ada, from);
    hold = true;
    const late = auth.signIn(ada, from);
    await new Promise((resolve) => setImmediate(resolve));
    hold = false;
    const change = { currentPassword: password, newPassword: 'plover sings at nine' };
    await auth.changePassword({ id: userId }, change, from);
    release();
    await expect(late).rejects.toMatchObject({ code: 'E_SIGN_IN_FAILED' });
    expect(events.of('auth.failed')).toMatchObject([{ reason: 'revoked-meanwhile' }]);
    expect(await auth.sessions.list(userId)).toEqual([]);
    await auth.signIn({ ...ada, password: change.newPassword }, from);
  });

  test('ASVS V6.2.2 V6.2.3 V7.4.3: a changed password ends the other sessions; the wrong current one changes nothing', async () => {
    const { auth } = authKit();
    await auth.register(ada, from);
    const [mine, other] = [await auth.signIn(ada, from), await auth.signIn(ada, from)];
    const who = { id: mine.userId, sessionId: mine.sessionId };
    const change = (currentPassword: string, newPassword: string) =>
      auth.changePassword(who, { currentPassword, newPassword }, from);
    await expect(change('wrong', 'plover sings at nine')).rejects.toMatchObject({
      code: 'E_PASSWORD_WRONG',
      status: 400,
    });
    await expect(change(password, 'short')).rejects.toMatchObject({
      code: 'E_PASSWORD_POLICY',
      problem: { errors: [{ pointer: '/newPassword' }] },
    });
    expect(await auth.sessions.list(mine.userId)).toHaveLength(2);
    await change(password, 'plover sings at nine');
    await auth.refresh(mine.refreshToken);
    await expect(auth.refresh(other.refreshToken)).rejects.toMatchObject({ status: 401 });
    await expect(auth.signIn(ada, from)).rejects.toMatchObject({ code: 'E_SIGN_IN_FAILED' });
  });

  test('a session begun with the old password just before it is replaced ends with the others', async () => {
    const users = memoryUsers();
    let between: () => Promise<unknown> = async () => undefined;
    const hooked: UserPort = {
      ...users,
      saveCredential: async (...args) => (await between(), users.saveCredential(...args)),
    };
    const { auth } = authKit({ users: hooked });
    const { userId } = await auth.register(ada, from);
    between = () => auth.signIn(ada, from);
    await auth.changePassword(
      { id: userId },
      { currentPassword: password, newPassword: 'plover sings at nine' },
      from,
    );
    expect(await auth.sessions.list(userId)).toEqual([]);
  });

  test('CVE-2019-19844, CVE-2022-35924: twins, lists and homoglyphs of an address are one account or none', async () => {
    for (const twin of ['ADA@LIBRARY.EXAMPLE', ' ada@library.example\n', 'Ada@Library.Example'])
      expect(emailLogin(twin)).toBe(ada.login);
    for (const bad of [
      'ada',
      '@library.example',
      'ada@',
      'ada@localhost',
      'ada@library.example,eve@x.example',
      'ada@library.example eve@x.example',
      '"ada"@library.example',
      'ada(comment)@library.example',
      'ada\uFF20library.example',
      'ada@library.example\0',
      'a..b@library.example',
      '.ada@library.example',
      '\u212Aelvin@library.example',
      'ad\u0131@library.example',
      'ada@libr ary.example',
      'ada@[127.0.0.1]',
      'ada@127.0.0.1',
      `${'a'.repeat(65)}@library.example`,
      `ada@${'a.'.repeat(130)}example`,
      'ada@library.example\r\nbcc: eve@x.example',
      '\u0430da@library.example',
    ]) {
      expect([bad, emailLogin(bad)]).toEqual([bad, undefined]);
    }
    expect(emailLogin('ada@b\u00FCcher.example')).toBe('ada@xn--bcher-kva.example');
    const { auth } = authKit();
    await auth.register(ada, from);
    await expect(auth.register({ ...ada, login: 'ADA@library.example' }, from)).rejects.toMatchObject({
      code: 'E_ACCOUNT_EXISTS',
      status: 409,
    });
    await expect(auth.register({ ...ada, login: 'ada' }, from)).rejects.toMatchObject({
      code: 'E_VALIDATION',
      // Member by member what validate() says of such a body.
      problem: {
        errors: [{ in: 'body', pointer: '/login', keyword: 'format', message: 'must be a valid email' }],
      },
    });
    await expect(auth.register({ login: 7, password: '' } as never, from)).rejects.toMatchObject({
      problem: {
        errors: [
          { in: 'body', pointer: '/login', keyword: 'type', message: 'must be string' },
          { in: 'body', pointer: '/password', keyword: 'minLength' },
        ],
      },
    });
  });

  test('CVE-2025-61928: input that is not what it should be is a 400 that names it, and no other member counts', async () => {
    const { auth, users } = authKit();
    for (const input of [
      undefined,
      null,
      [],
      'x',
      {},
      { login: ['a'], password: {} },
      { login: '', password: 'x'.repeat(9_000) },
    ]) {
      for (const flow of [auth.register, auth.signIn]) {
        await expect(flow(input as never, from)).rejects.toMatchObject({
          code: 'E_VALIDATION',
          status: 400,
        });
      }
    }
    const { userId } = await auth.register(
      { ...ada, id: 'root', userId: 'root', active: false, roles: ['staff'] } as never,
      from,
    );
    expect(Object.keys((await users.findById(userId))!).sort()).toEqual([
      'active',
      'id',
      'login',
      'passwordHash',
    ]);
    expect(userId).not.toBe('root');
  });
});

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}, routerOptions: AuthRouterOptions = {}) {
    const kit = authKit(options);
    const app = express();
    app.use(
      context({ trustProxy: false }),
      express.json(),
      express.urlencoded({ extended: true }),
      kit.auth.authenticate(),
    );
    app.use('/auth', kit.auth.router(routerOptions));
    app.get('/open', (req: Request, res: Response) => void res.json(req.security.principal));
    app.post('/open', (_req: Request, res: Response) => void res.json({ done: true }));
    app.get(
      '/me',
      kit.auth.required(),
      (req: Request, res: Response) => void res.json({ id: (req.security.principal as Principal).id }),
    );
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { status, headers, problem, code, message } = isSecurityError(error)
        ? error
        : { status: 500, headers: {}, problem: {}, code: 'UNEXPECTED', message: String(error) };
      res
        .status(status)
        .set(headers)
        .json({ code, message, ...problem });
    });
    return { ...kit, app };
  }
  const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` });

  describe('record', () => {
    test('is awaited for everything that the router does and for refused sign-ins, before the answer', async () => {
      const seen: AccountAction[] = [];
      const { app } = makeApp({}, { record: async (action) => void seen.push(action) });
      const api = request(app);
      const { userId } = (await api.post('/auth/register').send(ada)).body as { userId: string };
      expect((await api.post('/auth/register').send(ada)).status).toBe(409);
      expect((await api.post('/auth/sign-in').send({ ...ada, password: 'not that one' })).status).toBe(401);
      const signedIn = await api.post('/auth/sign-in').send(ada);
      const mine = bearer((signedIn.body as Record<string, string>)['access_token']);
      await api.delete('/auth/sessions').set(mine);
      const change = { currentPassword: ada.password, newPassword: `${ada.password} renewed` };
      expect((await api.post('/auth/password').set(mine).send(change)).status).toBe(204);
      await api.post('/auth/sign-out').set(mine);
      await api.post('/auth/sign-out');
      expect(seen).toEqual([
        { type: 'registered', userId },
        { type: 'sign-in-refused', userId: undefined },
        { type: 'signed-in', userId },
        { type: 'sessions-ended', userId },
        { type: 'password-changed', userId },
        { type: 'signed-out', userId },
      ]);
    });

    test('that rejects is the answer: no token is handed out that the log does not know', async () => {
      const { app } = makeApp({}, { record: () => Promise.reject(new Error('the log is down')) });
      await request(app).post('/auth/register').send(ada);
      const answer = await request(app).post('/auth/sign-in').send(ada);
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain('token');
      expect(answer.headers['set-cookie']).toBeUndefined();
    });
  });

  describe('bearer', () => {
    test('ASVS V7.4.1 V10.4.9: register, sign in, use, refresh, list, revoke, sign out', async () => {
      const { app } = makeApp();
      const api = request(app);
      expect((await api.post('/auth/register').send(ada)).status).toBe(201);
      const signedIn = await api.post('/auth/sign-in').send(ada);
      expect(signedIn).toMatchObject({
        status: 200,
        body: { token_type: 'Bearer', expires_in: 600, refresh_expires_in: 86_400 },
      });
      expect(signedIn.headers).toMatchObject({ 'cache-control': 'no-store' });
      expect(signedIn.headers['set-cookie']).toBeUndefined();
      const tokens = signedIn.body as Record<string, string>;
      const me = await api.get('/me').set(bearer(tokens['access_token']));
      expect(me.status).toBe(200);

      const refreshed = await api.post('/auth/refresh').send({ refresh_token: tokens['refresh_token'] });
      expect(refreshed.status).toBe(200);
      const mine = bearer((refreshed.body as Record<string, string>)['access_token']);
      const other = await api.post('/auth/sign-in').send(ada);
      const listed = await api.get('/auth/sessions').set(mine);
      const { sessions } = listed.body as { sessions: { id: string; current: boolean; address: string }[] };
      expect(sessions.filter((session) => session.current)).toHaveLength(1);
      expect(sessions[0]!.address).toBe('127.0.0.1');

      const id = sessions.find((session) => !session.current)!.id;
      expect((await api.delete(`/auth/sessions/${id}`).set(mine)).status).toBe(204);
      expect((await api.delete(`/auth/sessions/${id}`).set(mine)).status).toBe(404);
      expect(
        (await api.get('/me').set(bearer((other.body as Record<string, string>)['access_token']))).status,
      ).toBe(401);
      expect((await api.post('/auth/sign-out').set(mine)).status).toBe(204);
      expect(await api.get('/me').set(mine)).toMatchObject({
        status: 401,
        body: { code: 'E_SESSION_ENDED' },
      });
    });

    test('nobody is nobody: anonymous where it is open, a challenge where it is not', async () => {
      const { app } = makeApp();
      expect((await request(app).get('/open')).body).toEqual({ kind: 'anonymous' });
      const refused = await request(app).get('/me');
      expect(refused).toMatchObject({ status: 401, body: { code: 'E_AUTHENTICATION_REQUIRED' } });
      expect(refused.headers['www-authenticate']).toBe('Bearer');
    });

    test('CVE-2026-47673, CVE-2026-73418: a bad credential is a 401 even where none is needed', async () => {
      const { app, auth, clock } = makeApp();
      const { pair } = await asUser(auth, 'u1');
      const headers = [
        `Basic ${pair.accessToken}`,
        `Token ${pair.accessToken}`,
        pair.accessToken,
        `Bearer`,
        `Bearer `,
        `Bearer ${pair.accessToken} x`,
        `Bearer ${pair.accessToken},Bearer x`,
        `Bearer ${pair.refreshToken}`,
        `Bearer %00%ff`,
        `Bearer ${'a'.repeat(12_000)}`,
        'undefined',
        'null',
        '{}',
      ];
      for (const authorization of headers) {
        const refused = await request(app).get('/open').set({ authorization });
        expect([authorization.slice(0, 20), refused.status, (refused.body as { code: string }).code]).toEqual(
          [authorization.slice(0, 20), 401, 'E_TOKEN_INVALID'],
        );
        expect(refused.headers['www-authenticate']).toMatch(/^Bearer error="invalid_/);
      }
      expect(
        (
          await request(app)
            .get('/open')
            .set({ authorization: `bearer   ${pair.accessToken}` })
        ).status,
      ).toBe(200);
      clock.advance('10m');
      expect(await request(app).get('/open').set(bearer(pair.accessToken))).toMatchObject({
        status: 401,
        body: { code: 'E_TOKEN_EXPIRED' },
      });
    });

    test('another user, or nobody, can neither see nor end my sessions', async () => {
      const { app, auth } = makeApp();
      const [mine, theirs] = [await asUser(auth, 'ada'), await asUser(auth, 'eve')];
      for (const headers of [theirs.headers, {}]) {
        const expected = headers === theirs.headers ? 404 : 401;
        expect((await request(app).delete(`/auth/sessions/${mine.pair.sessionId}`).set(headers)).status).toBe(
          expected,
        );
        expect((await request(app).post('/auth/password').set(headers).send({ userId: 'ada' })).status).toBe(
          expected === 404 ? 400 : 401,
        );
      }
      for (const id of ['x', '%00', "'", '..', '%2e%2e']) {
        expect((await request(app).delete(`/auth/sessions/${id}`).set(theirs.headers)).status).toBe(404);
      }
      const seen = await request(app).get('/auth/sessions').set(theirs.headers);
      expect((seen.body as { sessions: unknown[] }).sessions).toHaveLength(1);
      expect(await request(app).delete('/auth/sessions').set(mine.headers)).toMatchObject({
        status: 200,
        body: { ended: 0 },
      });
      expect((await request(app).get('/me').set(mine.headers)).status).toBe(200);
    });

    test('GHSA-x732-6j76-qmhm: other spellings of a path lead nowhere; a wrong method is told so', async () => {
      const { app } = makeApp();
      for (const path of [
        '/auth//sign-in',
        '/auth/Sign-In',
        '/auth/sign-in/',
        '/auth/%73ign-in',
        '/auth/./sign-in/x',
        '/auth/constructor',
        '/auth/__proto__',
      ]) {
        expect([path, (await request(app).post(path).send(ada)).status]).toEqual([path, 404]);
      }
      const wrong = await request(app).get('/auth/sign-in?x=1');
      expect(wrong).toMatchObject({ status: 405, body: { code: 'E_METHOD_NOT_ALLOWED' } });
      expect(wrong.headers['allow']).toBe('POST');
    });

    test('registration is off where there is no way to create, or where it was switched off', async () => {
      const { create: _none, ...readOnly } = memoryUsers();
      for (const options of [{ users: readOnly }, { registration: false }] as const) {
        expect((await request(makeApp(options).app).post('/auth/register').send(ada)).status).toBe(404);
      }
      expect(() => authKit({ users: readOnly, registration: 'open' })).toThrow(/users.create/);
      expect(() => authKit({ registration: 'by-mail' })).toThrow(/notify/);
    });

    test('a network that guesses over many accounts is told to wait; others are not', async () => {
      const { app, clock } = makeApp({ guesses: { perNetwork: 3 } });
      for (let i = 0; i < 3; i++) {
        expect(
          (
            await request(app)
              .post('/auth/sign-in')
              .send({ ...ada, login: `u${i}@library.example` })
          ).status,
        ).toBe(401);
      }
      const limited = await request(app)
        .post('/auth/sign-in')
        .send({ ...ada, login: 'u9@library.example' });
      expect(limited).toMatchObject({ status: 429, body: { code: 'E_SIGN_IN_LIMITED' } });
      expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
      clock.advance('15m');
      expect((await request(app).post('/auth/sign-in').send(ada)).status).toBe(401);
    });

    test('right passwords do not use up the budget of a network', async () => {
      const { app } = makeApp({ guesses: { perNetwork: 2 } });
      await request(app).post('/auth/register').send(ada);
      for (let i = 0; i < 6; i++)
        expect((await request(app).post('/auth/sign-in').send(ada)).status).toBe(200);
    });

    test('the public keys are served, and a principal that somebody else has set is not overruled', async () => {
      const { app } = makeApp();
      const served = await request(app).get('/auth/jwks.json');
      expect(Object.keys((served.body as { keys: object[] }).keys[0]!).sort()).toEqual([
        'alg',
        'crv',
        'kid',
        'kty',
        'use',
        'x',
      ]);
      const { auth } = authKit();
      const own = express();
      own.use((req: Request, _res: Response, next: NextFunction) => {
        req.security = { principal: { id: 'gateway', kind: 'user' } } as never;
        next();
      });
      own.use(auth.authenticate());
      own.get('/', (req: Request, res: Response) => void res.json(req.security.principal));
      expect((await request(own).get('/').set(bearer('nonsense'))).body).toMatchObject({ id: 'gateway' });
    });
  });

  describe('cookies', () => {
    const withCookies = (options: object = {}) => makeApp({ transport: { cookies: options } });
    const jar = (response: { headers: Record<string, unknown> }) =>
      (response.headers['set-cookie'] as unknown as string[]).map((line) => line.split(';')[0]!).join('; ');

    test('ASVS V10.1.1: __Host- cookies, out of reach of scripts and of other sites; the body holds no token', async () => {
      const { app } = withCookies();
      await request(app).post('/auth/register').send(ada);
      const signedIn = await request(app).post('/auth/sign-in').send(ada);
      expect(signedIn.headers['set-cookie']).toEqual([
        expect.stringMatching(
          /^__Host-access=[\w.-]+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=600$/,
        ),
        expect.stringMatching(
          /^__Host-refresh=[\w-]{91}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=86400$/,
        ),
      ]);
      expect(Object.keys(signedIn.body as object).sort()).toEqual(['expires_in', 'session_id']);
      expect(
        (
          await request(app)
            .get('/me')
            .set({ cookie: jar(signedIn) })
        ).status,
      ).toBe(200);
      const asked = await request(app)
        .post('/auth/sign-in')
        .send({ ...ada, transport: 'bearer' });
      expect(asked.headers['set-cookie']).toBeUndefined();
      expect(asked.body).toHaveProperty('access_token');
    });

    test('an expired access token is renewed on the way, once for all requests of a page', async () => {
      const { app, auth, clock, events } = withCookies();
      const { pair } = await asUser(auth, (await auth.register(ada, from)).userId);
      const cookie = `__Host-access=${pair.accessToken}; __Host-refresh=${pair.refreshToken}`;
      clock.advance('11m');
      const page = await Promise.all(
        Array.from({ length: 8 }, () => request(app).get('/me').set({ cookie })),
      );
      expect(page.map((answer) => answer.status)).toEqual(Array.from({ length: 8 }, () => 200));
      expect(new Set(page.map(jar)).size).toBe(1);
      expect(page[0]!.headers['cache-control']).toBe('no-store');
      expect(events.of('auth.refreshed').filter((event) => !event.replayed)).toHaveLength(1);
      expect(
        (
          await request(app)
            .get('/me')
            .set({ cookie: jar(page[0]!) })
        ).status,
      ).toBe(200);
      // The access cookie has left the browser by itself; the refresh cookie is enough.
      clock.advance('11m');
      const [, refresh] = jar(page[0]!).split('; ');
      expect((await request(app).get('/me').set({ cookie: refresh! })).status).toBe(200);
      expect(
        (
          await request(withCookies({ renew: false }).app)
            .get('/me')
            .set({ cookie: refresh! })
        ).body,
      ).toMatchObject({ code: 'E_AUTHENTICATION_REQUIRED' });
    });

    test('web cache deception: an answer that carries the cookies of one person is never public, whoever says so', async () => {
      const { auth, clock } = withCookies();
      const app = express();
      app.use(context({ trustProxy: false }), auth.authenticate());
      app.use('/auth', auth.router());
      const caching = 'public, max-age=300';
      app.get('/set', (_req: Request, res: Response) => void res.set('Cache-Control', caching).send('page'));
      app.get('/head', (_req: Request, res: Response) => {
        res.writeHead(200, { 'cache-control': caching, 'X-Other': 'kept' }).end('page');
      });
      app.get('/reason', (_req: Request, res: Response) => {
        res.writeHead(200, 'OK', ['Cache-Control', caching, 'X-Other', 'kept'] as never).end('page');
      });
      const { pair } = await asUser(auth, (await auth.register(ada, from)).userId);
      const cookie = `__Host-access=${pair.accessToken}; __Host-refresh=${pair.refreshToken}`;
      const paths = ['/set', '/head', '/reason', '/auth/jwks.json'];
      for (const path of paths) {
        const plain = await request(app).get(path).set({ cookie });
        expect([path, plain.headers['cache-control'], plain.headers['set-cookie']]).toEqual([
          path,
          caching,
          undefined,
        ]);
      }
      clock.advance('11m');
      for (const path of paths) {
        const renewing = await request(app).get(path).set({ cookie });
        expect([path, renewing.status, renewing.headers['cache-control']]).toEqual([path, 200, 'no-store']);
        expect(jar(renewing)).toMatch(/^__Host-access=[\w.-]+; __Host-refresh=[\w-]+$/);
        if (path === '/head' || path === '/reason') expect(renewing.headers['x-other']).toBe('kept');
      }
    });

    test('a dead cookie is a 401 once, and is cleared', async () => {
      const { app, auth } = withCookies();
      const { pair } = await asUser(auth, 'u1');
      await auth.sessions.revokeAll('u1');
      const cookie = `__Host-access=${pair.accessToken}; __Host-refresh=${pair.refreshToken}`;
      for (const dead of [
        cookie,
        `__Host-refresh=${pair.refreshToken}`,
        '__Host-access=x',
        `__Host-refresh=${'x'.repeat(91)}`,
      ]) {
        const refused = await request(app).get('/open').set({ cookie: dead });
        expect(refused.status).toBe(401);
        expect(refused.headers['set-cookie']).toEqual([
          expect.stringMatching(/^__Host-access=; .*Max-Age=0$/),
          expect.stringMatching(/^__Host-refresh=; .*Max-Age=0$/),
        ]);
      }
    });

    test('two cookies of one name, or one without its prefix, are nobody', async () => {
      const { app, auth } = withCookies();
      const { pair } = await asUser(auth, 'u1');
      for (const cookie of [
        `__Host-access=${pair.accessToken}; __Host-access=${pair.accessToken}`,
        `access=${pair.accessToken}`,
        `dev-access=${pair.accessToken}`,
        `__host-access=${pair.accessToken}`,
      ]) {
        expect((await request(app).get('/open').set({ cookie })).body).toEqual({ kind: 'anonymous' });
      }
    });

    test('a state change that another site started is refused before the cookie counts', async () => {
      const { app, auth } = withCookies({ trustedOrigins: ['https://app.example'] });
      const { pair } = await asUser(auth, 'u1');
      const cookie = `__Host-access=${pair.accessToken}`;
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://attacker.example' },
        { origin: 'null' },
        { origin: 'https://app.example.attacker.example' },
      ]) {
        expect(
          (
            await request(app)
              .post('/open')
              .set({ cookie, ...headers })
          ).body,
        ).toMatchObject({ code: 'E_CROSS_SITE' });
        expect(
          (await request(app).post('/auth/sign-in').type('form').set(headers).send('login=a&password=b'))
            .body,
        ).toMatchObject({ code: 'E_CROSS_SITE' });
        expect(
          (
            await request(app)
              .get('/open')
              .set({ cookie, ...headers })
          ).status,
        ).toBe(200);
      }
      for (const headers of [
        { 'sec-fetch-site': 'same-origin' },
        { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' },
        {},
      ]) {
        expect(
          (
            await request(app)
              .post('/open')
              .set({ cookie, ...headers })
          ).status,
        ).toBe(200);
      }
    });

    test('sign-out ends the session and clears the cookies, with the refresh cookie alone too', async () => {
      const { app, auth } = withCookies();
      await auth.register(ada, from);
      const signedIn = await request(app).post('/auth/sign-in').send(ada);
      const [, refresh] = jar(signedIn).split('; ');
      const out = await request(app).post('/auth/sign-out').set({ cookie: refresh! });
      expect(out.status).toBe(204);
      expect(jar(out)).toBe('__Host-access=; __Host-refresh=');
      expect(
        (
          await request(app)
            .get('/me')
            .set({ cookie: jar(signedIn) })
        ).status,
      ).toBe(401);
    });

    test('the development profile works on this machine only and does not start in production', async () => {
      const { app } = withCookies({ profile: 'development' });
      await request(app).post('/auth/register').send(ada);
      const signedIn = await request(app).post('/auth/sign-in').send(ada);
      expect(signedIn.headers['set-cookie']).toEqual([
        expect.stringMatching(/^dev-access=(?!.*Secure)/),
        expect.stringMatching(/^dev-refresh=(?!.*Secure)/),
      ]);
      expect(
        (
          await request(app)
            .get('/me')
            .set({ cookie: jar(signedIn) })
        ).status,
      ).toBe(200);
      for (const host of ['library.example', 'localhost.attacker.example', '']) {
        expect(await request(app).post('/auth/sign-in').set({ host }).send(ada)).toMatchObject({
          status: 500,
          body: { code: 'E_DEVELOPMENT_COOKIES' },
        });
      }
      expect(() => authKit({ production: true, transport: { cookies: { profile: 'development' } } })).toThrow(
        /refused in production/,
      );
    });
  });
});

describe('the parts', () => {
  test('what is for tests refuses production', async () => {
    const { auth } = authKit();
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(() => testHasher()).toThrow(/tests only/);
      await expect(asUser(auth, 'u')).rejects.toThrow(/tests only/);
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });

  test('the middleware carry their stage for the floor plan', () => {
    const { auth } = authKit();
    expect(stageOf(auth.authenticate())).toEqual({
      kind: 'identify',
      name: 'authenticate',
      detail: 'bearer',
    });
    expect(stageOf(auth.required())).toMatchObject({ kind: 'authorize', name: 'required' });
    expect(stageOf(auth.router())).toMatchObject({ kind: 'public' });
  });
});
