import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Sql } from '@portcullis/core';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  embeddedPostgres,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import pg from 'pg';
import { changeOf, createAudit, memoryAudit, type Audit } from '../src/index.js';
import { auditMigrations, postgresAudit } from '../src/postgres.js';

const staff = { viewer: { id: 'ann', staff: true } } as const;
const X = 'Zq9-hunter2_Kw7vB';

/** None of this is about time. */
const patient = { timeoutMs: 30_000 };

function trackingClaims(connect: () => Sql): void {
  const open: Audit[] = [];
  afterEach(async () => {
    for (const audit of open.splice(0)) await audit.close();
  });
  let tables = 0;

  async function bookTable() {
    const sql = connect();
    const table = `book_${++tables}`;
    await sql.query(`create table ${table} (
      id bigint primary key, title text, shelf integer, price numeric(20,10), bought timestamptz, cover bytea,
      facts jsonb, tags text[], api_token text, reader_mail text, search text, rating double precision)`);
    const audit = createAudit({ deadline: '60s', store: postgresAudit({ sql, ...patient }) });
    open.push(audit);
    await audit.track(sql, table, { exclude: ['search'], mask: ['reader_mail'] });
    const by = (user: string, ...statements: string[]) =>
      sql.transaction(
        async (tx) => {
          for (const statement of statements) await tx.query(statement);
        },
        { settings: { 'app.user_id': user, 'app.request_id': `req-${user}`, 'app.reason': 'inventory' } },
      );
    return { sql, audit, table, by };
  }

  test('bulk and raw SQL is seen: one diff for every row that changed, with who and why', async () => {
    const { audit, table, by } = await bookTable();
    await by(
      'ann',
      `insert into ${table} (id, title, shelf) select n, 'Book ' || n, 1 from generate_series(1, 300) n`,
    );
    await by('bob', `update ${table} set shelf = 2 where id <= 200`, `delete from ${table} where id > 290`);
    const { entries, created, modified } = await audit.history(table, '7', staff);
    expect(entries).toMatchObject([
      {
        action: `${table.replace('_', '-')}.updated`,
        actor: { id: 'bob', kind: 'user' },
        reason: 'inventory',
        requestId: 'req-bob',
        changes: [{ field: 'shelf', before: 1, after: 2 }],
      },
      { action: `${table.replace('_', '-')}.created`, actor: { id: 'ann' } },
    ]);
    expect(created).toMatchObject({ by: { id: 'ann' } });
    expect(modified).toMatchObject({ by: { id: 'bob' } });
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await audit.query({
        viewer: 'system',
        target: { type: table },
        limit: 500,
        ...(cursor === undefined ? {} : { cursor }),
      });
      count += page.entries.length;
      cursor = page.next;
    } while (cursor !== undefined);
    expect(count).toBe(300 + 200 + 10);
  });

  test('a statement that changes nothing, and a column that is excluded, leave no entry', async () => {
    const { audit, table, by } = await bookTable();
    await by('ann', `insert into ${table} (id, title) values (1, 'Emma')`);
    await by('bob', `update ${table} set title = title, search = 'emma'`);
    expect((await audit.history(table, '1', staff)).entries).toHaveLength(1);
  });

  test('a change that is rolled back leaves none, as it did not happen', async () => {
    const { sql, audit, table, by } = await bookTable();
    await by('ann', `insert into ${table} (id, title) values (1, 'Emma')`);
    await expect(
      sql.transaction(async (tx) => {
        await tx.query(`update ${table} set title = 'X'`);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect((await audit.history(table, '1', staff)).entries).toHaveLength(1);
  });

  test('masked columns and names that sound secret say only that they changed', async () => {
    const { sql, audit, table, by } = await bookTable();
    await by(
      'ann',
      `insert into ${table} (id, api_token, reader_mail) values (1, '${X}', '${X}@example.org')`,
    );
    await by('ann', `update ${table} set api_token = '${X}2', reader_mail = '${X}2@example.org'`);
    const left = await sql.query<{ draft: string }>('select draft from portcullis.audit_outbox');
    expect(JSON.stringify(left.rows)).not.toContain(X);
    const { entries } = await audit.history(table, '1', staff);
    expect(entries[0]!.changes).toEqual([
      { field: 'api_token', before: '[REDACTED]', after: '[REDACTED]' },
      { field: 'reader_mail', before: '[REDACTED]', after: '[REDACTED]' },
    ]);
    expect(JSON.stringify(entries)).not.toContain(X);
  });

  test('a secret that was typed into an ordinary column is not in the log', async () => {
    const { audit, table, by } = await bookTable();
    await by('ann', `insert into ${table} (id, title) values (1, 'postgres://u:${X}@db/books')`);
    expect(JSON.stringify(await audit.history(table, '1', staff))).not.toContain(X);
  });

  test('values keep their precision, and no text breaks out of its place', async () => {
    const { audit, table, by } = await bookTable();
    const title = `"},"k":"log" \\ ' \u2028 \u{1f512} \n`;
    await by(
      'ann',
      `insert into ${table} (id, title, price, bought, cover, facts, tags, rating) values (9007199254740993,
        '${title.replaceAll("'", "''")}', 12345678.0123456789, '2026-11-22T10:00:00.123456+02', '\\x00ff',
        '{"isbn": ["1"]}', '{"a","b"}', 0.1)`,
    );
    const { entries } = await audit.history(table, '9007199254740993', staff);
    const after = Object.fromEntries(entries[0]!.changes.map(({ field, after: value }) => [field, value]));
    expect(after).toEqual({
      id: '9007199254740993',
      // What is invisible is written out in the log.
      title: title.replace('\u2028', '\\u2028'),
      shelf: null,
      price: '12345678.0123456789',
      bought: '2026-11-22T08:00:00.123456Z',
      cover: '[Binary:2]',
      facts: { isbn: ['1'] },
      tags: '{a,b}',
      api_token: '[REDACTED]',
      reader_mail: '[REDACTED]',
      rating: 0.1,
    });
  });

  test('asOf tells a row as it was: before it was made, after each change, before it was deleted', async () => {
    const { audit, table, by, sql } = await bookTable();
    const moments: string[] = [];
    const moment = async (): Promise<void> => {
      // The database's clock; the pauses keep moments apart from changes, which have milliseconds.
      await sql.query('select pg_sleep(0.003)');
      const { rows } = await sql.query<{ at: Date }>('select clock_timestamp() as at');
      moments.push(new Date(rows[0]!.at).toISOString());
      await sql.query('select pg_sleep(0.003)');
    };
    await moment();
    await by('ann', `insert into ${table} (id, title, shelf) values (1, 'Ema', 1)`);
    await moment();
    await by('bob', `update ${table} set title = 'Emma'`);
    await moment();
    await by('bob', `update ${table} set shelf = 5`, `update ${table} set shelf = 6`);
    await moment();
    await by('ann', `delete from ${table}`);
    await moment();
    await by('ann', `insert into ${table} (id, title) values (1, 'Again')`);
    const states = await Promise.all(moments.map((at) => audit.asOf(table, '1', at)));
    expect(states.map((row) => row && { title: row['title'], shelf: row['shelf'] })).toEqual([
      undefined,
      { title: 'Ema', shelf: 1 },
      { title: 'Emma', shelf: 1 },
      { title: 'Emma', shelf: 6 },
      undefined,
    ]);
    expect(await audit.asOf(table, '1', '2100-01-01')).toMatchObject({ title: 'Again', shelf: null });
    await expect(audit.asOf('unknown', '1', '2100-01-01')).rejects.toThrow(TypeError);
  });

  test('asOf tells a row with the columns that its table had then: before one came, went, and got another name', async () => {
    const { audit, table, by, sql } = await bookTable();
    const moments: string[] = [];
    const moment = async (): Promise<void> => {
      await sql.query('select pg_sleep(0.003)');
      const { rows } = await sql.query<{ at: Date }>('select clock_timestamp() as at');
      moments.push(new Date(rows[0]!.at).toISOString());
      await sql.query('select pg_sleep(0.003)');
    };
    const options = { exclude: ['search'], mask: ['reader_mail'] };
    await by('ann', `insert into ${table} (id, title, shelf) values (1, 'Ema', 1)`);
    await by('ann', `update ${table} set shelf = 2`);
    await moment();
    await sql.query(`alter table ${table} add column pages integer default 7`);
    await audit.track(sql, table, options);
    await by('bob', `update ${table} set pages = 8, title = 'Emma'`);
    await moment();
    // Until the table is tracked in its new form, nothing of it changes unrecorded.
    await sql.query(`alter table ${table} drop column shelf`);
    await sql.query(`alter table ${table} rename column title to name`);
    await expect(by('bob', `update ${table} set pages = 9`)).rejects.toMatchObject({ name: 'SqlError' });
    await audit.track(sql, table, options);
    await by('ann', `update ${table} set name = 'Emma, a novel'`);
    const states = await Promise.all([...moments, '2100-01-01'].map((at) => audit.asOf(table, '1', at)));
    const told = ['title', 'name', 'shelf', 'pages'].map((field) => [
      field,
      states.map((row) => row?.[field]),
    ]);
    expect(Object.fromEntries(told)).toEqual({
      title: ['Ema', 'Emma', undefined],
      name: [undefined, undefined, 'Emma, a novel'],
      shelf: [2, 2, undefined],
      pages: [undefined, 8, 8],
    });
    // A start that finds the table as it was says nothing.
    await audit.track(sql, table, options);
    const { entries } = await audit.query({
      viewer: 'system',
      kind: 'log',
      action: 'tracking.columns-changed',
      target: { type: 'table', id: `"public"."${table}"` },
    });
    expect(entries).toHaveLength(3);
  });

  test('TRUNCATE, a changed key, ON CONFLICT and keys of several columns are seen', async () => {
    const { sql, audit, table, by } = await bookTable();
    await by('ann', `insert into ${table} (id, title) values (1, 'A')`);
    await by(
      'ann',
      `insert into ${table} (id, title) values (1, 'B'), (2, 'C') on conflict (id) do update set title = excluded.title`,
      `update ${table} set id = 3 where id = 2`,
      `truncate ${table}`,
    );
    const words = async (id: string) =>
      (await audit.history(table, id, staff)).entries.map(({ action }) => action.split('.')[1]).toReversed();
    expect(await words('1')).toEqual(['created', 'updated', 'deleted']);
    expect(await words('2')).toEqual(['created', 'deleted']);
    expect(await words('3')).toEqual(['created', 'deleted']);
    const pair = `pair_${tables}`;
    await sql.query(`create table ${pair} (a text, b integer, note text, primary key (a, b))`);
    await audit.track(sql, pair);
    await sql.query(`insert into ${pair} values ('x,"', 1, 'n')`);
    const id = JSON.stringify(['x,"', '1']);
    expect((await audit.history(pair, id, staff)).entries).toHaveLength(1);
    expect(await audit.asOf(pair, id, '2100-01-01')).toEqual({ a: 'x,"', b: 1, note: 'n' });
  });

  test('what a cascade takes along is seen, and a long text is cut', async () => {
    const { sql, audit, table, by } = await bookTable();
    const child = `copy_of_${table}`;
    await sql.query(
      `create table ${child} (id integer primary key, book bigint references ${table} on delete cascade)`,
    );
    await audit.track(sql, child);
    // Across the place where the text is cut: half of it would be recognised by nobody.
    const secret = `ghp_${'a1B2'.repeat(9)}`;
    await by(
      'ann',
      `insert into ${table} (id, title) values (1, repeat('word ', 798) || '${secret} ' || repeat('word ', 1000))`,
      `insert into ${child} values (1, 1), (2, 1)`,
    );
    await by('bob', `delete from ${table}`);
    for (const id of ['1', '2']) {
      const { entries } = await audit.history(child, id, staff);
      expect(entries.map(({ action, actor }) => [action.split('.')[1], actor.id])).toEqual([
        ['deleted', 'bob'],
        ['created', 'ann'],
      ]);
    }
    const { entries } = await audit.history(table, '1', staff);
    const { before } = entries[0]!.changes.find(({ field }) => field === 'title')!;
    expect(before).toMatch(/^(?:word ){798}\[Truncated:9031 characters\]$/);
  });

  test('a column that came later is tracked from the next start on; without a change nothing is made anew', async () => {
    const { sql, audit, table, by } = await bookTable();
    const made = async () =>
      (
        await sql.query<{
          oid: string;
        }>(`select string_agg(oid::text, ',' order by oid) as oid from pg_trigger
        where tgrelid = '${table}'::regclass and not tgisinternal`)
      ).rows[0]!.oid;
    const first = await made();
    await audit.track(sql, table, { exclude: ['search'], mask: ['reader_mail'] });
    expect(await made()).toBe(first);
    await sql.query(`alter table ${table} add column pages integer`);
    await audit.track(sql, table, { exclude: ['search'], mask: ['reader_mail'] });
    await by('ann', `insert into ${table} (id, pages) values (1, 300)`);
    expect(await audit.asOf(table, '1', '2100-01-01')).toMatchObject({ pages: 300 });
    // A trigger that somebody has switched off is put back.
    await sql.query(`alter table ${table} disable trigger audit_track_update`);
    await audit.track(sql, table, { exclude: ['search'], mask: ['reader_mail'] });
    await by('ann', `update ${table} set pages = 301`);
    expect((await audit.history(table, '1', staff)).entries).toHaveLength(2);
  });

  test('people see the changes they made', async () => {
    const { audit, table, by } = await bookTable();
    await by('ann', `insert into ${table} (id, title) values (1, 'A')`);
    await by('bob', `update ${table} set title = 'B'`);
    const own = await audit.history(table, '1', { viewer: { id: 'bob', staff: false } });
    expect(own.entries).toHaveLength(1);
    expect(own.created).toBeUndefined();
    expect(own.modified).toMatchObject({ by: { id: 'bob' } });
  });

  test('tables and columns that cannot be tracked are refused, with the reason', async () => {
    const { sql, audit, table } = await bookTable();
    await sql.query(`create table keyless_${tables} (a text)`);
    for (const [name, options] of [
      ['no_such_table', {}],
      [`keyless_${tables}`, {}],
      [table, { mask: ['nmae'] }],
      ['a; drop table b', {}],
      [table, { masks: [] } as object],
    ] as const) {
      await expect(audit.track(sql, name, options)).rejects.toMatchObject({ name: 'OptionError' });
    }
  });
}

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db);
    await migrate(sql, auditMigrations);
  }, 60_000);
  afterAll(() => db.close());
  trackingClaims(() => sql);
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 4 });
    await migrate(fromPg(pool, patient), auditMigrations);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  trackingClaims(() => fromPg(pool, patient));

  test('rows that COPY brings are seen', async () => {
    const sql = fromPg(pool, patient);
    await sql.query('create table copied (id integer primary key, name text)');
    const audit = createAudit({ deadline: '60s', store: postgresAudit({ sql, ...patient }) });
    await audit.track(sql, 'copied');
    await sql.query(`copy copied from program 'printf "1\\tnorth\\n2\\tsouth\\n"'`);
    for (const [id, name] of [
      ['1', 'north'],
      ['2', 'south'],
    ]) {
      const { entries } = await audit.history('copied', id!, staff);
      expect(entries).toMatchObject([
        { action: 'copied.created', changes: [{}, { field: 'name', after: name }] },
      ]);
    }
    await audit.close();
  });

  test('whoever may change rows needs no right on the outbox, and cannot write there', async () => {
    const owner = fromPg(pool, patient);
    await owner.query('create table shelf (id integer primary key, name text)');
    const audit = createAudit({ deadline: '60s', store: postgresAudit({ sql: owner, ...patient }) });
    await audit.track(owner, 'shelf');
    await owner.query('create role clerk login; grant insert, update on shelf to clerk');
    const url = new URL(server.url);
    url.username = 'clerk';
    const clerk = new pg.Pool({ connectionString: url.href, max: 1 });
    await clerk.query("insert into shelf values (1, 'north')");
    await expect(clerk.query("insert into portcullis.audit_outbox values ('x', '{}')")).rejects.toThrow(
      /permission denied/,
    );
    await clerk.end();
    const { entries } = await audit.history('shelf', '1', staff);
    expect(entries).toMatchObject([
      { actor: { kind: 'system' }, changes: [{ field: 'id' }, { field: 'name' }] },
    ]);
    const page = await audit.query({ viewer: 'system', target: { type: 'shelf' } });
    // Nobody said who; the database knows who was connected.
    expect(page.entries[0]!.data).toEqual({ database: 'clerk' });
    await audit.close();
  });
});

describe('without triggers', () => {
  const before = { id: 1, title: 'Ema', shelf: { n: 1 }, pin: '1234' };
  const after = { id: 1, title: 'Emma', shelf: { n: 1 }, pin: '4321' };

  test('changeOf() says what the triggers would say', () => {
    expect(changeOf({ type: 'loan_items', id: '1', before, after, mask: ['pin'] })).toEqual({
      action: 'loan-items.updated',
      target: { type: 'loan_items', id: '1' },
      change: { before: { title: 'Ema', pin: '[REDACTED]' }, after: { title: 'Emma', pin: '[REDACTED]' } },
    });
    expect(changeOf({ type: 'books', id: '1', after })).toMatchObject({
      action: 'books.created',
      change: { after: { title: 'Emma' } },
    });
    expect(changeOf({ type: 'books', id: '1', before })).toMatchObject({ action: 'books.deleted' });
    expect(changeOf({ type: 'books', id: '1', before, after: { ...before } })).toBeUndefined();
    expect(() => changeOf({ type: 'books', id: '1' })).toThrow(TypeError);
  });

  test('history and asOf work on them, in any store', async () => {
    let now = Date.UTC(2026, 0, 1);
    const clock = { now: () => now, monotonic: () => now };
    const audit = createAudit({ store: memoryAudit(), clock });
    for (const change of [{ after: before }, { before, after }]) {
      const said = changeOf({ type: 'books', id: '1', ...change, mask: ['pin'] })!;
      await audit.record({ ...said, outcome: 'success', actor: { id: 'ann', kind: 'user' } });
      now += 1000;
    }
    const row = { ...after, pin: '[REDACTED]' };
    expect(await audit.asOf('books', '1', now, { row })).toEqual(row);
    expect(await audit.asOf('books', '1', now - 2000, { row })).toMatchObject({
      title: 'Ema',
      shelf: { n: 1 },
    });
    expect(await audit.asOf('books', '1', now - 3000, { row })).toBeUndefined();
    const { entries, created } = await audit.history('books', '1', staff);
    expect(entries.map(({ changes }) => changes.map(({ field }) => field))).toEqual([
      ['pin', 'title'],
      ['id', 'pin', 'shelf', 'title'],
    ]);
    expect(created?.by).toEqual({ kind: 'user', id: 'ann' });
    await expect(audit.track({} as Sql, 'books')).rejects.toThrow(TypeError);
    await audit.close();
  });
});
