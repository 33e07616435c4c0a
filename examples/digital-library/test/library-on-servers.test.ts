import { afterAll, beforeAll } from '@jest/globals';
import {
  describeWithPostgres,
  describeWithRedis,
  startPostgres,
  startRedis,
  type PostgresServer,
  type RedisServer,
} from '@portcullis/test-support';
import { librarySuite } from './suites/library-suite.js';
import { openLibrary } from './support/open-library.js';

describeWithPostgres('the library on PostgreSQL', () => {
  describeWithRedis('and Redis', () => {
    let postgres: PostgresServer;
    let redis: RedisServer;
    beforeAll(async () => {
      [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    });
    afterAll(async () => {
      await Promise.all([postgres.stop(), redis.stop()]);
    });
    librarySuite(() => openLibrary({ DATABASE_URL: postgres.url, REDIS_URL: redis.url }));
  });
});
