// Where the sessions of the proof are: each place with two connections of its own, as two processes would have them.
import { createMemoryStore } from '@portcullis/core';
import { feedMigrations, fromPg, migrate } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
import { keyValueSessions, type SessionStore } from '@portcullis/auth';
import { authMigrations, postgresSessions } from '@portcullis/auth/postgres';
import { startPostgres, startRedis } from '@portcullis/test-support/servers';
import { Redis } from 'ioredis';
import pg from 'pg';

export interface Place {
  readonly name: string;
  /** The same sessions, reached in two ways. */
  readonly stores: readonly [SessionStore, SessionStore];
  stop(): Promise<void>;
}

export function inMemory(): Promise<Place> {
  const store = createMemoryStore({ maxEntries: 1_000_000 });
  const stores = [keyValueSessions({ store }), keyValueSessions({ store })] as const;
  return Promise.resolve({ name: 'memory', stores, stop: () => Promise.resolve() });
}

export async function onRedis(): Promise<Place> {
  const server = await startRedis();
  const clients = [new Redis(server.url), new Redis(server.url)] as const;
  const over = (client: Redis) => keyValueSessions({ store: redisStore(client, { timeoutMs: 30_000 }) });
  return {
    name: 'Redis',
    stores: [over(clients[0]), over(clients[1])],
    async stop() {
      for (const client of clients) client.disconnect();
      await server.stop();
    },
  };
}

export async function onPostgres(): Promise<Place> {
  const server = await startPostgres();
  const pools = [0, 1].map(() => new pg.Pool({ connectionString: server.url, max: 8 }));
  const [one, two] = pools.map((pool) => fromPg(pool, { timeoutMs: 30_000 }));
  await migrate(one!, [...feedMigrations, ...authMigrations]);
  return {
    name: 'PostgreSQL',
    stores: [postgresSessions({ sql: one! }), postgresSessions({ sql: two! })],
    async stop() {
      await Promise.all(pools.map((pool) => pool.end()));
      await server.stop();
    },
  };
}
