import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { createMemoryStore, parseAddress, type KeyValueStore } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { createAuth, type AuthOptions, type UserPort } from '../src/index.js';
import { memoryUsers, testHasher } from '../src/testing.js';
import { ada, from, keys, mailKit, password, serve } from './support/auth-kit.js';

const other = 'plover sings at nine';

function makeAuth(options: Partial<AuthOptions> = {}) {
  const kit = mailKit(options);
  const { auth, mail } = kit;
  const link = async (type: Parameters<typeof mail.token>[0], to: string) => {
    await auth.settled();
    return mail.token(type, to);
  };
  const typesTo = async (to: string) => {
    await auth.settled();
    return mail.to(to).map(({ type }) => type);
  };
  return { ...kit, link, typesTo };
}

/** Timers of a second and more, the pauses between attempts, end at once; what is returned collects their lengths in ms. */
function withoutPauses(): number[] {
  const pauses: number[] = [];
  const timer = globalThis.setTimeout;
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms = 0) => {
    // The deadlines of ports are no pauses.
    if (ms < 1_000 || ms === 8_000) return timer(run, ms);
    pauses.push(ms);
    return timer(run, 0);
  }) as typeof setTimeout);
  return pauses;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('registration by mail', () => {
  test('ASVS V6.4.1: the mailbox gets a link, the account begins with the password that its owner chooses there', async () => {
    const { auth, link, users, events } = makeAuth();
    await auth.startRegistration({ login: ' Ada@LIBRARY.example ' });
    const token = await link('complete-registration', ada.login);
    expect(await users.findByLogin(ada.login)).toBeUndefined();
    const { userId } = await auth.completeRegistration({ token, password, name: 'Ada' }, from);
    expect(await users.findById(userId)).toMatchObject({
      login: ada.login,
      emailVerified: true,
      name: 'Ada',
    });
    await auth.signIn(ada, from);
    await expect(auth.completeRegistration({ token, password: other }, from)).rejects.toMatchObject({
      code: 'E_LINK_INVALID',
      status: 400,
    });
    expect(JSON.stringify(events.all)).not.toContain(token);
  });

  test('where there is an account its owner is told so, and the account stays as it is', async () => {
    const { auth, typesTo, users } = makeAuth();
    await auth.register(ada, from);
    const before = await users.findByLogin(ada.login);
    await auth.startRegistration({ login: ada.login });
    expect(await typesTo(ada.login)).toEqual(['account-exists']);
    expect(await users.findByLogin(ada.login)).toEqual(before);
  });

  test('CVE-2026-53516, CVE-2026-53514: whoever prepares an account for a mailbox of somebody else keeps nothing of it', async () => {
    const { auth, link, users } = makeAuth();
    const prepared = await testHasher().hash({
      raw: 'the attacker knows it',
      normal: 'the attacker knows it',
    });
    users.put({ id: 'v', login: ada.login, active: true, emailVerified: false, passwordHash: prepared });
    const attempt = { login: ada.login, password: 'the attacker knows it' };
    await expect(auth.signIn(attempt, from)).rejects.toMatchObject({ code: 'E_SIGN_IN_FAILED' });
    const hidden = await auth.sessions.create({ userId: 'v', epoch: await auth.sessions.epoch('v') });
    await auth.startRegistration({ login: ada.login });
    const token = await link('complete-registration', ada.login);
    await auth.completeRegistration({ token, password }, from);
    await expect(auth.signIn(attempt, from)).rejects.toMatchObject({ code: 'E_SIGN_IN_FAILED' });
    await expect(auth.refresh(hidden.refreshToken)).rejects.toMatchObject({ status: 401 });
    await auth.signIn(ada, from);
  });

  test('a refused password does not use the link up; a second link makes the first worthless', async () => {
    const { auth, link } = makeAuth();
    await auth.startRegistration({ login: ada.login });
    const first = await link('complete-registration', ada.login);
    await expect(auth.completeRegistration({ token: first, password: 'short' }, from)).rejects.toMatchObject({
      code: 'E_PASSWORD_POLICY',
    });
    await auth.startRegistration({ login: ada.login });
    const second = await link('complete-registration', ada.login);
    expect(second).not.toBe(first);
    await expect(auth.completeRegistration({ token: first, password }, from)).rejects.toMatchObject({
      code: 'E_LINK_INVALID',
    });
    await auth.completeRegistration({ token: second, password }, from);
  });
});

describe('reset of a password', () => {
  test('by the link: the new password counts, all sessions end, nobody is signed in, the owner is told', async () => {
    const { auth, link, typesTo, events } = makeAuth();
    await auth.register(ada, from);
    const open = await auth.signIn(ada, from);
    await auth.startReset({ login: ada.login });
    const token = await link('reset-password', ada.login);
    const done = await auth.completeReset({ token, password: other }, from);
    expect(Object.keys(done)).toEqual(['userId']);
    await expect(auth.refresh(open.refreshToken)).rejects.toMatchObject({ status: 401 });
    await expect(auth.signIn(ada, from)).rejects.toMatchObject({ code: 'E_SIGN_IN_FAILED' });
    await auth.signIn({ ...ada, password: other }, from);
    expect(await typesTo(ada.login)).toEqual(['reset-password', 'password-changed']);
    expect(events.of('auth.password-reset')).toMatchObject([{ userId: done.userId }]);
    expect(JSON.stringify(events.all)).not.toContain(token);
  });

  test('ASVS V15.4.2: CVE-2026-53518: of 50 redemptions at once one succeeds', async () => {
    const { auth, link } = makeAuth();
    await auth.register(ada, from);
    await auth.startReset({ login: ada.login });
    const token = await link('reset-password', ada.login);
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => auth.completeReset({ token, password: `${other} ${i}` }, from)),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('ASVS V6.4.1: a link ends with its time, with a change of the password, of the address, of the account, and is of no other use', async () => {
    const { auth, link, users, clock } = makeAuth();
    const { userId } = await auth.register(ada, from);
    const fresh = async () => {
      clock.advance('2h'); // The mailbox has had enough for now.
      await auth.startReset({ login: ada.login });
      return link('reset-password', ada.login);
    };
    const refused = (token: string) =>
      expect(auth.completeReset({ token, password: other }, from)).rejects.toMatchObject({
        code: 'E_LINK_INVALID',
      });

    const late = await fresh();
    clock.advance('30m');
    await refused(late);

    const changed = await fresh();
    await auth.changePassword(
      { id: userId },
      { currentPassword: password, newPassword: `${password}!` },
      from,
    );
    await refused(changed);

    const elsewhere = await fresh();
    users.put({ ...(await users.findById(userId))!, login: 'eve@library.example' });
    await refused(elsewhere);
    users.put({ ...(await users.findById(userId))!, login: ada.login });

    const closed = await fresh();
    users.put({ ...(await users.findById(userId))!, active: false });
    await refused(closed);
    users.put({ ...(await users.findById(userId))!, active: true });

    const right = await fresh();
    for (const wrong of ['', 'x', right.slice(1), `${right}A`, right.toLowerCase(), 'A'.repeat(43)])
      await expect(auth.completeReset({ token: wrong, password: other }, from)).rejects.toMatchObject({
        status: 400,
      });
    await expect(auth.completeRegistration({ token: right, password }, from)).rejects.toMatchObject({
      code: 'E_LINK_INVALID',
    });
    await expect(auth.completeLoginChange({ token: right })).rejects.toMatchObject({
      code: 'E_LINK_INVALID',
    });
    await auth.completeReset({ token: right, password: other }, from);
  });

  test('the mail goes to the address that the account has, not to the one that was typed; three at once at most', async () => {
    const { auth, mail, clock } = makeAuth();
    await auth.register(ada, from);
    for (let i = 0; i < 10; i++) await auth.startReset({ login: 'ADA@Library.Example' });
    await auth.settled();
    expect(mail.all.map(({ to, type }) => [to, type])).toEqual(
      Array.from({ length: 4 }, () => [ada.login, 'reset-password']),
    );
    clock.advance('5m');
    await auth.startReset({ login: ada.login });
    await auth.settled();
    expect(mail.all).toHaveLength(5);
  });

  test('an account without a password gets none by a reset, an unverified one its registration, a closed one nothing', async () => {
    const { auth, users, typesTo } = makeAuth();
    for (const [id, more] of Object.entries({
      passkey: { passwordHash: null, active: true },
      fresh: { passwordHash: 'x', active: true, emailVerified: false },
      closed: { passwordHash: 'x', active: false },
    })) {
      users.put({ id, login: `${id}@library.example`, ...more });
      await auth.startReset({ login: `${id}@library.example` });
    }
    await auth.startReset({ login: 'nobody@library.example' });
    expect(await typesTo('passkey@library.example')).toEqual(['reset-without-password']);
    expect(await typesTo('fresh@library.example')).toEqual(['complete-registration']);
    expect(await typesTo('closed@library.example')).toEqual([]);
    expect(await typesTo('nobody@library.example')).toEqual([]);
  });

  test('who was locked out by strangers gets in on the device of the reset', async () => {
    const { auth, link } = makeAuth({ devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] } });
    await auth.register(ada, from);
    const strangers = Array.from({ length: 30 }, (_, n) => ({ address: parseAddress(`10.${n}.0.1`) }));
    for (const stranger of strangers)
      await expect(auth.signIn({ ...ada, password: 'guess' }, stranger)).rejects.toMatchObject({
        status: 401,
      });
    await expect(auth.signIn(ada, from)).rejects.toMatchObject({ details: { reason: 'limited' } });
    await auth.startReset({ login: ada.login });
    const { deviceToken } = await auth.completeReset(
      { token: await link('reset-password', ada.login), password: other },
      from,
    );
    await auth.signIn({ ...ada, password: other }, { ...from, devices: [deviceToken!] });
  });
});

describe('change of e-mail', () => {
  test('ASVS V6.3.7 V7.5.1: needs the password and the new mailbox; the old one is told twice; all sessions end', async () => {
    const { auth, link, typesTo, users } = makeAuth();
    const { userId } = await auth.register(ada, from);
    const open = await auth.signIn(ada, from);
    const login = 'lovelace@library.example';
    await expect(
      auth.startLoginChange({ id: userId }, { login, password: 'wrong' }, from),
    ).rejects.toMatchObject({
      code: 'E_PASSWORD_WRONG',
    });
    expect(await typesTo(login)).toEqual([]);
    await auth.startLoginChange({ id: userId }, { login, password }, from);
    const token = await link('confirm-login', login);
    expect((await users.findById(userId))?.login).toBe(ada.login);
    await auth.completeLoginChange({ token });
    expect(await users.findById(userId)).toMatchObject({ login, emailVerified: true });
    expect(await typesTo(ada.login)).toEqual(['login-change-asked', 'login-changed']);
    await expect(auth.refresh(open.refreshToken)).rejects.toMatchObject({ status: 401 });
    await expect(auth.completeLoginChange({ token })).rejects.toMatchObject({ code: 'E_LINK_INVALID' });
    await auth.signIn({ login, password }, from);
  });

  test('to an address that somebody has answers alike and changes nothing, also if it was taken meanwhile', async () => {
    const { auth, link, typesTo, users } = makeAuth();
    const { userId } = await auth.register(ada, from);
    const bob = { login: 'bob@library.example', password };
    await auth.register(bob, from);
    await auth.startLoginChange({ id: userId }, { login: bob.login, password }, from);
    expect(await typesTo(bob.login)).toEqual(['account-exists']);
    const eve = { login: 'eve@library.example', password };
    await auth.startLoginChange({ id: userId }, { login: eve.login, password }, from);
    const token = await link('confirm-login', eve.login);
    await auth.register(eve, from);
    await expect(auth.completeLoginChange({ token })).rejects.toMatchObject({ code: 'E_LINK_INVALID' });
    expect((await users.findById(userId))?.login).toBe(ada.login);
  });
});

describe('messages', () => {
  test('a mailer that fails twice delivers after 1 and 10 seconds; one that always fails is told by an event, never by the answer', async () => {
    const pauses = withoutPauses();
    let faults = 2;
    const sent: string[] = [];
    const { auth, events } = makeAuth({
      notify: async ({ type }) => {
        if (faults-- > 0) throw new Error('550 ada@library.example is no mailbox of ours');
        sent.push(type);
      },
    });
    await auth.startRegistration({ login: ada.login });
    await auth.settled();
    expect(sent).toEqual(['complete-registration']);
    expect(pauses).toEqual([1_000, 10_000]);
    faults = 3;
    await auth.startRegistration({ login: 'bob@library.example' });
    await auth.settled();
    expect(events.of('auth.notification-failed')).toMatchObject([{ kind: 'registration', reason: 'Error' }]);
    expect(JSON.stringify(events.all)).not.toContain('550');
  });

  test('nothing is looked up or made at once, where the next request would wait for it, but at a random moment', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance'] });
    try {
      const bytes = (count: number) => Buffer.alloc(count, 0x80);
      const { auth, users, mail } = makeAuth({ random: { bytes, uuid: randomUUID } });
      const findByLogin = jest.spyOn(users, 'findByLogin');
      await auth.startReset({ login: ada.login });
      await auth.startRegistration({ login: ada.login });
      await jest.advanceTimersByTimeAsync(500);
      expect(findByLogin).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(4);
      expect(findByLogin).toHaveBeenCalledTimes(2);
      expect(mail.to(ada.login)).toMatchObject([{ type: 'complete-registration' }]);
    } finally {
      jest.useRealTimers();
    }
  });

  test('ASVS V6.3.7: warnings: a device that was not known, a lockout, a change of the password', async () => {
    const { auth, typesTo } = makeAuth({ devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] } });
    const { userId } = await auth.register(ada, from);
    const { deviceToken } = await auth.signIn(ada, { ...from, userAgent: 'Firefox' });
    await auth.signIn(ada, { ...from, devices: [deviceToken!] });
    await auth.changePassword({ id: userId }, { currentPassword: password, newPassword: other }, from);
    for (let n = 0; n < 30; n++)
      await auth
        .signIn({ ...ada, password: 'guess' }, { address: parseAddress(`10.${n}.0.1`) })
        .catch(() => undefined);
    expect(await typesTo(ada.login)).toEqual(['new-device', 'password-changed', 'locked-out']);
  });

  test('a store that is down is 503 for every address alike, and a `users` port that is down is tried again later', async () => {
    withoutPauses();
    const memory = createMemoryStore();
    let down = true;
    const store: KeyValueStore = {
      ...memory,
      kind: 'memory',
      shared: false,
      get: (...args) => (down ? Promise.reject(new Error('down')) : memory.get(...args)),
      set: (...args) => memory.set(...args),
      take: (...args) => memory.take(...args),
      swap: (...args) => memory.swap(...args),
      increment: (...args) => memory.increment(...args),
      delete: (...args) => memory.delete(...args),
      script: (...args) => memory.script(...args),
    };
    const users = memoryUsers();
    let failures = 1;
    const port: UserPort = {
      ...users,
      findByLogin: async (login) => {
        if (failures-- > 0) throw new Error('connection lost');
        return users.findByLogin(login);
      },
    };
    const { auth, typesTo } = makeAuth({ store, users: port });
    for (const login of [ada.login, 'nobody@library.example']) {
      const refused = auth.startReset({ login });
      await expect(refused).rejects.toMatchObject({ code: 'E_STORE_UNAVAILABLE', status: 503 });
    }
    down = false;
    users.put({ id: 'ada', login: ada.login, active: true, passwordHash: 'x' });
    await auth.startReset({ login: ada.login });
    expect(await typesTo(ada.login)).toEqual(['reset-password']);
  });

  test('without notify the flows that send mail say so, and registration is open', async () => {
    const users = memoryUsers();
    const auth = createAuth({ issuer: 'i', audience: 'a', keys, users, store: createMemoryStore() });
    await expect(auth.startReset({ login: ada.login })).rejects.toThrow('notify');
  });
});

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const kit = makeAuth(options);
    return { ...kit, app: serve(express, kit) };
  }

  test('register, finish, change the address and reset through the router', async () => {
    const { app, link } = makeApp();
    const post = (path: string, body: object, token?: string) => {
      const sent = request(app).post(`/auth${path}`);
      return (token ? sent.set('authorization', `Bearer ${token}`) : sent).send(body);
    };
    expect((await post('/register', { login: ada.login, password })).status).toBe(202);
    const token = await link('complete-registration', ada.login);
    expect((await post('/register/complete', { token, password })).status).toBe(201);
    const { body } = await post('/sign-in', ada);
    const access = (body as { access_token: string }).access_token;
    expect((await post('/login', { login: 'eve@library.example', password })).status).toBe(401);
    expect((await post('/login', { login: 'eve@library.example', password }, access)).status).toBe(202);
    const change = await link('confirm-login', 'eve@library.example');
    expect((await post('/login/complete', { token: change })).status).toBe(204);
    expect((await post('/reset', { login: 'eve@library.example' })).status).toBe(202);
    const reset = await link('reset-password', 'eve@library.example');
    expect((await post('/reset/complete', { token: reset, password: other })).status).toBe(200);
    expect((await post('/sign-in', { login: 'eve@library.example', password: other })).status).toBe(200);
    for (const [path, bad] of [
      ['/register', {}],
      ['/register', { login: 'no address' }],
      ['/register/complete', { token: 7, password }],
      ['/reset', { login: ['a@b.example'] }],
      ['/reset/complete', { token: 'x' }],
      ['/login/complete', {}],
    ] as const) {
      expect([path, (await post(path, bad)).status]).toEqual([path, 400]);
    }
  });

  test('ASVS V6.3.8: CVE-2024-45231: what begins in a mailbox answers alike whoever it is, also if the mailer throws', async () => {
    const { app, users } = makeApp({ notify: () => Promise.reject(new Error('no such mailbox')) });
    users.put({ id: 'a', login: ada.login, active: true, passwordHash: 'x' });
    users.put({ id: 'b', login: 'closed@library.example', active: false, passwordHash: 'x' });
    users.put({
      id: 'c',
      login: 'fresh@library.example',
      active: true,
      emailVerified: false,
      passwordHash: 'x',
    });
    users.put({ id: 'd', login: 'passkey@library.example', active: true, passwordHash: null });
    for (const path of ['/auth/register', '/auth/reset']) {
      const answers = new Set<string>();
      for (const name of ['ada', 'closed', 'fresh', 'passkey', 'nobody']) {
        const { status, headers, text } = await request(app)
          .post(path)
          .send({ login: `${name}@library.example` });
        const { date: _date, 'x-request-id': _id, ...rest } = headers as Record<string, string>;
        answers.add(JSON.stringify({ status, rest, text }));
      }
      expect([...answers]).toHaveLength(1);
      expect([...answers][0]).toContain('"status":202');
    }
  });
});
