import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KeyValueStore, Sql } from '@portcullis/core';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
import {
  describeWithPostgres,
  describeWithRedis,
  embeddedPostgres,
  eventually,
  startPostgres,
  startRedis,
  type PostgresServer,
  type RedisServer,
} from '@portcullis/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createAuth, createMemoryStore, generateKeys, type Auth, type UserPort } from '../src/index.js';
import { passkeys } from '../src/passkeys.js';
import { accountMigrations, postgresPasskeys, postgresUsers } from '../src/postgres.js';
import { memoryUsers, passkeyPortSuite, testHasher } from '../src/testing.js';
import { authenticate, register, type Credential } from './support/authenticator.js';

const keys = generateKeys();
const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };
const from = { address: undefined };

function processOf(users: UserPort, store: KeyValueStore): Auth {
  return createAuth({
    issuer: 'i',
    audience: 'a',
    keys,
    users,
    store,
    passwords: { hash: testHasher() },
    passkeys: passkeys({
      rpId: 'library.example',
      rpName: 'Library',
      origins: ['https://library.example'],
    }),
  });
}

/** An account with a passkey, added in one process. */
async function ownerOf(auth: Auth, login = ada): Promise<{ userId: string; credential: Credential }> {
  const { userId } = await auth.register(login, from);
  const { accessToken } = await auth.signIn(login, from);
  const who = await auth.sessions.check(auth.tokens.verify(accessToken));
  const { ceremony, options } = await auth.startPasskeyRegistration(who);
  const { response, credential } = register(options, { counter: 1 });
  await auth.addPasskey(who, { ceremony, response });
  return { userId, credential };
}

/** Begun in one process, ended in another. */
async function signIn(begun: Auth, ended: Auth, credential: Credential) {
  const { ceremony, options } = await begun.startPasskeySignIn({});
  return ended.completePasskeySignIn({ ceremony, response: authenticate(options, credential) }, from);
}

describe('in memory', () => {
  passkeyPortSuite('memoryUsers', () => ({ port: memoryUsers().passkeys, users: ['a', 'b'] }));
});

const newUsers = async (users: ReturnType<typeof postgresUsers>): Promise<[string, string]> => {
  const made = await Promise.all(
    [0, 1].map(() => users.create({ login: `${crypto.randomUUID()}@library.example`, passwordHash: 'h' })),
  );
  return [made[0]!.id, made[1]!.id];
};

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db);
    await migrate(sql, accountMigrations);
  }, 60_000);
  afterAll(() => db.close());

  passkeyPortSuite('postgresUsers on PGlite', async () => {
    const users = postgresUsers({ sql });
    return { port: users.passkeys, users: await newUsers(users) };
  });

  passkeyPortSuite('a table beside accounts of the app', async () => {
    await db.exec(`
      create schema if not exists library;
      create table if not exists library.person (id uuid primary key);
      create table if not exists library.passkey (
        id text primary key, person_id uuid not null references library.person (id), public_key text not null,
        counter bigint not null, transports jsonb not null, backup_eligible boolean not null, backed_up boolean not null,
        name text not null, created_at timestamptz not null, last_used_at timestamptz)`);
    const users = [crypto.randomUUID(), crypto.randomUUID()] as const;
    for (const id of users) await db.query('insert into library.person values ($1)', [id]);
    const names = { schema: 'library', table: 'passkey', owner: 'person_id', accounts: 'person' };
    return { port: postgresPasskeys({ sql, ...names }), users };
  });
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres({ durable: true });
    pool = new pg.Pool({ connectionString: server.url, max: 10 });
    pool.on('error', () => undefined);
    sql = fromPg(pool, { timeoutMs: 1_000 });
    await migrate(sql, accountMigrations);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  passkeyPortSuite('postgresUsers', async () => {
    const users = postgresUsers({ sql });
    return { port: users.passkeys, users: await newUsers(users) };
  });

  test('with its account a passkey goes too', async () => {
    const auth = processOf(postgresUsers({ sql }), createMemoryStore());
    const { userId, credential } = await ownerOf(auth, { ...ada, login: 'gone@library.example' });
    await pool.query('delete from portcullis.auth_account where id = $1', [userId]);
    await expect(signIn(auth, auth, credential)).rejects.toMatchObject({ code: 'E_PASSKEY_REFUSED' });
  });

  test('PostgreSQL killed: 503 for passkeys, nobody signs in; afterwards everything goes on without a restart', async () => {
    const auth = processOf(postgresUsers({ sql }), createMemoryStore());
    const { credential } = await ownerOf(auth);
    const begun = await auth.startPasskeySignIn({});
    await server.kill();
    try {
      const response = authenticate(begun.options, credential);
      await expect(auth.completePasskeySignIn({ ...begun, response }, from)).rejects.toMatchObject({
        status: 503,
      });
    } finally {
      await server.restart();
    }
    await eventually(() => signIn(auth, auth, credential));
  }, 60_000);
});

describeWithRedis('two processes with one Redis', () => {
  let server: RedisServer;
  const clients: Redis[] = [];
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
  });
  function connect(): KeyValueStore {
    const client = new Redis(server.url, { retryStrategy: () => 20, autoResendUnfulfilledCommands: false });
    client.on('error', () => undefined);
    clients.push(client);
    return redisStore(client, { timeoutMs: 2_000 });
  }

  test('a sign-in that one begins the other ends, once: of 20 answers over both, one counts', async () => {
    const users = memoryUsers();
    const [one, two] = [processOf(users, connect()), processOf(users, connect())];
    const { credential } = await ownerOf(one);
    await signIn(one, two, credential);
    const { ceremony, options } = await one.startPasskeySignIn({});
    const response = authenticate(options, credential);
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? one : two).completePasskeySignIn({ ceremony, response }, from),
      ),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const rest = all.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as { code: string }).code] : [],
    );
    expect(new Set(rest)).toEqual(new Set(['E_CHALLENGE_INVALID']));
  }, 30_000);

  test('nothing of a challenge stays, and none can be read out of the store', async () => {
    const auth = processOf(memoryUsers(), connect());
    await clients[0]!.flushall();
    const { ceremony } = await auth.startPasskeySignIn({});
    const stored = await clients[0]!.keys('*');
    expect(stored).toHaveLength(1);
    expect(stored[0]).not.toContain(ceremony);
    expect(await clients[0]!.get(stored[0]!)).not.toContain(ceremony);
    expect(await clients[0]!.pttl(stored[0]!)).toBeGreaterThan(0);
  });

  test('Redis killed: 503 for passkeys, nobody signs in; afterwards everything goes on without a restart', async () => {
    const auth = processOf(memoryUsers(), connect());
    const { credential } = await ownerOf(auth);
    await server.kill();
    try {
      await expect(auth.startPasskeySignIn({})).rejects.toMatchObject({ status: 503 });
    } finally {
      await server.restart();
    }
    await eventually(() => signIn(auth, auth, credential));
  }, 60_000);
});
