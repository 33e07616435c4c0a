import { describe, expect, test } from '@jest/globals';
import {
  context,
  createFreshness,
  createMemoryFeed,
  createMemoryStore,
  isSecurityError,
  stageOf,
  type Principal,
} from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { createAuth, generateKeys, keyValueSessions, type Auth, type AuthOptions } from '../src/index.js';
import { memoryUsers, testHasher } from '../src/testing.js';

const keys = generateKeys();
const password = 'kestrel bakes ochre bread';
const from = { address: undefined };

function kit(options: Partial<AuthOptions> = {}) {
  const clock = manualClock({ now: Math.floor(Date.now() / 1000) * 1000 });
  const events = recordedEvents({ clock });
  const users = memoryUsers();
  const recorded: unknown[] = [];
  for (const id of ['ada', 'staff', 'eve'])
    users.put({ id, login: `${id}@library.example`, active: true, passwordHash: null });
  const auth = createAuth({
    issuer: 'i',
    audience: 'a',
    keys,
    users,
    store: createMemoryStore({ clock }),
    passwords: { hash: testHasher(), accept: [] },
    apiKeys: { prefix: 'lib' },
    impersonation: {
      allow: (actor, user) => actor.id === 'staff' && user.id !== 'eve',
      record: async (fact) => void recorded.push(fact),
    },
    clock,
    events,
    ...options,
  });
  const signIn = async (userId: string) =>
    auth.sessions.create({ userId, epoch: await auth.sessions.epoch(userId) });
  const who = async ({ accessToken }: { accessToken: string }): Promise<Principal> =>
    auth.sessions.check(auth.tokens.verify(accessToken));
  return { auth, clock, events, users, recorded, signIn, who };
}
const ended = expect.objectContaining({ code: 'E_SESSION_ENDED', status: 401 });
const please = { reason: 'ticket 4711' };

describe('acting for somebody else', () => {
  test('begins a session with both names, minutes long, that the log knows before it exists', async () => {
    const { auth, clock, events, recorded, signIn, who } = kit();
    const actor = await who(await signIn('staff'));
    const pair = await auth.impersonate(actor, 'ada', please, from);
    expect(await who(pair)).toMatchObject({ id: 'ada', kind: 'user', actor: { id: 'staff' } });
    expect(auth.tokens.verify(pair.accessToken)).toMatchObject({ sub: 'ada', act: { sub: 'staff' } });
    const expiresAt = clock.now() + 15 * 60_000;
    expect(recorded).toEqual([{ actorId: 'staff', userId: 'ada', reason: 'ticket 4711', expiresAt }]);
    expect(events.of('auth.impersonation-started')).toMatchObject([
      { userId: 'ada', actorId: 'staff', expiresAt },
    ]);
    expect(await auth.sessions.list('ada')).toMatchObject([{ actor: { id: 'staff' } }]);

    clock.advance('9m');
    const next = await auth.refresh(pair.refreshToken);
    expect(await who(next)).toMatchObject({ actor: { id: 'staff' } });
    // The last access token lives no longer than the session.
    expect(next.accessExpiresAt).toBe(expiresAt);
    clock.advance('6m');
    await expect(auth.refresh(next.refreshToken)).rejects.toMatchObject({ status: 401 });
    expect(() => auth.tokens.verify(next.accessToken)).toThrow(
      expect.objectContaining({ code: 'E_TOKEN_EXPIRED' }),
    );
  });

  test('ends none of the sessions of the user, however many there are', async () => {
    const { auth, signIn, who } = kit({ sessions: { max: 1 } });
    const mine = await signIn('ada');
    await auth.impersonate(await who(await signIn('staff')), 'ada', please, from);
    expect((await who(mine)).id).toBe('ada');
  });

  test('ends at once with the session of the actor, with their account, and when the user ends all sessions', async () => {
    for (const end of [
      (auth: Auth) => auth.sessions.revokeAll('staff'),
      (auth: Auth) => auth.deactivate('staff'),
      (auth: Auth) => auth.sessions.revokeAll('ada'),
    ]) {
      const { auth, signIn, who } = kit();
      const pair = await auth.impersonate(await who(await signIn('staff')), 'ada', please, from);
      await end(auth);
      await expect(who(pair)).rejects.toEqual(ended);
      await expect(auth.refresh(pair.refreshToken)).rejects.toEqual(ended);
    }
  });

  test('is refused to who may not, to keys, to chains, for oneself, for closed accounts, and without a reason', async () => {
    const { auth, events, recorded, signIn, who, users } = kit();
    const staff = await who(await signIn('staff'));
    const acting = await who(await auth.impersonate(staff, 'ada', please, from));
    recorded.length = 0;
    const { key } = await auth.apiKeys!.create('staff', { name: 'x', scopes: ['a:b'] });
    const byKey = await auth.apiKeys!.check(key);
    const eve = await who(await signIn('eve'));
    const { sessionId: _none, ...withoutSession } = staff;
    users.put({ id: 'closed', login: 'c@library.example', active: false });
    for (const [actor, userId] of [
      [eve, 'ada'],
      [staff, 'eve'],
      [acting, 'ada'],
      [byKey, 'ada'],
      [withoutSession, 'ada'],
      [staff, 'staff'],
      [staff, 'nobody'],
      [staff, 'closed'],
    ] as const) {
      await expect(auth.impersonate(actor, userId, please, from)).rejects.toMatchObject({
        code: 'E_IMPERSONATION_REFUSED',
        status: 403,
      });
    }
    for (const bad of [
      { reason: '' },
      { reason: ' ' },
      { reason: 'x'.repeat(501) },
      { reason: 7 },
      { ...please, ttl: '2h' },
      { ...please, ttl: 0 },
    ])
      await expect(auth.impersonate(staff, 'ada', bad as never, from)).rejects.toMatchObject({
        code: 'E_VALIDATION',
      });
    expect(recorded).toEqual([]);
    expect(events.of('auth.impersonation-started')).toHaveLength(1);
  });

  test('only true allows: a promise of something else, or a fault, does not', async () => {
    for (const answer of [1, 'yes', undefined, Promise.resolve('true'), Promise.resolve(undefined)]) {
      const { auth, signIn, who } = kit({
        impersonation: { allow: () => answer as never, record: async () => undefined },
      });
      const staff = await who(await signIn('staff'));
      await expect(auth.impersonate(staff, 'ada', please, from)).rejects.toMatchObject({
        code: 'E_IMPERSONATION_REFUSED',
      });
    }
  });

  test('that the log cannot write down does not begin', async () => {
    const { auth, signIn, who } = kit({
      impersonation: { allow: () => true, record: () => Promise.reject(new Error('log down')) },
    });
    const staff = await who(await signIn('staff'));
    await expect(auth.impersonate(staff, 'ada', please, from)).rejects.toThrow('log down');
    expect(await auth.sessions.list('ada')).toEqual([]);
  });

  test('changes no credential', async () => {
    const { auth, signIn, who } = kit();
    const acting = await who(await auth.impersonate(await who(await signIn('staff')), 'ada', please, from));
    const change = { currentPassword: password, newPassword: 'plover sings at nine' };
    await expect(auth.changePassword(acting, change, from)).rejects.toMatchObject({
      code: 'E_NOT_IN_PERSON',
      status: 403,
    });
  });

  test("is nobody's right where it was not set up, and no place for it is a stateless service", async () => {
    const { auth, signIn, who } = kit({ impersonation: undefined as never });
    await expect(auth.impersonate(await who(await signIn('staff')), 'ada', please, from)).rejects.toThrow(
      /Nobody may act/,
    );
    expect(() => kit({ sessions: false })).toThrow(/impersonation needs sessions/);
  });
});

describe('closing an account', () => {
  test('ASVS V7.4.2: CVE-2024-22513: ends sessions, refresh tokens and API keys at once, in every process', async () => {
    const store = createMemoryStore();
    const feed = createMemoryFeed();
    const sessions = () => ({
      store: keyValueSessions({ store, feed }),
      freshness: createFreshness({ feed }),
    });
    const here = kit({ store, sessions: sessions() });
    const there = kit({ store, sessions: sessions(), users: here.users, clock: here.clock });
    const pair = await here.signIn('ada');
    const { key } = await here.auth.apiKeys!.create('ada', { name: 'x', scopes: ['a:b'] });
    expect((await there.who(pair)).id).toBe('ada');
    expect((await there.auth.apiKeys!.check(key)).id).toBe('ada');
    expect(await here.auth.deactivate('ada', { strict: true })).toBe(true);
    await expect(there.who(pair)).rejects.toEqual(ended);
    await expect(there.auth.refresh(pair.refreshToken)).rejects.toEqual(ended);
    await expect(there.auth.apiKeys!.check(key)).rejects.toMatchObject({ status: 401 });
    expect(here.events.of('auth.deactivated')).toMatchObject([{ userId: 'ada' }]);
    expect(await here.auth.deactivate('nobody')).toBe(false);
  });

  test('needs a port that can do it', async () => {
    const { deactivate: _none, ...users } = memoryUsers();
    const { auth } = kit({ users });
    await expect(auth.deactivate('ada')).rejects.toThrow(/users.deactivate/);
  });
});

describe('sessions of which the server keeps nothing', () => {
  const stateless = (options: Partial<AuthOptions> = {}) =>
    kit({ sessions: false, impersonation: undefined as never, ...options });

  test('sign in, use, refresh; nothing is written to the store', async () => {
    let writes = 0;
    const inner = createMemoryStore();
    const store = new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'set' || name === 'swap')
          return (...args: never[]) => (
            writes++,
            (value as (...all: never[]) => unknown).apply(target, args)
          );
        return value;
      },
    });
    const { auth, clock, signIn, who } = stateless({ store });
    const pair = await signIn('ada');
    expect(await who(pair)).toMatchObject({ id: 'ada', kind: 'user', aal: 1, sessionId: pair.sessionId });
    clock.advance('23h');
    const next = await auth.refresh(pair.refreshToken);
    expect(next.sessionId).toBe(pair.sessionId);
    expect(await who(next)).toMatchObject({ id: 'ada', authenticatedAt: clock.now() - 23 * 3_600_000 });
    expect(writes).toBe(0);
  });

  test('bound to a key, it refreshes with proofs of that key only, and stays bound', async () => {
    const { auth } = stateless();
    const [own, thief] = [{ jkt: 'A'.repeat(43) }, { jkt: 'B'.repeat(43) }];
    const pair = await auth.sessions.create({ userId: 'ada', epoch: 0 }, { binding: own });
    expect(pair.tokenType).toBe('DPoP');
    for (const meta of [undefined, {}, { binding: thief }])
      await expect(auth.sessions.refresh(pair.refreshToken, meta)).rejects.toMatchObject({
        code: 'E_TOKEN_INVALID',
      });
    const next = await auth.sessions.refresh(pair.refreshToken, { binding: own });
    expect(next.tokenType).toBe('DPoP');
    await expect(auth.sessions.refresh(next.refreshToken, { binding: thief })).rejects.toMatchObject({
      code: 'E_TOKEN_INVALID',
    });
  });

  test('what it loses is what it says: nothing can be ended, and the second use of a token is not noticed', async () => {
    const { auth, signIn, who, events } = stateless();
    const pair = await signIn('ada');
    expect(auth.sessions.stateless).toBe(true);
    expect(await auth.sessions.revoke('ada', pair.sessionId)).toBe(false);
    expect(await auth.sessions.revokeAll('ada')).toBe(0);
    expect(await auth.sessions.revokeOthers('ada', '')).toBe(0);
    expect(await auth.sessions.list('ada')).toEqual([]);
    await auth.sessions.end(pair.refreshToken);
    expect((await who(pair)).id).toBe('ada');
    await auth.refresh(pair.refreshToken);
    await auth.refresh(pair.refreshToken);
    expect(events.of('auth.token-reused')).toEqual([]);
    expect(stageOf(auth.authenticate())?.detail).toMatch(/stateless: no session can be ended/);
  });

  test('what it keeps: a closed account does not refresh, and there is an end', async () => {
    const { auth, signIn, clock } = stateless({
      sessions: { stateless: true, refreshTtl: '1d', absolute: '36h' },
    });
    const pair = await signIn('ada');
    clock.advance('20h');
    const next = await auth.refresh(pair.refreshToken);
    expect(next.refreshExpiresAt - clock.now()).toBe(16 * 3_600_000);
    clock.advance('16h');
    await expect(auth.refresh(next.refreshToken)).rejects.toMatchObject({ code: 'E_TOKEN_EXPIRED' });
    const other = await signIn('eve');
    await auth.deactivate('eve');
    await expect(auth.refresh(other.refreshToken)).rejects.toEqual(ended);
  });

  test('CVE-2023-48309: a refresh token is no access token, nor the other way round', async () => {
    const { auth, signIn, who } = stateless();
    const pair = await signIn('ada');
    await expect(who({ accessToken: pair.refreshToken })).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    await expect(auth.refresh(pair.accessToken)).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    // Nor is a token that the same keys signed for something else.
    const odd = auth.tokens.issue({ userId: 'ada', sessionId: 'x' });
    await expect(who({ accessToken: odd.token })).rejects.toMatchObject({ code: 'E_TOKEN_INVALID' });
    for (const bad of [undefined, '', 'x', 7, {}])
      await expect(auth.refresh(bad)).rejects.toMatchObject({ status: 401 });
  });

  test.each<[string, object, RegExp]>([
    ['a store', { store: keyValueSessions({ store: createMemoryStore() }) }, /sessions.store has no meaning/],
    ['a bound', { max: 3 }, /sessions.max/],
    ['a grace window', { grace: '5s' }, /sessions.grace/],
    ['a lease', { freshness: createFreshness({ feed: createMemoryFeed() }) }, /sessions.freshness/],
    ['a refresh token shorter than an access token', { refreshTtl: '5m' }, /refreshTtl/],
    ['an end before the refresh token', { absolute: '1h' }, /absolute/],
  ])('with %s it does not start', (_title, options, message) => {
    expect(() => stateless({ sessions: { stateless: true, ...options } })).toThrow(message);
  });

  test('a lease without the feed of a store does not start', () => {
    const freshness = createFreshness({ feed: createMemoryFeed() });
    expect(() => kit({ sessions: { freshness } })).toThrow(/sessions.freshness needs sessions.store/);
    expect(() => kit({ apiKeys: { prefix: 'lib', freshness } })).toThrow(
      /apiKeys.freshness needs apiKeys.store/,
    );
  });
});

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const all = kit(options);
    const app = express();
    app.use(context({ trustProxy: false }), express.json(), all.auth.authenticate());
    const recorded: unknown[] = [];
    app.use('/auth', all.auth.router({ record: async (action) => void recorded.push(action) }));
    app.get(
      '/me',
      all.auth.required(),
      (req: Request, res: Response) => void res.json(req.security.principal),
    );
    app.post('/key', all.auth.inPerson(), (_req: Request, res: Response) => void res.json({ ok: true }));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { status, code } = isSecurityError(error) ? error : { status: 500, code: String(error) };
      res.status(status).json({ code });
    });
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    return { ...all, api: request(app), recorded, bearer };
  }

  test('API keys by HTTP: made and ended by their owner in person, used as bearer tokens', async () => {
    const { api, bearer, signIn, recorded } = makeApp();
    const mine = bearer((await signIn('ada')).accessToken);
    const made = await api
      .post('/auth/keys')
      .set(mine)
      .send({ name: 'Import', scopes: ['book:create'], expires_in: '30d' });
    expect(made).toMatchObject({ status: 201, headers: { 'cache-control': 'no-store' } });
    const { key, id } = made.body as { key: string; id: string };
    expect((await api.get('/me').set(bearer(key))).body).toMatchObject({
      id: 'ada',
      kind: 'api-key',
      scopes: ['book:create'],
    });
    expect((await api.get('/auth/keys').set(mine)).body).toMatchObject({ keys: [{ id, name: 'Import' }] });

    // A key makes no keys, sees and ends no sessions, and signs nobody out.
    for (const call of [
      api.post('/auth/keys').send({ name: 'x', scopes: ['a:b'] }),
      api.get('/auth/keys'),
      api.delete(`/auth/keys/${id}`),
      api.get('/auth/sessions'),
      api.delete('/auth/sessions'),
      api.post('/auth/password').send({}),
      api.post('/auth/sign-out').send({ everywhere: true }),
      api.post('/key'),
    ])
      expect(await call.set(bearer(key))).toMatchObject({ status: 403, body: { code: 'E_NOT_IN_PERSON' } });

    const other = bearer((await signIn('eve')).accessToken);
    expect((await api.delete(`/auth/keys/${id}`).set(other)).body).toEqual({ code: 'E_API_KEY_NOT_FOUND' });
    expect((await api.delete(`/auth/keys/${id}`).set(mine)).status).toBe(204);
    expect((await api.get('/me').set(bearer(key))).status).toBe(401);
    expect(recorded).toEqual([
      { type: 'api-key-created', userId: 'ada' },
      { type: 'api-key-revoked', userId: 'ada' },
    ]);
    expect((await api.post('/auth/keys').set(mine).send([])).status).toBe(400);
  });

  test('who acts for somebody touches neither their sessions nor their credentials, but may sign out', async () => {
    const { api, auth, bearer, signIn, who } = makeApp();
    const mine = await signIn('ada');
    const pair = await auth.impersonate(await who(await signIn('staff')), 'ada', please, from);
    const acting = bearer(pair.accessToken);
    expect((await api.get('/me').set(acting)).body).toMatchObject({ id: 'ada', actor: { id: 'staff' } });
    for (const call of [
      api.get('/auth/sessions'),
      api.delete('/auth/sessions'),
      api.delete(`/auth/sessions/${mine.sessionId}`),
      api.post('/auth/password').send({}),
      api.post('/auth/sign-out').send({ everywhere: true }),
      api.get('/auth/keys'),
      api.post('/key'),
    ])
      expect(await call.set(acting)).toMatchObject({ status: 403, body: { code: 'E_NOT_IN_PERSON' } });
    expect((await api.post('/key').set(bearer(mine.accessToken))).status).toBe(200);
    expect((await api.post('/auth/sign-out').set(acting)).status).toBe(204);
    expect((await api.get('/me').set(acting)).status).toBe(401);
    expect((await api.get('/me').set(bearer(mine.accessToken))).status).toBe(200);
  });

  test('without sessions on the server there are no routes for them', async () => {
    const { api, bearer, signIn } = makeApp({ sessions: false, impersonation: undefined as never });
    const pair = await signIn('ada');
    const mine = bearer(pair.accessToken);
    expect((await api.get('/me').set(mine)).status).toBe(200);
    // The refresh token is a JWT, five times as long as one of a session.
    const refreshed = await api.post('/auth/refresh').send({ refresh_token: pair.refreshToken });
    expect(refreshed).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    expect((await api.post('/auth/refresh').send({ refresh_token: pair.accessToken })).status).toBe(401);
    expect((await api.get('/auth/sessions').set(mine)).status).toBe(404);
    expect((await api.delete('/auth/sessions').set(mine)).status).toBe(404);
    expect((await api.post('/auth/sign-out').set(mine)).status).toBe(204);
  });
});
