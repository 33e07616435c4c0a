// Published vulnerabilities of other packages that concern sessions and transports, and have no test beside their subject.
import { describe, expect, test } from '@jest/globals';
import { context, coreErrors, createMemoryStore, isSecurityError } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  createAuth,
  createTokens,
  createVerifier,
  generateKeys,
  keyValueSessions,
  type AuthOptions,
} from '../src/index.js';
import { memoryUsers, testHasher } from '../src/testing.js';

const keys = generateKeys();
const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };

describe('tokens', () => {
  test('fast-jwt hands one payload to all requests: what is remembered is frozen, in all its depth', () => {
    const tokens = createTokens({ issuer: 'i', audience: 'a', keys });
    const { token } = tokens.issue(
      { userId: 'u', sessionId: 's' },
      { roles: ['patron'], more: { deep: [1] } },
    );
    const claims = tokens.verify(token) as unknown as {
      role?: string;
      roles: string[];
      more: { deep: number[] };
    };
    expect(() => (claims.role = 'admin')).toThrow(TypeError);
    expect(() => claims.roles.push('admin')).toThrow(TypeError);
    expect(() => claims.more.deep.push(2)).toThrow(TypeError);
    expect(tokens.verify(token)).toEqual(claims);
    expect(tokens.verify(token)).not.toHaveProperty('role');
  });

  test('CVE-2025-62610: a verifier without audience, or with an empty one, does not start', () => {
    for (const audience of [undefined, '', null, []])
      expect(() => createVerifier({ issuer: 'i', audience: audience as never, keys })).toThrow(/audience/);
  });
});

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const clock = manualClock({ now: Math.floor(Date.now() / 1000) * 1000 });
    const store = createMemoryStore({ clock });
    const auth = createAuth({
      issuer: 'i',
      audience: 'a',
      keys,
      users: memoryUsers(),
      store,
      passwords: { hash: testHasher(), accept: [] },
      clock,
      ...options,
    });
    const app = express();
    app.use(context({ trustProxy: false, clock }), express.json(), auth.authenticate());
    app.use('/auth', auth.router());
    app.get('/me', auth.required(), (req: Request, res: Response) => void res.json(req.security.principal));
    app.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
      const { status, code } = isSecurityError(error) ? error : { status: 500, code: String(error) };
      res.status(status).json({ code, kind: req.security.principal.kind });
    });
    return { auth, api: request(app), store };
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const tokenOf = (body: unknown) => (body as { access_token: string }).access_token;

  test('CVE-2026-73421: a store that fails is a 503 for whoever brings a credential, and leaves nobody signed in', async () => {
    let down = false;
    const inner = keyValueSessions({ store: createMemoryStore() });
    const find: typeof inner.find = async (id) => {
      if (down) throw coreErrors.E_STORE_UNAVAILABLE();
      return inner.find(id);
    };
    const { api } = makeApp({ sessions: { store: { ...inner, find } } });
    await api.post('/auth/register').send(ada);
    const mine = bearer(tokenOf((await api.post('/auth/sign-in').send(ada)).body));
    expect((await api.get('/me').set(mine)).status).toBe(200);
    down = true;
    const answer = await api.get('/me').set(mine);
    expect(answer).toMatchObject({ status: 503, body: { code: 'E_STORE_UNAVAILABLE', kind: 'anonymous' } });
  });

  test('ASVS V7.2.4: CVE-2022-25896: a sign-in begins a session of its own, whatever the request brings; the id is never taken over', async () => {
    const { api } = makeApp({ transport: { cookies: {} } });
    await api.post('/auth/register').send(ada);
    const first = await api.post('/auth/sign-in').send(ada);
    const planted = (first.headers['set-cookie'] as unknown as string[])
      .map((line) => line.split(';')[0])
      .join('; ');
    const second = await api
      .post('/auth/sign-in')
      .set('Cookie', planted)
      .set('Sec-Fetch-Site', 'same-origin')
      .send(ada);
    expect(second.status).toBe(200);
    const ids = [first, second].map(({ body }) => (body as { session_id: string }).session_id);
    expect(new Set(ids).size).toBe(2);
    const text = JSON.stringify(second.headers['set-cookie']);
    for (const pair of planted.split('; ')) expect(text).not.toContain(pair);
    // After signing out the old cookies are nobody's.
    await api.post('/auth/sign-out').set('Cookie', planted).set('Sec-Fetch-Site', 'same-origin');
    expect((await api.get('/me').set('Cookie', planted)).status).toBe(401);
  });

  test('GHSA-4vcf-q4xf-f48m and its kind: every route by id answers another user with 404 and nobody with 401, and changes nothing', async () => {
    const { api, auth } = makeApp({ apiKeys: { prefix: 'lib' } });
    for (const login of ['ada', 'eve'])
      await api.post('/auth/register').send({ ...ada, login: `${login}@library.example` });
    const signedIn = await api.post('/auth/sign-in').send(ada);
    const mine = bearer(tokenOf(signedIn.body));
    const eve = bearer(
      tokenOf((await api.post('/auth/sign-in').send({ ...ada, login: 'eve@library.example' })).body),
    );
    const made = await api
      .post('/auth/keys')
      .set(mine)
      .send({ name: 'x', scopes: ['a:b'] });
    const paths = [
      `/auth/sessions/${(signedIn.body as { session_id: string }).session_id}`,
      `/auth/keys/${(made.body as { id: string }).id}`,
    ];
    for (const path of paths) {
      expect((await api.delete(path).set(eve)).status).toBe(404);
      expect((await api.delete(path)).status).toBe(401);
    }
    expect((await api.get('/me').set(mine)).status).toBe(200);
    expect((await auth.apiKeys!.check((made.body as { key: string }).key)).kind).toBe('api-key');
    for (const path of paths.toReversed()) expect((await api.delete(path).set(mine)).status).toBe(204);
  });
});
