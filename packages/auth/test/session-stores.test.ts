import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Sql } from '@portcullis/core';
import { feedMigrations, fromPg, fromPglite, migrate, postgresFeed } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
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
import { keyValueSessions } from '../src/index.js';
import { accountMigrations, authMigrations, postgresSessions, postgresUsers } from '../src/postgres.js';
import { sessionStoreSuite, userPortSuite } from '../src/testing.js';
import { rotationClaims, sessionKit } from './support/sessions.js';

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
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
    const { sessions, signIn, clock } = sessionKit(store());
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
    const { sessions, signIn } = sessionKit(store());
    await sessions.revokeAll((await signIn()).userId);
    await sessions.refresh((await signIn()).refreshToken);
    const keys = await client.keys('*');
    expect(keys.length).toBeGreaterThan(2);
    const ends = await Promise.all(keys.map((key) => client.pttl(key)));
    expect(ends.filter((ttl) => ttl <= 0)).toEqual([]);
  });
});
