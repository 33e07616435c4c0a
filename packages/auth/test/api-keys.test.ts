import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createFreshness,
  createMemoryFeed,
  createMemoryStore,
  systemRandom,
  type Sql,
} from '@portcullis/core';
import { feedMigrations, fromPg, fromPglite, migrate, postgresFeed } from '@portcullis/core/postgres';
import { redisFeed, redisStore } from '@portcullis/core/redis';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  describeWithRedis,
  embeddedPostgres,
  startPostgres,
  startRedis,
  type PostgresServer,
  type RedisServer,
} from '@portcullis/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createApiKeys, keyValueApiKeys, type ApiKeysOptions, type ApiKeyStore } from '../src/index.js';
import { authMigrations, postgresApiKeys } from '../src/postgres.js';
import { apiKeyStoreSuite } from '../src/testing.js';
import { makeApiKey, parseApiKey } from '../src/api-keys/api-key.js';

const memory = () => keyValueApiKeys({ store: createMemoryStore() });

function kit(options: Partial<ApiKeysOptions> = {}) {
  const clock = manualClock({ now: Math.floor(Date.now() / 1000) * 1000 });
  const events = recordedEvents({ clock });
  return {
    clock,
    events,
    keys: createApiKeys({ prefix: 'lib', store: memory(), clock, events, ...options }),
  };
}
const wanted = { name: 'Nightly import', scopes: ['book:create'] };
const refused = (fault: string) => ({ code: 'E_TOKEN_INVALID', status: 401, details: { fault } });

describe('API keys', () => {
  test('act for their owner, within their scopes, and are shown once', async () => {
    const { keys, events } = kit();
    const { key, info } = await keys.create('ada', wanted);
    expect(key).toMatch(/^lib_[0-9A-Za-z]{71}$/);
    expect(key).toMatch(keys.pattern);
    const principal = await keys.check(key);
    expect(principal).toEqual({ id: 'ada', kind: 'api-key', clientId: info.id, scopes: ['book:create'] });
    expect(Object.isFrozen(principal)).toBe(true);
    const listed = await keys.list('ada');
    expect(listed).toMatchObject([{ name: 'Nightly import', scopes: ['book:create'] }]);
    expect(JSON.stringify([listed, info, events.all])).not.toContain(key.slice(26, 60));
    expect(events.of('auth.api-key-created')).toMatchObject([{ userId: 'ada', keyId: info.id }]);
  });

  test('nothing that is stored lets anybody act', async () => {
    const store = createMemoryStore();
    const written: string[] = [];
    const set: typeof store.set = (...args) => {
      written.push(JSON.stringify(args));
      return store.set(...args);
    };
    const spied = new Proxy(store, {
      get(target, name) {
        const value: unknown = name === 'set' ? set : Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const { keys } = kit({ store: keyValueApiKeys({ store: spied }) });
    const { key } = await keys.create('ada', wanted);
    await keys.check(key);
    expect(written.length).toBeGreaterThan(1);
    expect(written.join()).not.toContain(key.slice(26, 60));
  });

  test('one that is mistyped, cut, of another prefix or invented asks no store', async () => {
    let asked = 0;
    const inner = memory();
    const store: ApiKeyStore = { ...inner, find: (id) => (asked++, inner.find(id)) };
    const { keys } = kit({ store });
    const { key } = await keys.create('ada', wanted);
    const changed = [...key];
    for (let i = 4; i < key.length; i++) {
      const copy = [...changed];
      copy[i] = copy[i] === 'A' ? 'B' : 'A';
      await expect(keys.check(copy.join(''))).rejects.toMatchObject(refused('api-key'));
    }
    for (const bad of [
      '',
      'lib_',
      key.slice(0, -1),
      `${key}0`,
      key.replace('lib_', 'bib_'),
      key.toLowerCase(),
      `lib_${'z'.repeat(71)}`,
    ])
      await expect(keys.check(bad)).rejects.toMatchObject(refused('api-key'));
    expect(asked).toBe(0);
    expect(await keys.check(key)).toBeDefined();
  });

  test('a key with the id of another and a right checksum is refused', async () => {
    const { keys } = kit();
    const { key, info } = await keys.create('ada', wanted);
    const forged = makeApiKey('lib', {
      ...systemRandom,
      bytes: (n) => systemRandom.bytes(n),
      uuid: () => info.id,
    });
    expect(parseApiKey('lib', forged.text)?.id).toBe(info.id);
    await expect(keys.check(forged.text)).rejects.toMatchObject(refused('api-key'));
    expect(await keys.check(key)).toBeDefined();
  });

  test('ends at its time, when its owner ends it, and nobody else can', async () => {
    const { keys, clock, events } = kit();
    const short = await keys.create('ada', { ...wanted, expiresIn: '1h' });
    const long = await keys.create('ada', wanted);
    expect(await keys.revoke('bob', long.info.id)).toBe(false);
    expect(await keys.revoke('ada', 'no-uuid')).toBe(false);
    clock.advance('1h');
    await expect(keys.check(short.key)).rejects.toMatchObject({ code: 'E_TOKEN_EXPIRED', status: 401 });
    expect(await keys.list('ada')).toHaveLength(1);
    expect(await keys.revoke('ada', long.info.id)).toBe(true);
    await expect(keys.check(long.key)).rejects.toMatchObject(refused('api-key'));
    expect(events.of('auth.api-key-revoked')).toEqual([
      expect.objectContaining({ userId: 'ada', keyIds: [long.info.id] }),
    ]);
  });

  test('of 20 keys more than the bound none is made; what is asked for wrongly is a 400 that names it', async () => {
    const { keys } = kit({ max: 2, scopes: ['book:read', 'book:create'] });
    await keys.create('ada', wanted);
    await keys.create('ada', wanted);
    await expect(keys.create('ada', wanted)).rejects.toMatchObject({ code: 'E_API_KEY_LIMIT', status: 409 });
    await keys.create('bob', wanted);
    for (const [bad, pointer] of [
      [{ ...wanted, name: '' }, '/name'],
      [{ ...wanted, name: 7 }, '/name'],
      [{ ...wanted, name: 'x'.repeat(101) }, '/name'],
      [{ ...wanted, scopes: [] }, '/scopes'],
      [{ ...wanted, scopes: 'book:read' }, '/scopes'],
      [{ ...wanted, scopes: ['loan:create'] }, '/scopes'],
      [{ ...wanted, scopes: ['book:read', 'book:read'] }, '/scopes'],
      [{ ...wanted, expiresIn: '2y' }, '/expires_in'],
      [{ ...wanted, expiresIn: '366d' }, '/expires_in'],
      [{ ...wanted, expiresIn: -1 }, '/expires_in'],
    ] as const) {
      await expect(keys.create('eve', bad as never)).rejects.toMatchObject({
        code: 'E_VALIDATION',
        problem: { errors: [{ pointer }] },
      });
    }
  });

  test('without a list of scopes any of the right form may be given, and no wildcard', async () => {
    const { keys } = kit();
    await keys.create('ada', { ...wanted, scopes: ['book:read', 'loan:read:own'] });
    for (const scope of ['*', 'book:*', 'book', 'Book:read', 'book read', ''])
      await expect(keys.create('ada', { ...wanted, scopes: [scope] })).rejects.toMatchObject({ status: 400 });
  });

  test('the last use is noted to the minute, and a store that cannot note it refuses nobody', async () => {
    const inner = memory();
    let notes = 0;
    let down = false;
    const store: ApiKeyStore = {
      ...inner,
      touch: async (id, at) => {
        notes++;
        if (down) throw new Error('down');
        await inner.touch(id, at);
      },
    };
    const { keys, clock } = kit({ store });
    const { key } = await keys.create('ada', wanted);
    expect((await keys.list('ada'))[0]!.lastUsedAt).toBeNull();
    for (let i = 0; i < 10; i++) await keys.check(key);
    expect(notes).toBe(1);
    expect((await keys.list('ada'))[0]!.lastUsedAt).toBe(clock.now());
    down = true;
    clock.advance('1m');
    expect(await keys.check(key)).toBeDefined();
    expect(notes).toBe(2);
  });

  test('CVE-2024-22513: the keys of a closed account end, one that is being made meanwhile too', async () => {
    let active = true;
    const { keys } = kit({ isActive: async () => active });
    const { key } = await keys.create('ada', wanted);
    active = false;
    await expect(keys.check(key)).rejects.toMatchObject(refused('api-key'));
    await expect(keys.create('ada', wanted)).rejects.toMatchObject({ code: 'E_SESSION_ENDED' });
    active = true;
    expect(await keys.list('ada')).toHaveLength(1);
  });

  test('under a lease keys are answered from memory, and an end reaches every process that follows the feed', async () => {
    const store = createMemoryStore();
    const feed = createMemoryFeed();
    let reads = 0;
    const process = () => {
      const inner = keyValueApiKeys({ store, feed });
      return kit({
        store: { ...inner, find: (id) => (reads++, inner.find(id)) },
        freshness: createFreshness({ feed }),
      }).keys;
    };
    const [here, there] = [process(), process()];
    const { key, info } = await here.create('ada', wanted);
    for (let i = 0; i < 10; i++) await there.check(key);
    expect(reads).toBe(1);
    await here.revoke('ada', info.id, { strict: true });
    await expect(there.check(key)).rejects.toMatchObject(refused('api-key'));
    const second = await here.create('ada', wanted);
    await there.check(second.key);
    expect(await here.revokeAll('ada', { strict: true })).toBe(1);
    await expect(there.check(second.key)).rejects.toMatchObject(refused('api-key'));
  });

  test.each<[string, object, RegExp]>([
    ['no prefix', { prefix: undefined }, /prefix/],
    ['a prefix with a dash', { prefix: 'my-app' }, /prefix/],
    ['a prefix of one letter', { prefix: 'a' }, /prefix/],
    ['no store', { store: undefined }, /store/],
    ['keys for ever', { maxTtl: '500d' }, /maxTtl/],
    ['keys without bound', { max: 100_000 }, /max/],
    ['a wildcard as scope', { scopes: ['book:*'] }, /scopes/],
    ['a near miss', { prefx: 'lib' }, /Did you mean "prefix"/],
  ])('%s does not start', (_title, options, message) => {
    expect(() => kit(options)).toThrow(message);
  });
});

apiKeyStoreSuite('memory', memory);

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db);
    await migrate(sql, [...feedMigrations, ...authMigrations]);
  }, 60_000);
  afterAll(() => db.close());
  apiKeyStoreSuite('postgresApiKeys on PGlite', () => postgresApiKeys({ sql, feed: postgresFeed({ sql }) }));
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
  apiKeyStoreSuite('keyValueApiKeys on Redis', () =>
    keyValueApiKeys({
      store: redisStore(client, { timeoutMs: 5_000 }),
      feed: redisFeed(client, { timeoutMs: 5_000 }),
    }),
  );
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 10 });
    sql = fromPg(pool, { timeoutMs: 5_000 });
    await migrate(sql, [...feedMigrations, ...authMigrations]);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  apiKeyStoreSuite('postgresApiKeys', () => postgresApiKeys({ sql, feed: postgresFeed({ sql }) }));

  test('of 20 creations at once no more than the bound succeed; expired keys are swept away', async () => {
    const store = postgresApiKeys({ sql });
    const { keys, clock } = kit({ store, max: 3 });
    const made = await Promise.allSettled(Array.from({ length: 20 }, () => keys.create('greedy', wanted)));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    await store.sweep(clock.now());
    expect(await keys.list('greedy')).toHaveLength(3);
    expect(await store.sweep(clock.now() + 91 * 86_400_000)).toBeGreaterThanOrEqual(3);
  });
});
