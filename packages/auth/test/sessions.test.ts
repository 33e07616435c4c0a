import { describe, expect, test } from '@jest/globals';
import {
  coreErrors,
  createFreshness,
  createMemoryFeed,
  createMemoryStore,
  type Freshness,
} from '@portcullis/core';
import { keyValueSessions, type SessionsOptions, type SessionStore } from '../src/index.js';
import { memoryUsers, sessionStoreSuite, userPortSuite } from '../src/testing.js';
import { memorySessions, refused, rotationClaims, sessionKit } from './support/sessions.js';

describe('memory', () => {
  sessionStoreSuite('memory', memorySessions);
  rotationClaims('memory', memorySessions);

  test('ASVS V7.3.1 V7.3.2 V10.4.8: a session ends when it has been idle, and at its absolute end however busy it is', async () => {
    const idle = sessionKit(memorySessions());
    const unused = await idle.signIn();
    idle.clock.advance('1d');
    await expect(idle.sessions.refresh(unused.refreshToken)).rejects.toMatchObject({ status: 401 });

    const { sessions, signIn, clock, tokens } = sessionKit(memorySessions(), { absolute: '3d' });
    let pair = await signIn();
    const end = clock.now() + 3 * 86_400_000;
    for (let hour = 0; hour < 71; hour += 23) {
      clock.advance('23h');
      pair = await sessions.refresh(pair.refreshToken);
      expect(pair.refreshExpiresAt).toBe(Math.min(clock.now() + 86_400_000, end));
      if (clock.now() + 23 * 3_600_000 >= end) break;
    }
    clock.advance(end - clock.now() - 1_000);
    const last = await sessions.refresh(pair.refreshToken);
    const claims = tokens.verify(last.accessToken);
    clock.advance(1_000);
    // The last access token ends with the session, and who verified it before is told by the session.
    expect(() => tokens.verify(last.accessToken)).toThrow(refused('E_TOKEN_EXPIRED') as never);
    await expect(sessions.check(claims)).rejects.toEqual(refused('E_SESSION_ENDED'));
    await expect(sessions.refresh(last.refreshToken)).rejects.toMatchObject({ status: 401 });
  });

  test('CVE-2024-22513: an account that was closed cannot refresh, and loses all its sessions', async () => {
    let active = true;
    const { sessions, signIn, tokens, events } = sessionKit(memorySessions(), {
      isActive: async () => active,
    });
    const [one, two] = [await signIn('ada'), await signIn('ada')];
    active = false;
    await expect(sessions.refresh(one.refreshToken)).rejects.toEqual(refused('E_SESSION_ENDED'));
    await expect(sessions.check(tokens.verify(two.accessToken))).rejects.toEqual(refused('E_SESSION_ENDED'));
    expect(events.of('auth.session-revoked')).toMatchObject([{ reason: 'deactivated' }]);
  });

  test('nothing that is stored or emitted lets anybody act: neither tokens nor their secrets', async () => {
    const store = createMemoryStore();
    const written: string[] = [];
    const spy = new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          written.push(JSON.stringify(args));
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    const { sessions, signIn, events } = sessionKit(keyValueSessions({ store: spy }));
    const first = await signIn();
    const second = await sessions.refresh(first.refreshToken);
    const everything = written.join() + JSON.stringify(events.all);
    for (const { accessToken, refreshToken } of [first, second]) {
      expect(everything).not.toContain(refreshToken);
      expect(everything).not.toContain(refreshToken.slice(30, 60));
      expect(everything).not.toContain(accessToken.split('.')[2]);
    }
  });

  test('what is no refresh token is a 401', async () => {
    const { sessions, tokens } = sessionKit(memorySessions());
    for (const bad of [
      undefined,
      null,
      7,
      {},
      '',
      'x'.repeat(91),
      '='.repeat(91),
      'A'.repeat(90),
      'A'.repeat(100_000),
      ['x'],
    ]) {
      await expect(sessions.refresh(bad)).rejects.toMatchObject({ status: 401 });
      await sessions.end(bad);
    }
    const odd = tokens.issue({ userId: 'u', sessionId: 'not-a-uuid' });
    await expect(sessions.check(tokens.verify(odd.token))).rejects.toEqual(refused('E_SESSION_ENDED'));
  });

  test('lifetimes that contradict each other do not start', () => {
    for (const [options, message] of [
      [{ refreshTtl: '10m' }, /longer than the lifetime of an access token/],
      [{ absolute: '1h' }, /absolute/],
      [{ grace: '10m' }, /grace/],
      [{ refreshTtl: '2m', grace: '2m' }, /refreshTtl/],
      [{ max: 0 }, /max/],
      [{ idle: '1d' }, /no option "idle"/],
    ] as const) {
      expect(() => sessionKit(memorySessions(), options as Partial<SessionsOptions>)).toThrow(message);
    }
  });

  test('under a lease live sessions are answered from memory, and a revoke reaches every process that follows the feed', async () => {
    const store = createMemoryStore();
    const feed = createMemoryFeed();
    let reads = 0;
    const counting = () => {
      const inner = keyValueSessions({ store, feed });
      return { ...inner, find: (id: string) => (reads++, inner.find(id)) };
    };
    const here = sessionKit(counting(), { freshness: createFreshness({ feed }) });
    const there = sessionKit(counting(), { freshness: createFreshness({ feed }) });
    const pair = await here.signIn('ada');
    const claims = here.tokens.verify(pair.accessToken);
    for (let i = 0; i < 20; i++) expect((await there.sessions.check(claims)).id).toBe('ada');
    expect(reads).toBe(1);
    there.clock.advance('30s');
    await there.sessions.check(claims);
    expect(reads).toBe(2); // What is remembered has an end of its own.
    await here.sessions.revoke('ada', pair.sessionId);
    await expect(there.sessions.check(claims)).rejects.toEqual(refused('E_SESSION_ENDED'));
  });

  test('a strict revoke resolves when the lease of every process has ended', async () => {
    let settled = 0;
    const inner = createFreshness({ feed: createMemoryFeed() });
    const freshness: Freshness = {
      ...inner,
      revision: 0,
      current: () => inner.current(),
      ensure: () => inner.ensure(),
      changedAt: (topic, subject) => inner.changedAt(topic, subject),
      onChanges: (topic, evict) => inner.onChanges(topic, evict),
      settled: async () => void settled++,
    };
    const { sessions, signIn } = sessionKit(memorySessions(), { freshness });
    const pair = await signIn('ada');
    await sessions.revoke('ada', pair.sessionId, 'revoked');
    expect(settled).toBe(0);
    await sessions.revoke('ada', pair.sessionId, 'revoked', { strict: true });
    await sessions.revokeOthers('ada', pair.sessionId, 'revoked', { strict: true });
    await sessions.revokeAll('ada', 'revoked', { strict: true });
    expect(settled).toBe(3);
  });

  test('a theft is told even when the end of the session cannot be written; the end is told once', async () => {
    const inner = memorySessions();
    let down = true;
    const store: SessionStore = {
      ...inner,
      end: (id, userId) => (down ? Promise.reject(new Error('down')) : inner.end(id, userId)),
    };
    const { sessions, signIn, clock, events } = sessionKit(store);
    const stolen = await signIn('ada');
    await sessions.refresh(stolen.refreshToken);
    clock.advance(20_001);
    await expect(sessions.refresh(stolen.refreshToken)).rejects.toMatchObject({
      code: 'E_STORE_UNAVAILABLE',
    });
    expect(events.of('auth.token-reused')).toHaveLength(1);
    expect(events.of('auth.session-revoked')).toHaveLength(0);
    down = false;
    await Promise.allSettled(Array.from({ length: 20 }, () => sessions.refresh(stolen.refreshToken)));
    expect(events.of('auth.session-revoked')).toMatchObject([{ reason: 'token-reused' }]);
  });

  test('a session that is revoked while it is being read is not remembered as live', async () => {
    const store = createMemoryStore();
    const feed = createMemoryFeed();
    const elsewhere = sessionKit(keyValueSessions({ store, feed }));
    const pair = await elsewhere.signIn('ada');
    const inner = keyValueSessions({ store, feed });
    let overtaken = false;
    const slow: SessionStore = {
      ...inner,
      async find(id) {
        const found = await inner.find(id);
        if (!overtaken) await elsewhere.sessions.revoke('ada', pair.sessionId);
        overtaken = true;
        return found;
      },
    };
    const here = sessionKit(slow, { freshness: createFreshness({ feed }) });
    const claims = elsewhere.tokens.verify(pair.accessToken);
    await here.sessions.check(claims); // Read before the revoke: it may still count.
    expect(overtaken).toBe(true);
    await expect(here.sessions.check(claims)).rejects.toEqual(refused('E_SESSION_ENDED'));
  });

  test('without a lease nothing that is remembered counts: 503 until it is renewed', async () => {
    const lease = { held: true };
    const freshness: Freshness = {
      current: () => lease.held,
      ensure: async () => {
        if (!lease.held) throw coreErrors.E_STALE();
      },
      revision: 0,
      changedAt: () => 0,
      onChanges: () => () => undefined,
      settled: async () => undefined,
      leaseMs: 1000,
      stop: async () => undefined,
    };
    const { sessions, signIn, tokens } = sessionKit(memorySessions(), { freshness });
    const claims = tokens.verify((await signIn('ada')).accessToken);
    await sessions.check(claims);
    lease.held = false;
    await expect(sessions.check(claims)).rejects.toMatchObject({ code: 'E_STALE', status: 503 });
    lease.held = true;
    expect((await sessions.check(claims)).id).toBe('ada');
  });

  userPortSuite('memoryUsers', memoryUsers);
});
