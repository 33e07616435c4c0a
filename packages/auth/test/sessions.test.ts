import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  coreErrors,
  createFreshness,
  createMemoryFeed,
  createMemoryStore,
  type Freshness,
  type Sql,
} from '@portcullis/core';
import { feedMigrations, fromPg, fromPglite, migrate, postgresFeed } from '@portcullis/core/postgres';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { redisStore } from '@portcullis/core/redis';
import {
  describeWithPostgres,
  describeWithRedis,
  startPostgres,
  startRedis,
  type PostgresServer,
  type RedisServer,
} from '@portcullis/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import {
  createSessions,
  createTokens,
  generateKeys,
  keyValueSessions,
  type SessionsOptions,
  type SessionStore,
} from '../src/index.js';
import { accountMigrations, authMigrations, postgresSessions, postgresUsers } from '../src/postgres.js';
import { memoryUsers, sessionStoreSuite, userPortSuite } from '../src/testing.js';

const keys = generateKeys();

function kit(store: SessionStore, options: Partial<SessionsOptions> = {}) {
  const clock = manualClock({ now: Date.now() });
  const events = recordedEvents({ clock });
  const tokens = createTokens({ issuer: 'i', audience: 'a', keys, clock });
  const sessions = createSessions({ store, tokens, clock, events, ...options });
  const signIn = async (userId = `u-${Math.random()}`) =>
    sessions.create({ userId, epoch: await sessions.epoch(userId) });
  return { clock, events, tokens, sessions, signIn };
}

const memory = () => keyValueSessions({ store: createMemoryStore() });
const refused = (code: string) => expect.objectContaining({ code, status: 401 });

/** What must hold wherever the sessions are. */
function rotationClaims(name: string, makeStore: () => SessionStore): void {
  describe(`refresh on ${name}`, () => {
    test('ASVS V10.4.5 V15.4.2: CVE-2026-53517: of 50 uses of one token at once all receive one and the same pair; there is one successor', async () => {
      const { sessions, signIn, events } = kit(makeStore());
      let pair = await signIn();
      for (let round = 0; round < 5; round++) {
        const before = pair.refreshToken;
        const answers = await Promise.all(Array.from({ length: 50 }, () => sessions.refresh(before)));
        expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
        pair = answers[0]!;
        expect(pair.refreshToken).not.toBe(before);
      }
      const { userId } = pair;
      expect(
        events.of('auth.refreshed').filter((event) => event.userId === userId && !event.replayed),
      ).toHaveLength(5);
      expect(events.of('auth.token-reused')).toHaveLength(0);
      expect(await sessions.list(userId)).toHaveLength(1);
    });

    test('a lost answer is no theft: a retry within the grace window receives the same pair', async () => {
      const { sessions, signIn, clock } = kit(makeStore());
      const first = await signIn();
      const second = await sessions.refresh(first.refreshToken);
      clock.advance('20s');
      expect(await sessions.refresh(first.refreshToken)).toEqual(second);
      expect((await sessions.refresh(second.refreshToken)).sessionId).toBe(first.sessionId);
    });

    test('ASVS V10.4.5: a stolen token ends the session for thief and owner, in whatever order they come', async () => {
      for (const thiefFirst of [true, false]) {
        const { sessions, signIn, clock, events, tokens } = kit(makeStore());
        const stolen = await signIn();
        const taken = await sessions.refresh(stolen.refreshToken);
        clock.advance(20_001);
        await expect(sessions.refresh(stolen.refreshToken)).rejects.toEqual(refused('E_TOKEN_REUSED'));
        expect(events.of('auth.token-reused')).toMatchObject([
          { userId: stolen.userId, sessionId: stolen.sessionId },
        ]);
        for (const { refreshToken } of thiefFirst ? [taken, stolen] : [stolen, taken]) {
          await expect(sessions.refresh(refreshToken)).rejects.toEqual(refused('E_SESSION_ENDED'));
        }
        await expect(sessions.check(tokens.verify(taken.accessToken))).rejects.toEqual(
          refused('E_SESSION_ENDED'),
        );
        expect(await sessions.list(stolen.userId)).toEqual([]);
      }
    });

    test('a token older than the last one ends the session even within the grace window', async () => {
      const { sessions, signIn } = kit(makeStore());
      const first = await signIn();
      await sessions.refresh((await sessions.refresh(first.refreshToken)).refreshToken);
      await expect(sessions.refresh(first.refreshToken)).rejects.toEqual(refused('E_TOKEN_REUSED'));
    });

    test('who knows only the id of a session can neither renew nor end it', async () => {
      const { sessions, signIn } = kit(makeStore());
      const mine = await signIn();
      const other = await signIn();
      const bytes = Buffer.from(other.refreshToken, 'base64url');
      Buffer.from(mine.sessionId.replaceAll('-', ''), 'hex').copy(bytes);
      await expect(sessions.refresh(bytes.toString('base64url'))).rejects.toEqual(refused('E_TOKEN_INVALID'));
      await sessions.end(bytes.toString('base64url'));
      const forged = Buffer.from(mine.refreshToken, 'base64url');
      for (const at of [16, 19, 20, 51, 52, 67]) {
        const copy = Buffer.from(forged);
        copy[at]! ^= 1;
        await expect(sessions.refresh(copy.toString('base64url'))).rejects.toEqual(
          refused('E_TOKEN_INVALID'),
        );
      }
      expect((await sessions.refresh(mine.refreshToken)).sessionId).toBe(mine.sessionId);
    });

    test('ASVS V7.4.1: CVE-2020-10594: a revoked session neither answers nor refreshes', async () => {
      const { sessions, signIn, tokens } = kit(makeStore());
      const [one, two, three] = [await signIn('ada'), await signIn('ada'), await signIn('ada')];
      expect(await sessions.revoke('bob', one.sessionId)).toBe(false);
      expect((await sessions.check(tokens.verify(one.accessToken))).id).toBe('ada');
      expect(await sessions.revoke('ada', one.sessionId)).toBe(true);
      expect(await sessions.revokeOthers('ada', two.sessionId)).toBe(1);
      for (const gone of [one, three]) {
        await expect(sessions.check(tokens.verify(gone.accessToken))).rejects.toEqual(
          refused('E_SESSION_ENDED'),
        );
        await expect(sessions.refresh(gone.refreshToken)).rejects.toEqual(refused('E_SESSION_ENDED'));
      }
      expect((await sessions.check(tokens.verify(two.accessToken))).sessionId).toBe(two.sessionId);
      expect(await sessions.revokeAll('ada')).toBe(1);
      await expect(sessions.check(tokens.verify(two.accessToken))).rejects.toEqual(
        refused('E_SESSION_ENDED'),
      );
    });
  });
}

describe('memory', () => {
  sessionStoreSuite('memory', memory);
  rotationClaims('memory', memory);

  test('ASVS V7.3.1 V7.3.2 V10.4.8: a session ends when it has been idle, and at its absolute end however busy it is', async () => {
    const idle = kit(memory());
    const unused = await idle.signIn();
    idle.clock.advance('1d');
    await expect(idle.sessions.refresh(unused.refreshToken)).rejects.toMatchObject({ status: 401 });

    const { sessions, signIn, clock, tokens } = kit(memory(), { absolute: '3d' });
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
    const { sessions, signIn, tokens, events } = kit(memory(), { isActive: async () => active });
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
    const { sessions, signIn, events } = kit(keyValueSessions({ store: spy }));
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
    const { sessions, tokens } = kit(memory());
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
      expect(() => kit(memory(), options as Partial<SessionsOptions>)).toThrow(message);
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
    const here = kit(counting(), { freshness: createFreshness({ feed }) });
    const there = kit(counting(), { freshness: createFreshness({ feed }) });
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
    const { sessions, signIn } = kit(memory(), { freshness });
    const pair = await signIn('ada');
    await sessions.revoke('ada', pair.sessionId, 'revoked');
    expect(settled).toBe(0);
    await sessions.revoke('ada', pair.sessionId, 'revoked', { strict: true });
    await sessions.revokeOthers('ada', pair.sessionId, 'revoked', { strict: true });
    await sessions.revokeAll('ada', 'revoked', { strict: true });
    expect(settled).toBe(3);
  });

  test('a theft is told even when the end of the session cannot be written; the end is told once', async () => {
    const inner = memory();
    let down = true;
    const store: SessionStore = {
      ...inner,
      end: (id, userId) => (down ? Promise.reject(new Error('down')) : inner.end(id, userId)),
    };
    const { sessions, signIn, clock, events } = kit(store);
    const stolen = await signIn('ada');
    await sessions.refresh(stolen.refreshToken);
    clock.advance(20_001);
    await expect(sessions.refresh(stolen.refreshToken)).rejects.toThrow('down');
    expect(events.of('auth.token-reused')).toHaveLength(1);
    expect(events.of('auth.session-revoked')).toHaveLength(0);
    down = false;
    await Promise.allSettled(Array.from({ length: 20 }, () => sessions.refresh(stolen.refreshToken)));
    expect(events.of('auth.session-revoked')).toMatchObject([{ reason: 'token-reused' }]);
  });

  test('a session that is revoked while it is being read is not remembered as live', async () => {
    const store = createMemoryStore();
    const feed = createMemoryFeed();
    const elsewhere = kit(keyValueSessions({ store, feed }));
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
    const here = kit(slow, { freshness: createFreshness({ feed }) });
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
    const { sessions, signIn, tokens } = kit(memory(), { freshness });
    const claims = tokens.verify((await signIn('ada')).accessToken);
    await sessions.check(claims);
    lease.held = false;
    await expect(sessions.check(claims)).rejects.toMatchObject({ code: 'E_STALE', status: 503 });
    lease.held = true;
    expect((await sessions.check(claims)).id).toBe('ada');
  });

  userPortSuite('memoryUsers', memoryUsers);
});

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await PGlite.create();
    sql = fromPglite(db);
    await migrate(sql, [...feedMigrations, ...authMigrations, ...accountMigrations]);
  }, 60_000);
  afterAll(() => db.close());

  sessionStoreSuite('postgresSessions on PGlite', () =>
    postgresSessions({ sql, feed: postgresFeed({ sql }) }),
  );
  userPortSuite('postgresUsers on PGlite', () => postgresUsers({ sql }));
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 10 });
    sql = fromPg(pool, { timeoutMs: 2_000 });
    await migrate(sql, [...feedMigrations, ...authMigrations, ...accountMigrations]);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  const store = () => postgresSessions({ sql, feed: postgresFeed({ sql }) });
  sessionStoreSuite('postgresSessions', store);
  rotationClaims('PostgreSQL', store);
  userPortSuite('postgresUsers', () => postgresUsers({ sql }));

  test('expired sessions are swept away', async () => {
    const { sessions, signIn, clock } = kit(store());
    const { userId } = await signIn();
    await postgresSessions({ sql }).sweep(clock.now());
    expect(await sessions.list(userId)).toHaveLength(1);
    expect(await postgresSessions({ sql }).sweep(clock.now() + 86_400_000)).toBeGreaterThan(0);
    expect(await sessions.list(userId)).toHaveLength(0);
  });
});

describeWithRedis('Redis', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url, { autoResendUnfulfilledCommands: false });
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  const store = () => keyValueSessions({ store: redisStore(client, { timeoutMs: 5_000 }) });
  sessionStoreSuite('keyValueSessions on Redis', store);
  rotationClaims('Redis', store);

  test('nothing stays for ever: every key of a session has an end', async () => {
    const { sessions, signIn } = kit(store());
    await sessions.revokeAll((await signIn()).userId);
    await sessions.refresh((await signIn()).refreshToken);
    const keys = await client.keys('*');
    expect(keys.length).toBeGreaterThan(2);
    const ends = await Promise.all(keys.map((key) => client.pttl(key)));
    expect(ends.filter((ttl) => ttl <= 0)).toEqual([]);
  });
});
