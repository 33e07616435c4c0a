import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  describeWithPostgres,
  embeddedPostgres,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import pg from 'pg';
import { feedMigrations, fromPg, fromPglite, migrate, postgresFeed } from '../src/postgres.js';
import type { Sql } from '../src/index.js';
import { changeFeedSuite, sqlSuite } from '../src/testing.js';

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db);
    await migrate(sql, feedMigrations);
  }, 60_000);
  afterAll(() => db.close());

  sqlSuite('fromPglite', () => sql);
  changeFeedSuite('postgresFeed on PGlite', () => {
    const feed = postgresFeed({ sql });
    return { writer: feed, reader: feed };
  });
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 5 });
    sql = fromPg(pool);
    await migrate(sql, feedMigrations);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  sqlSuite('fromPg', () => sql);
  changeFeedSuite('postgresFeed on PostgreSQL', () => ({
    writer: postgresFeed({ sql }),
    reader: postgresFeed({ sql }),
  }));
  test('the pool has all connections back', () => {
    expect(pool.idleCount).toBe(pool.totalCount);
  });
});
