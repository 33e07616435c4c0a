import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
import { manualClock } from '@portcullis/core/testing';
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
import { createLockout } from '../src/index.js';
import { authMigrations, postgresGuesses } from '../src/postgres.js';
import { at, guessStoreClaims } from './support/guesses.js';

describe('guesses in PGlite', () => {
  let db: PGlite;
  let store: ReturnType<typeof postgresGuesses>;
  const clock = manualClock({ now: 1_800_000_000_000 });
  beforeAll(async () => {
    db = await embeddedPostgres();
    const sql = fromPglite(db);
    await migrate(sql, authMigrations);
    store = postgresGuesses({ sql, clock });
  }, 60_000);
  afterAll(() => db.close());
  guessStoreClaims(() => store);

  test('waits end, counts expire, and the sweep takes what is over', async () => {
    const budget = createLockout({ store });
    const home = { account: 'waits', ...at('192.0.2.1') };
    for (let n = 0; n < 6; n++) expect(await budget.take(home)).toMatchObject({ allowed: true });
    expect(await budget.take(home)).toMatchObject({ allowed: false, by: 'pair' });
    clock.advance('30s');
    expect(await budget.take(home)).toMatchObject({ allowed: true });
    expect(await budget.take(home)).toMatchObject({ allowed: false });
    clock.advance('2d');
    for (let n = 0; n < 5; n++) expect(await budget.take(home)).toMatchObject({ allowed: true });
    clock.advance('2d');
    expect(await store.sweep()).toBeGreaterThan(0);
    expect(await store.sweep()).toBe(0);
  });
});

describeWithRedis('guesses in Redis', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
    await client.ping();
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });
  guessStoreClaims(() => redisStore(client, { timeoutMs: 10_000 }));
});

describeWithPostgres('guesses in PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 10 });
    await migrate(fromPg(pool), authMigrations);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  guessStoreClaims(() => postgresGuesses({ sql: fromPg(pool, { timeoutMs: 20_000 }) }));
});
