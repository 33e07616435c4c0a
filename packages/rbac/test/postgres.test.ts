import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createFreshness, sql as tag, type Sql } from '@portcullis/core';
import { feedMigrations, fromPg, fromPglite, migrate, postgresFeed } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  embeddedPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import express from 'express';
import pg from 'pg';
import request from 'supertest';
import { createRbac, type Decision } from '../src/index.js';
import { postgresRoles, rbacMigrations } from '../src/postgres.js';
import { roleStoreSuite } from '../src/testing.js';
import { asUser, permissions, roles } from './support.js';

const migrations = [...feedMigrations, ...rbacMigrations];
const SCHEMA = 'Roles of "test"';

/** Empty tables in a schema with an awkward name; the feed goes on, as it would. */
async function emptyTables(sql: Sql) {
  const { applied } = await migrate(sql, migrations, { schema: SCHEMA });
  if (applied.length === 0) {
    const names = [
      'role',
      'role_parent',
      'role_rule',
      'inactive_permission',
      'user',
      'assignment',
      'user_rule',
    ];
    const table = (name: string): string => tag.identifier(SCHEMA, `rbac_${name}`).text;
    await sql.query(`truncate ${names.map(table).join(', ')}; update ${table('policy')} set revision = 0`);
  }
  return () => postgresRoles({ sql, feed: postgresFeed({ sql, schema: SCHEMA }), schema: SCHEMA });
}

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db);
    await migrate(sql, migrations);
  }, 60_000);
  afterAll(() => db.close());

  roleStoreSuite('postgresRoles on PGlite', async () => ({ store: (await emptyTables(sql))() }));

  test('needs no lease: a revoke counts at once, also for a second instance in the process', async () => {
    const feed = postgresFeed({ sql });
    const [one, two] = [1, 2].map(() =>
      createRbac({ permissions, store: postgresRoles({ sql, feed }), roles }),
    );
    await one!.seed();
    for (let i = 0; i < 20; i++) {
      await one!.grantRole('root', 'ann', 'patron');
      expect(await two!.can('ann', 'book:read')).toBe(true);
      await one!.revokeRole('root', 'ann', 'patron', { strict: true });
      expect(await two!.can('ann', 'book:read')).toBe(false);
    }
    await Promise.all([one!.close(), two!.close()]);
  });
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  const open: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterEach(async () => {
    for (const close of open.splice(0).toReversed()) await close();
  });
  afterAll(() => server.stop());

  function connect(url: string, options: { readonly hints?: boolean } = {}): Sql {
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    const sql = fromPg(pool, { timeoutMs: 2000 });
    open.push(() => pool.end());
    if (options.hints ?? true) return sql;
    // A connection through a pooler that drops LISTEN: changes are found by polling alone.
    return new Proxy(sql, { get: (target, key) => (key === 'listen' ? undefined : bound(target, key)) });
  }
  const bound = (target: Sql, key: string | symbol): unknown => {
    const value: unknown = Reflect.get(target, key);
    return typeof value === 'function' ? value.bind(target) : value;
  };

  /** What one process of an app has: its own pool, feed, lease and cache. */
  async function startProcess(url: string, options: { readonly hints?: boolean } = {}) {
    const sql = connect(url, options);
    const feed = postgresFeed({ sql });
    const freshness = createFreshness({ feed });
    const rbac = createRbac({
      permissions,
      store: postgresRoles({ sql, feed }),
      roles,
      freshness,
      writeDeadlineMs: 2000,
    });
    open.push(async () => {
      await rbac.close();
      await freshness.stop();
      await feed.close();
    });
    return { rbac, freshness };
  }

  async function library(): Promise<string> {
    const url = await server.createDatabase();
    await migrate(connect(url), migrations);
    return url;
  }

  roleStoreSuite('postgresRoles on PostgreSQL', async () => {
    const make = await emptyTables(connect(server.url));
    return { store: make(), another: make() };
  });

  test('row-level security: the request role of an app reads what is its own, and can be talked into no grant', async () => {
    const url = await library();
    const { rbac } = await startProcess(url);
    const sql = connect(url);
    await rbac.seed();
    for (const user of ['ann', 'bob']) {
      await rbac.grantRole('root', user, 'patron');
      await rbac.denyPermission('root', user, 'book:create');
      await rbac.setUserActive('root', user, true);
    }
    await sql.query(`create role app_requests nologin`);
    // Even with every right on the tables, the policies stand.
    await sql.query(`grant usage on schema portcullis to app_requests`);
    await sql.query(
      `grant select, insert, update, delete on all tables in schema portcullis to app_requests`,
    );
    const as = <T>(settings: Record<string, string>, statement: string): Promise<readonly T[]> =>
      sql.transaction(async (tx) => (await tx.query<T>(statement)).rows, { role: 'app_requests', settings });
    const tables = { rbac_assignment: 'user_id', rbac_user_rule: 'user_id', rbac_user: 'id' };
    for (const [table, column] of Object.entries(tables)) {
      const read = (settings: Record<string, string>) =>
        as<{ who: string }>(settings, `select ${column} as who from portcullis.${table} order by 1`);
      expect(await read({})).toEqual([]);
      expect(await read({ 'app.user_id': 'ann' })).toEqual([{ who: 'ann' }]);
      expect(await read({ 'app.user_id': 'ann', 'app.is_staff': 'true' })).toHaveLength(2);
      const staff = { 'app.user_id': 'ann', 'app.is_staff': 'true' };
      const gone = await as(staff, `delete from portcullis.${table} returning 1`);
      expect(gone).toEqual([]);
    }
    const staff = { 'app.user_id': 'ann', 'app.is_staff': 'true' };
    for (const statement of [
      `insert into portcullis.rbac_assignment (user_id, role, granted_by, granted_at) values ('ann', 'staff', 'x', now())`,
      `insert into portcullis.rbac_role_rule values ('patron', 'allow', '**')`,
      `insert into portcullis.rbac_user values ('eve', true)`,
    ]) {
      await expect(as(staff, statement)).rejects.toMatchObject({ message: expect.anything() });
    }
    expect(await as(staff, `update portcullis.rbac_role set active = false returning 1`)).toEqual([]);
    expect(await as(staff, `select * from portcullis.rbac_policy`)).toEqual([]);
    expect(await rbac.can('ann', 'book:read', { fresh: true })).toBe(true);
    expect(await rbac.can('ann', 'loan:approve', { fresh: true })).toBe(false);
  });

  /** Asks without pause until it is refused; resolves with when the last allowed question was asked. */
  async function lastGrant(ask: () => Promise<boolean>, within = 10_000): Promise<number> {
    const end = performance.now() + within;
    let last = Number.NEGATIVE_INFINITY;
    for (;;) {
      const at = performance.now();
      if (at > end) throw new Error('still granted');
      if (!(await ask())) return last;
      last = at;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  test.each([true, false])(
    'two processes: what one revokes the other refuses within the lease (hints: %s)',
    async (hints) => {
      const url = await library();
      const here = await startProcess(url);
      const there = await startProcess(url, { hints });
      await here.rbac.seed();
      await here.rbac.grantRole('root', 'ann', 'patron');
      expect(await there.rbac.can('ann', 'book:read')).toBe(true);
      await here.rbac.revokeRole('root', 'ann', 'patron');
      const revoked = performance.now();
      expect(await here.rbac.can('ann', 'book:read')).toBe(false);
      const last = await lastGrant(() => there.rbac.can('ann', 'book:read'));
      expect(last - revoked).toBeLessThanOrEqual(there.freshness.leaseMs);
    },
  );

  test('two processes, strict: when the revoke has resolved, nobody grants any more, even without hints', async () => {
    const url = await library();
    const here = await startProcess(url);
    const there = await startProcess(url, { hints: false });
    await here.rbac.seed();
    await here.rbac.grantRole('root', 'ann', 'patron');
    expect(await there.rbac.can('ann', 'book:read')).toBe(true);
    await here.rbac.revokeRole('root', 'ann', 'patron', { strict: true });
    expect(await there.rbac.can('ann', 'book:read')).toBe(false);
  });

  test('an edited role, a switched-off user and a direct denial reach the other process too', async () => {
    const url = await library();
    const [here, there] = [await startProcess(url), await startProcess(url)];
    await here.rbac.seed();
    for (const user of ['ann', 'bob']) await here.rbac.grantRole('root', user, 'patron');
    const seen = () => Promise.all(['ann', 'bob'].map((user) => there.rbac.can(user, 'book:read')));
    await eventually(async () => expect(await seen()).toEqual([true, true]));
    await here.rbac.setUserActive('root', 'ann', false);
    await eventually(async () => expect(await seen()).toEqual([false, true]));
    await here.rbac.denyPermission('root', 'bob', '**');
    await eventually(async () => expect(await seen()).toEqual([false, false]));
    await here.rbac.setUserActive('root', 'ann', true);
    await eventually(async () => expect(await seen()).toEqual([true, false]));
    await here.rbac.setRolePermissions('root', 'patron', { allow: [] });
    await eventually(async () => expect(await seen()).toEqual([false, false]));
  });

  test('two administrators in two processes cannot make a cycle, and lose no grant to each other', async () => {
    const url = await library();
    const [here, there] = [await startProcess(url), await startProcess(url)];
    await here.rbac.seed({ a: {}, b: {} });
    const results = await Promise.allSettled([
      here.rbac.defineRole('one', 'a', { inherits: ['b'] }),
      there.rbac.defineRole('two', 'b', { inherits: ['a'] }),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
    await Promise.all(
      users.map((user, i) => [here, there][i % 2]!.rbac.grantRole('root', user, 'a' as never)),
    );
    for (const user of users) expect(await here.rbac.rolesOf(user)).toHaveLength(1);
  });

  for (const [how, stop, resume] of [
    ['paused', () => server.pause(), () => server.resume()],
    ['killed', () => server.kill(), () => server.restart()],
  ] as const) {
    test(`PostgreSQL ${how}: 503 for all once the lease has ended, and allowed again when it is back, without a restart`, async () => {
      const url = await library();
      const { rbac, freshness } = await startProcess(url);
      await rbac.seed();
      await rbac.grantRole('root', 'ann', 'patron');
      let handled = 0;
      const app = express();
      let last: Decision | undefined;
      app.get('/', asUser('ann'), rbac.requirePermission('book:read'), (_req, res) => {
        handled++;
        res.send('ok');
      });
      app.use(((error: { status: number; code: string }, req, res, _next) => {
        last = req.security.decision;
        res.status(error.status).json(error.code);
      }) as express.ErrorRequestHandler);
      await request(app).get('/').expect(200);

      const stopping = performance.now();
      await stop();
      const stopped = performance.now();
      const lastAllowed = await lastGrant(async () => (await request(app).get('/')).status === 200);
      if (lastAllowed > stopped)
        expect(lastAllowed - stopping).toBeLessThanOrEqual(freshness.leaseMs + (stopped - stopping));
      const before = handled;
      const refused = await request(app).get('/').expect(503);
      expect(refused.body).toMatch(/^E_(STALE|ROLES_TIMEOUT|ROLES_UNAVAILABLE)$/);
      expect(last).toMatchObject({ allowed: false, reason: 'unavailable', principalId: 'ann' });
      await expect(rbac.grantRole('root', 'ann', 'staff')).rejects.toMatchObject({ status: 503 });
      expect(handled).toBe(before);

      await resume();
      await eventually(async () => expect((await request(app).get('/')).status).toBe(200));
      expect(await rbac.can('ann', 'book:create')).toBe(false); // Of the failed grant nothing is left.
    }, 30_000);
  }
});
