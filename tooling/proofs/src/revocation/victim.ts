// One process of a service that asks without pause whether access tokens still count: verified-token cache, session cache, lease;
// sessions in PostgreSQL and in Redis. As control, a cache of the same sessions that trusts messages.
import { createSessions, createTokens, keyValueSessions, type Sessions } from '@portcullis/auth';
import { postgresSessions } from '@portcullis/auth/postgres';
import { createFreshness } from '@portcullis/core';
import { fromPg, postgresFeed } from '@portcullis/core/postgres';
import { redisFeed, redisStore } from '@portcullis/core/redis';
import { Redis } from 'ioredis';
import pg from 'pg';
import { monotonic, type Command, type Report } from '../coherence/shared.js';
import { CHANNEL, readWatch, WAYS, type Watched, type Way } from './shared.js';

const [database = '', redisUrl = '', keys = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 6, application_name: 'victim' });
pool.on('error', () => undefined);
const sql = fromPg(pool, { timeoutMs: 1000 });
const connect = (): Redis => {
  const client = new Redis(redisUrl, {
    maxRetriesPerRequest: 1,
    retryStrategy: () => 50,
    autoResendUnfulfilledCommands: false,
  });
  client.on('error', () => undefined);
  return client;
};

const tokens = createTokens({ issuer: 'i', audience: 'a', keys });
const inPostgres = postgresFeed({ sql });
const inRedis = redisFeed(connect(), { subscriber: connect(), timeoutMs: 1000 });
const byPostgres = createSessions({
  store: postgresSessions({ sql, feed: inPostgres }),
  tokens,
  freshness: createFreshness({ feed: inPostgres }),
});
const byRedis = createSessions({
  store: keyValueSessions({ store: redisStore(connect(), { timeoutMs: 1000 }), feed: inRedis }),
  tokens,
  freshness: createFreshness({ feed: inRedis }),
});

const live = new Map<string, number>();
const subscriber = connect();
subscriber.on('message', (_channel, id) => void live.delete(id));
await subscriber.subscribe(CHANNEL);

/** What many services do: remember that a session lives, for a minute, and forget it when a message says so. */
async function byMessages(token: string): Promise<boolean> {
  const { sid = '' } = tokens.verify(token);
  if (performance.now() < (live.get(sid) ?? 0)) return true;
  const { rowCount } = await sql.query('select 1 from portcullis.auth_session where id = $1', [sid]);
  if (rowCount === 0) return false;
  live.set(sid, performance.now() + 60_000);
  return true;
}

async function counts(sessions: Sessions, token: string): Promise<boolean> {
  await sessions.check(tokens.verify(token));
  return true;
}
const ways: Record<Way, (who: Watched) => Promise<boolean>> = {
  postgres: (who) => counts(byPostgres, who.postgres),
  redis: (who) => counts(byRedis, who.redis),
  messages: (who) => byMessages(who.postgres),
};

let watched: readonly Watched[] = [];
let granted: Report['granted'] = [];

async function ask(way: Way): Promise<never> {
  for (;;) {
    for (const who of watched) {
      const at = monotonic();
      if (await ways[way](who).catch(() => false)) granted.push([way, who.name, at, monotonic()]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

process.on('message', (command: Command) => {
  if (command.watch) watched = command.watch.map(readWatch);
  if (command.report) {
    process.send!({ granted, loads: 0, polls: [] } satisfies Report);
    granted = [];
  }
});
process.on('disconnect', () => process.exit(0));
for (const way of WAYS) void ask(way);
process.send!('ready');
