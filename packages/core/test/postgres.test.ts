import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  describeWithPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import pg from 'pg';
import { createFreshness, isSqlError, type Freshness, type Sql, type SqlTransaction } from '../src/index.js';
import { feedMigrations, fromPg, migrate, postgresFeed, type FromPgOptions } from '../src/postgres.js';

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  const pools: pg.Pool[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    server.resume();
    await server.kill();
    await Promise.allSettled(pools.map((pool) => pool.end()));
    await server.stop();
  }, 30_000);

  function connect(
    url: string,
    options: FromPgOptions = {},
    pooling: pg.PoolConfig = {},
  ): Sql & { pool: pg.Pool } {
    const pool = new pg.Pool({ connectionString: url, max: 4, ...pooling });
    pools.push(pool);
    return Object.assign(fromPg(pool, options), { pool });
  }

  describe('a server in trouble', () => {
    let sql: ReturnType<typeof connect>;
    beforeEach(() => {
      sql = connect(server.url, { timeoutMs: 3000 });
    });
    const running = async (mark: string) => {
      const { rows } = await sql.query<{ n: string }>(
        `select count(*) as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()`,
        [`%${mark}%`],
      );
      return Number(rows[0]!.n);
    };

    test('a statement that takes too long is cancelled on the server, and its connection is closed', async () => {
      const started = performance.now();
      await expect(
        sql.query('select pg_sleep(60) /* too long */', [], { timeoutMs: 150 }),
      ).rejects.toMatchObject({
        name: 'SqlError',
        code: 'E_SQL_TIMEOUT',
        kind: 'timeout',
        status: 503,
      });
      expect(performance.now() - started).toBeLessThan(2500);
      await eventually(async () => expect(await running('too long')).toBe(0));
      expect(sql.pool.idleCount).toBe(sql.pool.totalCount);

      const narrow = connect(server.url, {}, { max: 1 });
      const backend = async () => (await narrow.query('select pg_backend_pid() as pid')).rows[0]!['pid'];
      const before = await backend();
      expect(await backend()).toBe(before);
      await expect(narrow.query('select pg_sleep(60)', [], { timeoutMs: 50 })).rejects.toMatchObject({
        kind: 'timeout',
      });
      expect(await backend()).not.toBe(before);
    });

    test('an aborted signal cancels too, within a transaction as well', async () => {
      for (const run of [
        (signal: AbortSignal) => sql.query('select pg_sleep(60) /* aborted */', [], { signal }),
        (signal: AbortSignal) =>
          sql.transaction((tx) => tx.query('select pg_sleep(60) /* aborted */'), { signal }),
        (signal: AbortSignal) =>
          sql.transaction((tx) => tx.query('select pg_sleep(60) /* aborted */', [], { signal })),
      ]) {
        const abort = new AbortController();
        const running60 = run(abort.signal);
        await eventually(async () => expect(await running('aborted')).toBe(1));
        abort.abort();
        await expect(running60).rejects.toMatchObject({ kind: 'timeout' });
        await eventually(async () => expect(await running('aborted')).toBe(0));
      }
    });

    test('an exhausted pool: the wait ends on time, and the late connection goes back', async () => {
      const narrow = connect(server.url, { timeoutMs: 15_000 }, { max: 1 });
      let release: (() => void) | undefined;
      const holding = narrow.transaction(() => new Promise<void>((resolve) => (release = resolve)));
      await eventually(() => expect(release).toBeDefined());
      await expect(narrow.query('select 1', [], { timeoutMs: 50 })).rejects.toMatchObject({
        kind: 'timeout',
      });
      release!();
      await holding;
      for (let i = 0; i < 5; i++) await narrow.query('select 1');
      expect(narrow.pool.totalCount).toBe(1);
    });

    test('a transaction takes its locks to the grave of its time: the server ends one that idles', async () => {
      const { rows } = await sql.transaction((tx) => tx.query('show idle_in_transaction_session_timeout'), {
        timeoutMs: 1234,
      });
      expect(rows).toEqual([{ idle_in_transaction_session_timeout: '1234ms' }]);
      expect((await sql.query('show idle_in_transaction_session_timeout')).rows).toEqual([
        { idle_in_transaction_session_timeout: '0' },
      ]);
    });

    test('serialization failures and deadlocks have their kind and can be tried again', async () => {
      await sql.query('drop table if exists account; create table account (id int primary key, n int)');
      await sql.query('insert into account values (1, 0), (2, 0)');
      const bump = (id: number) => (tx: SqlTransaction) =>
        tx.query('update account set n = n + 1 where id = $1', [id]);
      let both = 0;
      const meet = async () => {
        both++;
        await eventually(() => expect(both).toBeGreaterThanOrEqual(2));
      };
      const crossing = (first: number, second: number) =>
        sql.transaction(async (tx) => {
          await bump(first)(tx);
          await meet();
          await bump(second)(tx);
        });
      const deadlock = await Promise.allSettled([crossing(1, 2), crossing(2, 1)]);
      expect(deadlock.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(deadlock.find((one) => one.status === 'rejected')).toMatchObject({
        reason: { kind: 'deadlock', retryable: true, code: 'E_SQL_CONFLICT', status: 409 },
      });
      both = 0;
      const serial = () =>
        sql.transaction(
          async (tx) => {
            await tx.query('select sum(n) from account');
            await meet();
            await bump(1)(tx);
          },
          { isolation: 'serializable' },
        );
      const conflicts = (await Promise.allSettled([serial(), serial()])).filter(
        (one) => one.status === 'rejected',
      );
      expect(conflicts).toMatchObject([{ reason: { kind: 'serialization', retryable: true } }]);
    });

    test('paused: calls are refused on time, doubtful connections are not reused, and all is well after it resumes', async () => {
      await Promise.all([1, 2, 3].map(() => sql.query('select pg_sleep(0.02)')));
      server.pause();
      const started = performance.now();
      const refused = await Promise.allSettled([
        ...Array.from({ length: 8 }, (_, i) => sql.query('select $1::int as n', [i], { timeoutMs: 300 })),
        sql.transaction((tx) => tx.query('select 1', [], { timeoutMs: 300 }), { timeoutMs: 600 }),
      ]);
      expect(performance.now() - started).toBeLessThan(3000);
      for (const one of refused) expect(one).toMatchObject({ reason: { kind: 'timeout', status: 503 } });
      server.resume();
      await eventually(async () => {
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, i) => sql.query<{ n: number }>('select $1::int as n', [i])),
        );
        expect(answers.map((answer) => answer.rows[0]!.n)).toEqual(Array.from({ length: 12 }, (_, i) => i));
      });
      await eventually(() => expect(sql.pool.idleCount).toBe(sql.pool.totalCount));
    }, 20_000);

    test('killed in a transaction: unavailable, no hook runs, nothing is kept; a restart needs no new process', async () => {
      await sql.query('drop table if exists kept; create table kept (n int)');
      const hooks: string[] = [];
      await expect(
        sql.transaction(async (tx) => {
          tx.onCommit(() => hooks.push('never'));
          await tx.query('insert into kept values (1)');
          await server.kill();
          await tx.query('insert into kept values (2)');
        }),
      ).rejects.toMatchObject({ kind: 'unavailable', code: 'E_SQL_UNAVAILABLE', status: 503 });
      await expect(sql.query('select 1')).rejects.toMatchObject({ kind: 'unavailable', sqlState: '' });
      expect(hooks).toEqual([]);
      await server.restart();
      await eventually(async () => expect((await sql.query('select * from kept')).rows).toEqual([]));
    }, 30_000);

    test('a connection that the server closes between two statements does not end the process', async () => {
      await expect(
        sql.transaction(async (tx) => {
          const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
          await sql.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
          await eventually(() => expect(sql.pool.totalCount).toBe(1));
          await tx.query('select 1');
        }),
      ).rejects.toMatchObject({ kind: 'unavailable' });
      await sql.query('select 1');
    });

    test('LISTEN comes back after its connection was lost, and calls once because something may have been missed', async () => {
      const heard: string[] = [];
      const stop = await sql.listen!('news "quoted"', (payload) => heard.push(payload));
      expect(heard.splice(0)).toEqual(['']);
      await sql.query(`select pg_notify($1, 'one')`, ['news "quoted"']);
      await eventually(() => expect(heard.splice(0)).toEqual(['one']));
      await sql.query(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'`);
      await eventually(() => expect(heard.splice(0)).toEqual(['']));
      await sql.query(`select pg_notify($1, 'two')`, ['news "quoted"']);
      await eventually(() => expect(heard).toEqual(['two']));
      await stop();
      await eventually(async () => {
        const { rows } = await sql.query(`select 1 from pg_stat_activity where query like 'listen%'`);
        expect(rows).toEqual([]);
      });
    });
  });

  describe('migrations', () => {
    const step = (id: string, up: string) => ({ concern: 'books', id, up });
    const first = step('001', 'create table book (id int primary key); insert into book values (1);');
    let url: string;
    let sql: Sql;
    beforeEach(async () => {
      url = await server.createDatabase();
      sql = connect(url);
    });

    test('are applied once, in order, into their schema; the second call only reads', async () => {
      const second = step('002', 'alter table book add title text');
      expect(await migrate(sql, [first, second])).toEqual({ applied: ['books/001', 'books/002'] });
      expect(await migrate(sql, [first, second])).toEqual({ applied: [] });
      expect((await sql.query('select id, title from portcullis.book')).rows).toEqual([
        { id: 1, title: null },
      ]);
      expect(await migrate(sql, [first], { schema: 'Other "schema"' })).toEqual({ applied: ['books/001'] });
      expect((await sql.query('select id from "Other ""schema""".book')).rows).toHaveLength(1);

      await sql.query('create role app login; grant usage on schema portcullis to app');
      await sql.query('grant select on all tables in schema portcullis to app');
      const limited = connect(url.replace('postgres@', 'app@'));
      expect(await migrate(limited, [first, second])).toEqual({ applied: [] });
    });

    test('of processes that start together, each is applied by one', async () => {
      const many = Array.from({ length: 5 }, (_, i) => step(`00${i}`, `create table t${i} (n int)`));
      const results = await Promise.all([1, 2, 3, 4].map(() => migrate(connect(url, {}, { max: 2 }), many)));
      expect(results.flatMap((result) => result.applied).sort()).toEqual(
        many.map((one) => `books/${one.id}`),
      );
    });

    test('one that fails leaves nothing of itself; those before it stay; mended, it goes on', async () => {
      const wrong = step(
        '002',
        'create table half (n int); insert into half values (1); select no_such_function()',
      );
      await expect(migrate(sql, [first, wrong])).rejects.toMatchObject({
        code: 'E_MIGRATION_FAILED',
        message: expect.stringContaining('books/002'),
        cause: { kind: 'other', sqlState: '42883' },
      });
      expect((await sql.query(`select to_regclass('portcullis.half') as there`)).rows).toEqual([
        { there: null },
      ]);
      const mended = step('002', 'create table half (n int)');
      expect(await migrate(sql, [first, mended])).toEqual({ applied: ['books/002'] });
    });

    test('a changed text, and a new one before applied ones, are refused before anything is applied', async () => {
      await migrate(sql, [first]);
      const changed = { ...first, up: `${first.up} -- changed` };
      const next = step('002', 'create table next (n int)');
      const refusal = { code: 'E_MIGRATION_CHANGED', message: expect.stringContaining('books/001') };
      await expect(migrate(sql, [changed, next])).rejects.toMatchObject(refusal);
      await expect(migrate(sql, [next, first])).rejects.toMatchObject(refusal);
      expect((await sql.query(`select to_regclass('portcullis.next') as there`)).rows).toEqual([
        { there: null },
      ]);
      const crlf = { ...first, up: `\r\n${first.up.replaceAll('; ', ';\r\n')}\r\n` };
      await expect(migrate(sql, [crlf])).rejects.toMatchObject(refusal); // Not only its line ends differ.
      expect(await migrate(sql, [{ ...first, up: `${first.up}\r\n` }, next])).toEqual({
        applied: ['books/002'],
      });
    });

    test('a name twice, or one that is none, is a mistake of the program', async () => {
      await expect(migrate(sql, [first, first])).rejects.toMatchObject({ code: 'E_OPTION_CONFLICT' });
      await expect(migrate(sql, [step('a b', 'select 1')])).rejects.toMatchObject({
        code: 'E_OPTION_CONFLICT',
      });
    });

    test('the server killed during a migration: nothing half applied, and the next run completes', async () => {
      const slow = step('002', 'create table slow (n int); select pg_sleep(30)');
      const failing = migrate(sql, [first, slow]);
      const observer = connect(url);
      await eventually(async () => {
        const { rows } = await observer.query(
          `select 1 from pg_stat_activity where query like '%create table slow%' and pid <> pg_backend_pid()`,
        );
        expect(rows).toHaveLength(1);
      });
      await server.kill();
      await expect(failing).rejects.toMatchObject({
        code: 'E_MIGRATION_FAILED',
        cause: { kind: 'unavailable' },
      });
      await server.restart();
      await eventually(async () => {
        expect((await sql.query(`select to_regclass('portcullis.slow') as there`)).rows).toEqual([
          { there: null },
        ]);
      });
      const quick = step('002', 'create table slow (n int)');
      expect(await migrate(sql, [first, quick])).toEqual({ applied: ['books/002'] });
    }, 30_000);
  });

  describe('freshness of two processes on one database', () => {
    const lease = { leaseMs: 1000, pollMs: 250, renewDeadlineMs: 250 } as const;
    const u1 = [{ topic: 'rbac', subject: 'u1' }] as const;
    let url: string;
    let revoker: ReturnType<typeof connect>;
    let victim: ReturnType<typeof connect>;
    const opened: Freshness[] = [];

    beforeAll(async () => {
      url = await server.createDatabase();
      [revoker, victim] = [connect(url), connect(url)];
      await migrate(revoker, feedMigrations);
      await revoker.query('create table role_of (subject text primary key, role text)');
      // As a rolled-back database: what the log looked like then is put back later.
    });
    afterAll(async () => {
      await Promise.all(opened.map((freshness) => freshness.stop()));
    });

    /** A cache of roles as a package has it: filled by the fill rule, used under the lease. */
    function cache(sql: Sql) {
      const feed = postgresFeed({ sql });
      const freshness = createFreshness({ feed, ...lease });
      opened.push(freshness);
      const roles = new Map<string, string | undefined>();
      freshness.onChanges('rbac', (changes) => {
        if (changes) for (const { subject } of changes) roles.delete(subject);
        else roles.clear();
      });
      return {
        feed,
        freshness,
        async roleOf(subject: string): Promise<string | undefined> {
          await freshness.ensure();
          if (roles.has(subject)) return roles.get(subject);
          const before = freshness.revision;
          const { rows } = await sql.query<{ role: string }>('select role from role_of where subject = $1', [
            subject,
          ]);
          if (freshness.changedAt('rbac', subject) <= before) roles.set(subject, rows[0]?.role);
          return rows[0]?.role;
        },
        close: async () => {
          await freshness.stop();
          await feed.close();
        },
      };
    }
    const grant = (role: string | null) =>
      revoker.transaction(async (tx) => {
        await tx.query('insert into role_of values ($1, $2) on conflict (subject) do update set role = $2', [
          'u1',
          role,
        ]);
        await postgresFeed({ sql: revoker }).publish(u1, tx);
      });

    test('a revoke is seen within the lease, with hints and without; a cache that trusts hints alone is caught', async () => {
      const own = cache(victim);
      // The control group: evicts on notifications, as caches with pub/sub do, and has no lease.
      const control = new pg.Client({ connectionString: url });
      control.on('error', () => undefined);
      await control.connect();
      let controlRole: string | undefined = 'staff';
      control.on('notification', () => (controlRole = undefined));
      await control.query('listen portcullis_feed');

      await grant('staff');
      await eventually(() => expect(controlRole).toBeUndefined()); // It does hear what is said.
      controlRole = 'staff';
      expect(await own.roleOf('u1')).toBe('staff');
      await grant(null);
      const hinted = performance.now();
      await eventually(async () => expect(await own.roleOf('u1')).toBeNull());
      // The bound itself is shown below, by when a grant was last asked for; here a busy machine may be slow to look.
      expect(performance.now() - hinted).toBeLessThan(lease.leaseMs + 3_000);

      await grant('staff');
      await eventually(async () => expect(await own.roleOf('u1')).toBe('staff'));
      controlRole = 'staff';
      // All notifications are lost: the connections that listen are cut just before the revoke.
      await revoker.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'`,
      );
      await grant(null);
      const revoked = performance.now();
      let lastGrant = 0;
      while (performance.now() - revoked < 2 * lease.leaseMs) {
        const asked = performance.now();
        if ((await own.roleOf('u1')) === 'staff') lastGrant = asked - revoked;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(lastGrant).toBeLessThan(lease.leaseMs);
      expect(controlRole).toBe('staff'); // Still granting: the harness can see staleness.
      await control.end().catch(() => undefined);
      await own.close();
    }, 20_000);

    test('after settled() nobody grants: the strict revoke', async () => {
      const own = cache(victim);
      await grant('staff');
      await eventually(async () => expect(await own.roleOf('u1')).toBe('staff'));
      await grant(null);
      await own.freshness.settled();
      for (let i = 0; i < 20; i++) expect(await own.roleOf('u1')).toBeNull();
      await own.close();
    });

    test('paused: facts stop counting when the lease ends, E_STALE within the deadline; well after it resumes', async () => {
      const own = cache(victim);
      await grant('staff');
      await eventually(async () => expect(await own.roleOf('u1')).toBe('staff'));
      server.pause();
      const paused = performance.now();
      let lastCurrent = 0;
      while (performance.now() - paused < lease.leaseMs + 300) {
        const asked = performance.now();
        if (own.freshness.current()) lastCurrent = asked - paused;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(lastCurrent).toBeLessThanOrEqual(lease.leaseMs);
      const asked = performance.now();
      await expect(own.freshness.ensure()).rejects.toMatchObject({ code: 'E_STALE', status: 503 });
      expect(performance.now() - asked).toBeLessThan(lease.renewDeadlineMs + 1000);
      server.resume();
      await eventually(async () => expect(await own.roleOf('u1')).toBe('staff'));
      await own.close();
    }, 20_000);

    test('a database that went back to an older state resets its readers, even if it has gone on since', async () => {
      const feed = postgresFeed({ sql: revoker });
      await feed.publish(u1);
      await revoker.query(`create table old_feed as table portcullis.feed;
        create table old_change as table portcullis.feed_change`);
      const rollBack = () =>
        revoker.query(`truncate portcullis.feed, portcullis.feed_change;
          insert into portcullis.feed table old_feed; insert into portcullis.feed_change table old_change`);
      const lost = await feed.publish(u1);
      await rollBack();
      const behind = await feed.readSince(lost);
      expect(behind).toMatchObject({ reset: true, changes: [] });
      expect(behind.revision).toBeGreaterThan(lost);

      await rollBack();
      for (let i = 0; i < 20; i++) await feed.publish(u1); // Overtakes what was lost.
      expect(await feed.readSince(lost)).toMatchObject({ reset: true });
      await revoker.query('drop table old_feed, old_change');

      const own = cache(victim);
      await own.freshness.ensure();
      const seen: unknown[] = [];
      own.freshness.onChanges('rbac', (changes) => seen.push(changes));
      await revoker.query(`update portcullis.feed set revision = 5; delete from portcullis.feed_change`);
      await eventually(() => expect(seen).toContain(undefined));
      await own.close();
    });

    test('history is bounded, and whoever is further behind is reset', async () => {
      const feed = postgresFeed({ sql: revoker, history: 100 });
      const old = await feed.publish(u1);
      for (let i = 0; i < 5; i++) {
        await feed.publish(Array.from({ length: 60 }, (_, j) => ({ topic: 'rbac', subject: `${i}-${j}` })));
      }
      const { rows } = await revoker.query<{ n: string }>('select count(*) as n from portcullis.feed_change');
      expect(Number(rows[0]!.n)).toBeLessThanOrEqual(160);
      expect((await feed.readSince(old)).reset).toBe(true);
    });

    test('what was rolled back was never published; a foreign transaction is refused', async () => {
      const feed = postgresFeed({ sql: revoker });
      const { revision } = await feed.readSince(undefined);
      await expect(
        revoker.transaction(async (tx) => {
          await feed.publish(u1, tx);
          throw new Error('changed my mind');
        }),
      ).rejects.toThrow('changed my mind');
      expect(await feed.readSince(revision)).toEqual({ revision, changes: [], reset: false });
      await expect(victim.transaction((tx) => feed.publish(u1, tx))).rejects.toMatchObject({
        code: 'E_OPTION_CONFLICT',
      });
    });

    test('a feed without its tables says so', async () => {
      const error = await postgresFeed({ sql: revoker, schema: 'nowhere' })
        .readSince(undefined)
        .catch((fault: unknown) => fault);
      expect(isSqlError(error, 'other')).toBe(true);
    });
  });
});
