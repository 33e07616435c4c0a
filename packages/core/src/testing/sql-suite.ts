import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql as tag, type Sql } from '../sql.js';
import { testGlobals, type TestGlobals } from './globals.js';

export interface SqlSuiteOptions {
  readonly globals?: TestGlobals;
}

/**
 * Every claim of {@link Sql}, for any client of PostgreSQL. Makes tables and a role with random names in the first schema
 * of the `search_path`, as a user that may do so; use a database of its own.
 */
export function sqlSuite(
  name: string,
  makeSql: () => Sql | Promise<Sql>,
  options: SqlSuiteOptions = {},
): void {
  const { describe, test } = testGlobals(options.globals);

  describe(`Sql: ${name}`, () => {
    function claim(
      title: string,
      body: (sql: Sql, table: ReturnType<typeof tag.identifier>) => Promise<void>,
    ): void {
      test(title, async () => {
        const sql = await makeSql();
        const table = tag.identifier(`conformance_${randomUUID()}`);
        await sql.query(
          `create table ${table.text} (id int primary key, name text not null check (name <> 'bad'))`,
        );
        await body(sql, table);
      });
    }
    const count = async (sql: Sql, table: { text: string }) =>
      Number((await sql.query<{ n: string }>(`select count(*) as n from ${table.text}`)).rows[0]!.n);

    claim('values go in and come out with the documented types', async (sql) => {
      const instant = new Date('2026-02-03T04:05:06.789Z');
      const bytes = Buffer.from([0, 1, 254, 255]);
      const { rows, rowCount } = await sql.query(tag`
        select ${'text'}::text as text, ${null}::text as nothing, ${undefined}::text as absent, ${true} and true as yes,
          ${7}::int as int, ${'9007199254740993'}::int8 as big, ${12n}::int8 as big2, ${0.5}::float8 as float,
          ${'1.10'}::numeric as decimal, ${instant}::timestamptz as at, ${'2026-02-03'}::date as day,
          ${'2026-02-03 04:05:06'}::timestamp as local, ${bytes}::bytea as bytes, ${{ a: [1, null] }}::jsonb as json,
          ${JSON.stringify([1, 'x'])}::jsonb as list, ${['a', 'b"{},', null]}::text[] as texts, ${[1, 2]}::int[] as ints,
          ${'6a2f41a3-c54c-fce8-32d2-0324e1c32e22'}::uuid as uuid`);
      assert.equal(rowCount, 1);
      const row = rows[0]!;
      assert.ok(row['at'] instanceof Date || Object.prototype.toString.call(row['at']) === '[object Date]');
      assert.equal((row['at'] as Date).toISOString(), instant.toISOString());
      assert.ok(Buffer.isBuffer(row['bytes']) && row['bytes'].equals(bytes));
      const { at: _at, bytes: _bytes, ...rest } = row;
      assert.equal(
        JSON.stringify(rest),
        JSON.stringify({
          text: 'text',
          nothing: null,
          absent: null,
          yes: true,
          int: 7,
          big: '9007199254740993',
          big2: '12',
          float: 0.5,
          decimal: '1.10',
          day: '2026-02-03',
          local: '2026-02-03 04:05:06',
          json: { a: [1, null] },
          list: [1, 'x'],
          texts: ['a', 'b"{},', null],
          ints: [1, 2],
          uuid: '6a2f41a3-c54c-fce8-32d2-0324e1c32e22',
        }),
      );
    });

    claim("a value stays a value: '; drop table", async (sql, table) => {
      const attack = "x'); drop table students; --";
      const { rowCount } = await sql.query(tag`insert into ${table} values (${1}, ${attack})`);
      assert.equal(rowCount, 1);
      const { rows } = await sql.query<{ name: string }>(
        tag`select name from ${table} where name = ${attack}`,
      );
      assert.equal(rows[0]?.name, attack);
    });

    claim('a text without parameters may hold several statements', async (sql, table) => {
      const { rows } = await sql.query<{ n: number }>(
        `insert into ${table.text} values (1, 'a'); insert into ${table.text} values (2, 'b'); select 2 as n`,
      );
      assert.equal(rows[0]?.n, 2);
      assert.equal(await count(sql, table), 2);
    });

    claim('errors have a kind, whatever the driver calls them', async (sql, table) => {
      await sql.query(tag`insert into ${table} values (1, 'a')`);
      const { text } = table;
      await sql.query(`create table "${text.slice(1, -1)}_child" (parent int references ${text})`);
      const wrong: [string, string, string, string][] = [
        [`insert into ${text} values (1, 'b')`, 'unique', '23505', 'E_SQL_CONFLICT'],
        [`insert into ${text} values (2, null)`, 'not-null', '23502', 'E_SQL'],
        [`insert into ${text} values (2, 'bad')`, 'check', '23514', 'E_SQL'],
        [`insert into "${text.slice(1, -1)}_child" values (99)`, 'foreign-key', '23503', 'E_SQL'],
        ['selec 1', 'other', '42601', 'E_SQL'],
        ['select 1 / 0', 'other', '22012', 'E_SQL'],
      ];
      for (const [statement, kind, sqlState, code] of wrong) {
        await assert.rejects(sql.query(statement), { name: 'SqlError', kind, sqlState, code });
        await assert.rejects(sql.query(statement, []), { name: 'SqlError', kind, sqlState, code });
      }
      const error = (await sql.query(`insert into ${text} values (1, 'b')`).catch((e: unknown) => e)) as {
        constraint: string;
        table: string;
        message: string;
      };
      assert.ok(error.constraint.endsWith('_pkey'));
      assert.equal(error.table, text.slice(1, -1));
      assert.ok(!error.message.includes('Key'));
    });

    claim('a transaction commits all or nothing, and hooks run only after a commit', async (sql, table) => {
      const hooks: string[] = [];
      const result = await sql.transaction(async (tx) => {
        await tx.query(tag`insert into ${table} values (1, 'a')`);
        tx.onCommit(() => hooks.push('committed'));
        assert.deepEqual(hooks, []);
        return 'result';
      });
      assert.equal(result, 'result');
      assert.deepEqual(hooks, ['committed']);
      const fault = new Error('mine');
      await assert.rejects(
        sql.transaction(async (tx) => {
          tx.onCommit(() => hooks.push('never'));
          await tx.query(tag`insert into ${table} values (2, 'b')`);
          throw fault;
        }),
        (error) => error === fault,
      );
      assert.deepEqual(hooks, ['committed']);
      assert.equal(await count(sql, table), 1);
    });

    claim(
      'a transaction whose failed statement was caught does not pretend to have committed',
      async (sql, table) => {
        const hooks: string[] = [];
        await assert.rejects(
          sql.transaction(async (tx) => {
            tx.onCommit(() => hooks.push('never'));
            await tx.query(tag`insert into ${table} values (1, 'a')`);
            await tx.query('select 1 / 0').catch(() => undefined);
          }),
          { name: 'SqlError', sqlState: '25P02' },
        );
        assert.equal(await count(sql, table), 0);
        assert.deepEqual(hooks, []);
      },
    );

    claim('a savepoint of the caller survives a failed statement', async (sql, table) => {
      await sql.transaction(async (tx) => {
        await tx.query(tag`insert into ${table} values (1, 'a')`);
        await tx.query('savepoint here');
        await tx.query('select 1 / 0').catch(() => undefined);
        await tx.query('rollback to savepoint here');
      });
      assert.equal(await count(sql, table), 1);
    });

    claim('a transaction that has ended runs nothing any more', async (sql, table) => {
      let leaked: Parameters<Parameters<Sql['transaction']>[0]>[0] | undefined;
      await sql.transaction(async (tx) => {
        leaked = tx;
      });
      await assert.rejects(leaked!.query(tag`insert into ${table} values (1, 'a')`), { name: 'SqlError' });
      assert.equal(await count(sql, table), 0);
    });

    claim(
      'a statement that nobody awaited belongs to the transaction, and its failure fails it',
      async (sql, table) => {
        await sql.transaction(async (tx) => {
          void tx.query(tag`insert into ${table} values (1, 'a')`);
        });
        assert.equal(await count(sql, table), 1);
        await assert.rejects(
          sql.transaction(async (tx) => {
            await tx.query(tag`insert into ${table} values (2, 'b')`);
            tx.query('select 1 / 0').catch(() => undefined);
          }),
          { name: 'SqlError' },
        );
        assert.equal(await count(sql, table), 1);
      },
    );

    claim(
      'role and settings hold for one transaction, and row-level security sees them',
      async (sql, table) => {
        const role = `reader "${randomUUID().slice(0, 8)}"`;
        await sql.query(`insert into ${table.text} values (1, 'alice'), (2, 'bob')`);
        await sql.query(`create role ${tag.identifier(role).text}`);
        await sql.query(`grant select on ${table.text} to ${tag.identifier(role).text}`);
        await sql.query(`alter table ${table.text} enable row level security`);
        await sql.query(
          `create policy own on ${table.text} using (name = current_setting('app.user', true))`,
        );
        const asUser = (user: string) => ({ role, readOnly: true, settings: { 'app.user': user } }) as const;
        for (const user of ['alice', 'bob']) {
          const { rows } = await sql.transaction(
            (tx) => tx.query(`select name from ${table.text}`),
            asUser(user),
          );
          assert.deepEqual(
            rows.map((row) => row['name']),
            [user],
          );
        }
        assert.equal(await count(sql, table), 2);
        const { rows } = await sql.query<{ value: string | null }>(
          `select current_setting('app.user', true) as value`,
        );
        assert.ok(!rows[0]?.value);
        await assert.rejects(
          sql.transaction((tx) => tx.query(`delete from ${table.text}`), { role }),
          { kind: 'permission' },
        );
        await assert.rejects(
          sql.transaction((tx) => tx.query(`delete from ${table.text}`), { readOnly: true }),
          { sqlState: '25006' },
        );
        await sql.query(`drop table ${table.text}; drop role ${tag.identifier(role).text}`);
      },
    );

    claim('a role that would switch row-level security off is refused', async (sql) => {
      for (const role of ['none', '']) {
        await assert.rejects(
          sql.transaction(async () => undefined, { role }),
          { name: 'TypeError' },
        );
      }
      await assert.rejects(
        sql.transaction(async () => undefined, { settings: { role: 'postgres' } }),
        { name: 'TypeError' },
      );
      await assert.rejects(
        sql.transaction(async () => undefined, { role: 'no such role' }),
        { name: 'SqlError' },
      );
      await sql.query('select 1');
    });

    claim('isolation levels are what was asked for', async (sql) => {
      for (const isolation of ['read committed', 'repeatable read', 'serializable'] as const) {
        const { rows } = await sql.transaction((tx) => tx.query('show transaction_isolation'), { isolation });
        assert.equal(rows[0]?.['transaction_isolation'], isolation);
      }
    });

    claim('a cursor gives all rows in batches, also within a transaction', async (sql) => {
      const statement = tag`select n from generate_series(1, ${25}::int) as n`;
      const batches: number[] = [];
      for await (const rows of sql.cursor<{ n: number }>(statement, { batch: 10 })) batches.push(rows.length);
      assert.deepEqual(batches, [10, 10, 5]);
      const seen = await sql.transaction(async (tx) => {
        const numbers: number[] = [];
        for await (const rows of tx.cursor<{ n: number }>(statement, { batch: 10 })) {
          await tx.query('select 1');
          numbers.push(...rows.map((row) => row.n));
        }
        return numbers;
      });
      assert.equal(seen.length, 25);
      assert.equal(seen[24], 25);
    });

    claim('leaving the loop closes the cursor; other statements may run meanwhile', async (sql) => {
      for (let round = 0; round < 20; round++) {
        for await (const _rows of sql.cursor(tag`select generate_series(1, 1000) as n`, { batch: 10 })) {
          await sql.query('select 1');
          break;
        }
      }
      const open = await sql.query('select name from pg_cursors where name like $1', ['portcullis%']);
      assert.equal(open.rows.length, 0);
      await sql.transaction(async (tx) => {
        for await (const _rows of tx.cursor(tag`select generate_series(1, 1000) as n`, { batch: 10 })) break;
        assert.equal((await tx.query('select 1 from pg_cursors')).rows.length, 0);
      });
      await assert.rejects(
        async () => {
          for await (const _rows of sql.cursor(tag`selec ${1}`)) break;
        },
        { name: 'SqlError' },
      );
    });

    claim('an aborted signal refuses the statement before it runs', async (sql, table) => {
      const signal = AbortSignal.abort();
      await assert.rejects(sql.query(tag`insert into ${table} values (1, 'a')`, undefined, { signal }), {
        kind: 'timeout',
      });
      assert.equal(await count(sql, table), 0);
    });

    claim('a transaction that takes too long is rolled back', async (sql, table) => {
      await assert.rejects(
        sql.transaction(
          async (tx) => {
            await tx.query(tag`insert into ${table} values (1, 'a')`);
            await new Promise(() => undefined);
          },
          { timeoutMs: 100 },
        ),
        { kind: 'timeout' },
      );
      assert.equal(await count(sql, table), 0);
    });
  });
}
