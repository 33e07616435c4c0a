// One process of an app that asks without pause whether users may, in three ways at once: through rbac with its lease and a
// shared cache in Redis, and, as control groups, through caches that trust pub/sub messages and a time to live.
import { createFreshness } from '@portcullis/core';
import { fromPg, postgresFeed } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
import { createRbac, type RoleStore } from '@portcullis/rbac';
import { postgresRoles } from '@portcullis/rbac/postgres';
import { Redis } from 'ioredis';
import pg from 'pg';
import { CHANNEL, monotonic, permissions, SECRET, type Command, type Report, type Way } from './shared.js';

const [database = '', redisUrl = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 6, application_name: 'victim' });
pool.on('error', () => undefined);
const sql = fromPg(pool, { timeoutMs: 1000 });
const connect = (maxRetriesPerRequest: number | null): Redis => {
  const client = new Redis(redisUrl, { maxRetriesPerRequest, retryStrategy: () => 50 });
  client.on('error', () => undefined);
  return client;
};

let slowMs = 0;
let loads = 0;
const slowly = async <T>(read: Promise<T>): Promise<T> => {
  const value = await read;
  if (slowMs > 0) await new Promise((resolve) => setTimeout(resolve, slowMs));
  return value;
};

let polls: (readonly [number, number])[] = [];
const feed = postgresFeed({ sql });
const readSince = feed.readSince.bind(feed);
feed.readSince = async (...given) => {
  const sent = monotonic();
  const read = await readSince(...given);
  polls.push([sent, monotonic()]);
  return read;
};
const inner = postgresRoles({ sql, feed });
const store: RoleStore = {
  ...inner,
  load(scope, options) {
    loads++;
    return slowly(inner.load(scope, options));
  },
};
const rbac = createRbac({
  permissions,
  store,
  freshness: createFreshness({ feed }),
  l2: { store: redisStore(connect(1)), secret: SECRET },
});

/** What many apps do: keep the answer for a while, and forget it when a message says so. */
function cacheOf(ttlMs: number) {
  const kept = new Map<string, { readonly may: boolean; readonly until: number }>();
  return {
    forget: (user: string) => void kept.delete(user),
    async can(user: string): Promise<boolean> {
      const hit = kept.get(user);
      if (hit && performance.now() < hit.until) return hit.may;
      const { rowCount } = await slowly(
        sql.query('select 1 from portcullis.rbac_assignment where user_id = $1', [user]),
      );
      kept.set(user, { may: rowCount > 0, until: performance.now() + ttlMs });
      return rowCount > 0;
    },
  };
}
const byMessage = cacheOf(60_000);
const byTime = cacheOf(3000);
// Without an end of trying: ioredis subscribes again by itself, and nobody could catch that it gave up.
const subscriber = connect(null);
subscriber.on('message', (_channel, user) => byMessage.forget(user));
await subscriber.subscribe(CHANNEL);

const ways: Record<Way, (user: string) => Promise<boolean>> = {
  lease: (user) => rbac.can(user, 'book:read'),
  message: (user) => byMessage.can(user),
  time: (user) => byTime.can(user),
};
let watched: readonly string[] = [];
let granted: Report['granted'] = [];

async function ask(way: Way): Promise<never> {
  for (;;) {
    for (const user of watched) {
      const at = monotonic();
      if (await ways[way](user).catch(() => false)) granted.push([way, user, at, monotonic()]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

process.on('message', (command: Command) => {
  if (command.watch) watched = command.watch;
  if (command.slowMs !== undefined) slowMs = command.slowMs;
  if (command.report) {
    process.send!({ granted, loads, polls } satisfies Report);
    granted = [];
    loads = 0;
    polls = [];
  }
});
process.on('disconnect', () => process.exit(0));
await rbac.ready();
for (const way of Object.keys(ways) as Way[]) void ask(way);
process.send!('ready');
