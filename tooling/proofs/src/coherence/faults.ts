import type { PostgresServer, RedisServer } from '@portcullis/test-support/servers';
import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import type { Victims } from './victims.js';

export interface Stage {
  readonly victims: Victims;
  readonly server: PostgresServer;
  readonly redis: RedisServer;
  /** Straight to the Redis server. */
  readonly client: Redis;
  readonly pool: Pool;
  readonly revokerToRedis: { cut(): void; mend(): void };
}

/** Something that happens to the house around a revoke; resolves when it has begun, with what ends it. */
export type Fault = (stage: Stage) => Promise<() => Promise<void>>;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const FAULTS: Readonly<Record<string, Fault>> = {
  healthy: async () => async () => undefined,
  'connections killed': async ({ client, pool }) => {
    const kill = async (): Promise<void> => {
      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'`,
      );
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    };
    await kill();
    // Again and again while it is revoked, so that what is sent meanwhile finds nobody.
    const ended = new AbortController();
    const killing = (async () => {
      for (; !ended.signal.aborted; await pause(20)) await kill();
    })();
    return async () => {
      await pause(500);
      ended.abort();
      await killing;
    };
  },
  'Redis paused 3 s': async ({ redis }) => {
    redis.pause();
    return async () => {
      await pause(3000);
      redis.resume();
    };
  },
  'Redis killed': async ({ redis }) => {
    await redis.kill();
    return async () => {
      await pause(1000);
      await redis.restart();
    };
  },
  'Redis rolled back': async ({ client }) => {
    const before = await dump(client);
    return async () => {
      // As it was before the revoke, again and again.
      for (let i = 0; i < 10; i++) {
        await restore(client, before);
        await pause(100);
      }
    };
  },
  'a process paused 2 s': async ({ victims }) => {
    victims.signal(0, 'SIGSTOP');
    return async () => {
      await pause(2000);
      victims.signal(0, 'SIGCONT');
    };
  },
  'revoker cut off from Redis': async ({ revokerToRedis }) => {
    revokerToRedis.cut();
    return async () => {
      await pause(3000);
      revokerToRedis.mend();
    };
  },
};

export async function dump(client: Redis): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  for (const key of await client.keys('*')) {
    const value = await client.get(key).catch(() => null);
    if (value !== null) entries.set(key, value);
  }
  return entries;
}

export async function restore(client: Redis, entries: ReadonlyMap<string, string>): Promise<void> {
  await client.flushall();
  for (const [key, value] of entries) await client.set(key, value, 'PX', 30_000);
}

/** One blow of the chaos; `old` is what the shared cache held at its beginning. */
export type Strike = (
  stage: Stage,
  random: () => number,
  old: ReadonlyMap<string, string>,
) => Promise<unknown>;

export const STRIKES: readonly Strike[] = [
  async ({ redis }, random) => {
    redis.pause();
    await pause(200 + random() * 1000);
    redis.resume();
  },
  async ({ redis }) => {
    await redis.kill();
    await redis.restart();
  },
  ({ client }) => client.flushall(),
  ({ client }) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  ({ client }, _random, old) => restore(client, old),
  async ({ victims }, random) => {
    const index = random() < 0.5 ? 0 : 1;
    victims.signal(index, 'SIGSTOP');
    await pause(200 + random() * 1200);
    victims.signal(index, 'SIGCONT');
  },
  ({ pool }) =>
    pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'`),
  async ({ server }, random) => {
    server.pause();
    await pause(100 + random() * 400);
    server.resume();
  },
];
