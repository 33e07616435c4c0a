import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, type Freshness } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import {
  createSessions,
  createTokens,
  generateKeys,
  keyValueSessions,
  type Sessions,
  type SessionsOptions,
  type SessionStore,
} from '../src/index.js';

const keys = generateKeys();
const DAY = 86_400_000;
const binding = { jkt: 'A'.repeat(43) };
const thief = { jkt: 'B'.repeat(43) };

function kit(options: Partial<SessionsOptions> = {}, accessTtl = '10m' as never) {
  const clock = manualClock();
  const events = recordedEvents({ clock });
  const tokens = createTokens({ issuer: 'i', audience: 'a', keys, clock, accessTtl });
  const asked: string[] = [];
  // The store stays on the system's clock: what has ended here is still there, and the rules must see it.
  const inner = keyValueSessions({ store: createMemoryStore() });
  const store: SessionStore = {
    ...inner,
    find: (id) => (asked.push(`find ${id}`), inner.find(id)),
    end: (id, userId) => (asked.push(`end ${id}`), inner.end(id, userId)),
  };
  const sessions = createSessions({ store, tokens, clock, events, ...options });
  const signIn = async (
    start: Partial<Parameters<Sessions['create']>[0]> = {},
    meta?: Parameters<Sessions['create']>[1],
  ) => {
    const { userId = 'ada' } = start;
    return sessions.create({ userId, epoch: await sessions.epoch(userId), ...start }, meta);
  };
  const check = ({ accessToken }: { accessToken: string }) =>
    sessions.check(tokens.verify(accessToken, { bound: true }));
  return { clock, events, tokens, asked, store, sessions, signIn, check };
}
const refused = (code: string) => expect.objectContaining({ code, status: 401 });
const ended = refused('E_SESSION_ENDED');

/** A lease that no change ever reaches: only what this process forgets by itself is forgotten. */
function deafLease() {
  const state = { settled: 0 };
  const freshness: Freshness = {
    current: () => true,
    ensure: async () => undefined,
    revision: 0,
    changedAt: () => 0,
    onChanges: () => () => undefined,
    settled: async () => void state.settled++,
    leaseMs: 1000,
    stop: async () => undefined,
  };
  return { freshness, state };
}

describe('lifetimes', () => {
  test('reach from a minute to a year, and the settings that fit each other start', () => {
    for (const options of [
      { refreshTtl: '365d', absolute: '400d', grace: '5m' },
      { refreshTtl: '11m', absolute: '11m' },
      { refreshTtl: 600_001, absolute: 600_001, grace: 0 },
    ] as const)
      expect(kit(options).sessions.stateless).toBe(false);
  });

  test.each<[Partial<SessionsOptions>, RegExp]>([
    [{ refreshTtl: '366d', absolute: '400d' }, /refreshTtl must be between/],
    [{ absolute: '401d' }, /absolute must be between/],
    [{ grace: 300_001 }, /grace must be between/],
    [{ refreshTtl: '1m' }, /refreshTtl must be longer than the lifetime of an access token/],
    [{ refreshTtl: '5m', absolute: 299_999 }, /absolute must be at least refreshTtl/],
    [{ refreshTtl: '5m', grace: '5m' }, /grace must be shorter than refreshTtl/],
  ])('%j does not start', (options, message) => {
    expect(() => kit(options, '1m' as never)).toThrow(message);
  });

  test('a token is refused at the moment its session has been idle, and one at the end of it all as ended', async () => {
    const { signIn, sessions, clock, store } = kit({ absolute: '36h' });
    const [idle, busy] = [await signIn(), await signIn()];
    clock.advance(DAY - 1);
    const next = await sessions.refresh(busy.refreshToken);
    expect(next.refreshExpiresAt).toBe(busy.refreshExpiresAt + DAY / 2);
    clock.advance(1);
    await expect(sessions.refresh(idle.refreshToken)).rejects.toEqual(refused('E_TOKEN_EXPIRED'));
    expect(await store.find(idle.sessionId)).toBeUndefined();
    clock.advance(DAY / 2 - 1);
    expect((await sessions.refresh(next.refreshToken)).refreshExpiresAt).toBe(next.refreshExpiresAt);
    const other = kit({ absolute: '1d' });
    const whole = await other.signIn();
    other.clock.advance(DAY);
    await expect(other.sessions.refresh(whole.refreshToken)).rejects.toEqual(ended);
    expect(await other.store.find(whole.sessionId)).toBeUndefined();
  });

  test('one may end earlier than the others, and a check sees it to the millisecond', async () => {
    const { signIn, tokens, sessions, clock } = kit();
    const pair = await signIn({ lifetime: 90_000 });
    expect(pair).toMatchObject({
      accessExpiresAt: clock.now() + 90_000,
      refreshExpiresAt: clock.now() + 90_000,
    });
    const claims = tokens.verify(pair.accessToken);
    clock.advance(89_999);
    expect((await sessions.check(claims)).id).toBe('ada');
    clock.advance(1);
    await expect(sessions.check(claims)).rejects.toEqual(ended);
  });

  test('what is idle is not listed; the last used is first', async () => {
    const { signIn, sessions, clock } = kit();
    const [one, two, three] = [
      await signIn(),
      (clock.advance(10), await signIn()),
      (clock.advance(10), await signIn()),
    ];
    const ids = async () => (await sessions.list('ada')).map(({ id }) => id);
    expect(await ids()).toEqual([three, two, one].map(({ sessionId }) => sessionId));
    clock.advance(10);
    await sessions.refresh(two.refreshToken);
    expect(await ids()).toEqual([two, three, one].map(({ sessionId }) => sessionId));
    clock.advance(DAY - 31);
    expect(await ids()).toHaveLength(3);
    clock.advance(1);
    expect(await ids()).toEqual([two, three].map(({ sessionId }) => sessionId));
  });
});

describe('a beginning', () => {
  test('tells nobody of an end; beyond the bound it tells which ended', async () => {
    const { signIn, events } = kit({ max: 1 });
    const first = await signIn();
    expect(events.of('auth.session-revoked')).toEqual([]);
    await signIn();
    expect(events.of('auth.session-revoked')).toMatchObject([
      { userId: 'ada', sessionIds: [first.sessionId], reason: 'too-many-sessions' },
    ]);
  });

  test('is refused as ended if all sessions of the user ended since the epoch was read', async () => {
    const { sessions } = kit();
    const epoch = await sessions.epoch('ada');
    await sessions.revokeAll('ada');
    await expect(sessions.create({ userId: 'ada', epoch })).rejects.toEqual(ended);
    expect(await sessions.list('ada')).toEqual([]);
  });

  test('of somebody who acts for a user ends none of that user', async () => {
    const { signIn, check } = kit({ max: 1 });
    const own = await signIn();
    const staff = await signIn({ userId: 'staff' });
    const acting = await signIn({ actor: { id: 'staff', sessionId: staff.sessionId } });
    expect(await check(acting)).toMatchObject({ id: 'ada', actor: { id: 'staff' } });
    expect(await check(own)).not.toHaveProperty('actor');
  });

  test('is described by what the client said of itself, and only if it said it', async () => {
    const { signIn, sessions } = kit();
    await signIn({}, { ip: '192.0.2.1', userAgent: `${'x'.repeat(255)}\0yz` });
    await signIn({ userId: 'bob' });
    const [told] = await sessions.list('ada');
    const [silent] = await sessions.list('bob');
    expect(told).toMatchObject({ address: '192.0.2.1', userAgent: `${'x'.repeat(255)}y` });
    for (const name of ['address', 'userAgent', 'binding', 'actor']) expect(silent).not.toHaveProperty(name);
  });
});

describe('a key', () => {
  test('binds both tokens; without it there is neither refresh nor end', async () => {
    const { signIn, sessions, tokens, check } = kit();
    const pair = await signIn({}, { binding });
    expect(pair.tokenType).toBe('DPoP');
    const claims = tokens.verify(pair.accessToken, { bound: true });
    expect(claims).toMatchObject({ cnf: binding });
    expect(claims).not.toHaveProperty('jkt');
    for (const meta of [undefined, {}, { binding: thief }])
      await expect(sessions.refresh(pair.refreshToken, meta)).rejects.toEqual(refused('E_TOKEN_INVALID'));
    const next = await sessions.refresh(pair.refreshToken, { binding });
    expect(next.tokenType).toBe('DPoP');
    expect((await check(next)).id).toBe('ada');
    expect(await sessions.list('ada')).toMatchObject([{ binding }]);
  });

  test('that was not asked for binds nothing', async () => {
    const { signIn, tokens } = kit();
    const pair = await signIn();
    expect(pair.tokenType).toBe('Bearer');
    const claims = tokens.verify(pair.accessToken);
    for (const name of ['cnf', 'act']) expect(claims).not.toHaveProperty(name);
  });
});

describe('who acts for somebody', () => {
  test('is named in the access token, and nothing else of them is', async () => {
    const { signIn, tokens } = kit();
    const staff = await signIn({ userId: 'staff' });
    const acting = await signIn({ actor: { id: 'staff', sessionId: staff.sessionId } });
    const claims = tokens.verify(acting.accessToken);
    expect(claims).toMatchObject({ sub: 'ada', sid: acting.sessionId, act: { sub: 'staff' } });
    expect(claims).not.toHaveProperty('sessionId');
  });

  test('does so as long as their own session lives, to the millisecond', async () => {
    const { signIn, check, sessions, clock } = kit();
    const staff = await signIn({ userId: 'staff', lifetime: '5m' });
    const acting = await signIn({ actor: { id: 'staff', sessionId: staff.sessionId } });
    clock.advance(299_999);
    expect((await check(acting)).id).toBe('ada');
    clock.advance(1);
    await expect(check(acting)).rejects.toEqual(ended);
    await expect(sessions.refresh(acting.refreshToken)).rejects.toEqual(ended);
  });

  test('does so in no chain: who acts for an actor is nobody', async () => {
    const { signIn, check } = kit();
    const staff = await signIn({ userId: 'staff' });
    const acting = await signIn({ userId: 'bob', actor: { id: 'staff', sessionId: staff.sessionId } });
    const chain = await signIn({ actor: { id: 'bob', sessionId: acting.sessionId } });
    await expect(check(chain)).rejects.toEqual(ended);
    const nobody = await signIn({ actor: { id: 'staff', sessionId: chain.sessionId } });
    await expect(check(nobody)).rejects.toEqual(ended);
  });
});

describe('a check', () => {
  test('finds a session of its own user only', async () => {
    const { signIn, sessions, tokens } = kit();
    const { sessionId } = await signIn();
    const { token } = tokens.issue({ userId: 'bob', sessionId });
    await expect(sessions.check(tokens.verify(token))).rejects.toEqual(ended);
  });

  test('asks no store for what is no UUID, nor does an end', async () => {
    const { sessions, tokens, asked, events } = kit();
    const claims = tokens.verify(tokens.issue({ userId: 'ada', sessionId: 'x' }).token);
    const { sid: _sid, ...without } = claims;
    for (const one of [claims, without])
      await expect(sessions.check(one as typeof claims)).rejects.toEqual(ended);
    expect(await sessions.revoke('ada', "x' or '1'='1")).toBe(false);
    expect(asked).toEqual([]);
    expect(events.all).toEqual([]);
  });
});

describe('an end', () => {
  test('by a refresh token of the session, current or older, is a sign-out; of another it is none', async () => {
    const { signIn, sessions, check, events } = kit();
    for (const use of ['current', 'older'] as const) {
      events.clear();
      const first = await signIn();
      const second = await sessions.refresh(first.refreshToken);
      await sessions.end((use === 'older' ? first : second).refreshToken);
      await expect(check(second)).rejects.toEqual(ended);
      expect(events.of('auth.signed-out')).toMatchObject([{ userId: 'ada', sessionId: first.sessionId }]);
      await sessions.end(second.refreshToken);
      expect(events.of('auth.signed-out')).toHaveLength(1);
    }
  });

  test('is told with its reason if there was something to end, and otherwise not', async () => {
    const { signIn, sessions, events } = kit();
    const [one, two, three] = [await signIn(), await signIn(), await signIn()];
    events.clear();
    await sessions.revoke('ada', one.sessionId, 'signed-out');
    await sessions.revoke('ada', one.sessionId, 'signed-out');
    expect(events.all.map(({ type }) => type)).toEqual(['auth.signed-out']);
    events.clear();
    await sessions.revoke('ada', two.sessionId);
    await sessions.revoke('ada', two.sessionId);
    expect(events.all).toMatchObject([
      { type: 'auth.session-revoked', sessionIds: [two.sessionId], reason: 'revoked' },
    ]);
    events.clear();
    await sessions.revokeAll('ada', 'password-changed' as never);
    await sessions.revokeAll('ada');
    await sessions.revokeOthers('ada', three.sessionId);
    expect(events.all).toMatchObject([{ sessionIds: [three.sessionId], reason: 'password-changed' }]);
  });

  test('counts at once in the process that made it, before any change arrives', async () => {
    for (const how of [
      (sessions: Sessions, id: string) => sessions.revoke('ada', id),
      (sessions: Sessions) => sessions.revokeAll('ada'),
      (sessions: Sessions) => sessions.revokeOthers('ada', ''),
      (sessions: Sessions, _id: string, token: string) => sessions.end(token),
    ]) {
      const { freshness } = deafLease();
      const { signIn, sessions, check } = kit({ freshness });
      const pair = await signIn();
      await check(pair);
      await how(sessions, pair.sessionId, pair.refreshToken);
      await expect(check(pair)).rejects.toEqual(ended);
    }
  });

  test('by theft counts at once too, and tells from where the token came', async () => {
    const { freshness } = deafLease();
    const { signIn, sessions, check, clock, events } = kit({ freshness });
    const pair = await signIn();
    const next = await sessions.refresh(pair.refreshToken);
    await check(next);
    clock.advance(20_001);
    await expect(sessions.refresh(pair.refreshToken, { ip: '192.0.2.1' })).rejects.toEqual(
      refused('E_TOKEN_REUSED'),
    );
    await expect(check(next)).rejects.toEqual(ended);
    expect(events.of('auth.token-reused')).toMatchObject([{ sessionId: pair.sessionId, ip: '192.0.2.1' }]);
    await expect(sessions.refresh(pair.refreshToken)).rejects.toEqual(ended);
  });

  test('waits for the lease only where that is asked for', async () => {
    const { freshness, state } = deafLease();
    const { signIn, sessions } = kit({ freshness });
    const { sessionId } = await signIn();
    await sessions.revoke('ada', sessionId);
    await sessions.revokeOthers('ada', sessionId);
    await sessions.revokeAll('ada');
    expect(state.settled).toBe(0);
    await sessions.revoke('ada', sessionId, 'revoked', { strict: true });
    expect(state.settled).toBe(1);
    await sessions.revokeOthers('ada', sessionId, 'revoked', { strict: true });
    await sessions.revokeAll('ada', 'revoked', { strict: true });
    expect(state.settled).toBe(3);
  });
});

test('an answer that was lost is told as a repetition, within the window and at the end of it', async () => {
  const { signIn, sessions, clock, events } = kit();
  const first = await signIn();
  const second = await sessions.refresh(first.refreshToken);
  clock.advance(20_000);
  expect(await sessions.refresh(first.refreshToken)).toEqual(second);
  expect(events.of('auth.refreshed').map(({ replayed }) => replayed)).toEqual([false, true]);
  clock.advance(1);
  await expect(sessions.refresh(first.refreshToken)).rejects.toEqual(refused('E_TOKEN_REUSED'));
});

test('a closed account ends with all its sessions at the next refresh', async () => {
  let active = true;
  const { signIn, sessions, check, events } = kit({ isActive: async () => active });
  const [one, two] = [await signIn(), await signIn()];
  active = false;
  await expect(sessions.refresh(one.refreshToken)).rejects.toEqual(ended);
  await expect(check(two)).rejects.toEqual(ended);
  expect(events.of('auth.session-revoked')).toMatchObject([{ reason: 'deactivated' }]);
});
