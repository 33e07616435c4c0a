import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql as tag, type Sql } from '@portcullis/core';
import { fromPg } from '@portcullis/core/postgres';
import { describeWithPostgres, startPostgres, type PostgresServer } from '@portcullis/test-support';
import pg from 'pg';
import { createRbac, memoryRoles } from '../src/index.js';
import { compareFilter, makeTable } from './filter-check.js';
import { permissions, roles } from './support.js';
import { mulberry32 } from './worlds.js';

describeWithPostgres('where().toSql()', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url });
    sql = fromPg(pool);
    await makeTable(sql);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  test('finds exactly the rows of which can() is true, in 300 random worlds', async () => {
    const random = mulberry32(11);
    let [some, rows] = [0, 0];
    for (let i = 0; i < 300; i++) {
      const compared = await compareFilter(sql, random);
      expect(compared.differences).toEqual([]);
      rows += compared.rows;
      if (compared.found > 0 && compared.found < compared.rows) some++;
    }
    expect(rows).toBeGreaterThan(20_000);
    expect(some).toBeGreaterThan(20); // Neither all nor nothing.
  });

  test('nests in the query of the app, with its values bound', async () => {
    const rbac = createRbac({ permissions, store: memoryRoles(), roles });
    await rbac.seed();
    const id = "u'); drop table loan; --";
    await rbac.grantRole('root', id, 'patron');
    await sql.query(tag`insert into loan (owner) values (${id})`);
    const filter = await rbac.where(id, 'loan:read');
    const query = tag`select owner from loan where id > ${0} and ${filter.toSql({ owner: 'loan.owner' })}`;
    expect((await sql.query(query)).rows).toEqual([{ owner: id }]);
    expect((await sql.query(tag`select 1 from loan where ${filter.toSql()}`)).rows).toEqual([]);
    const nobody = await rbac.where(undefined, 'loan:read');
    expect((await sql.query(tag`select 1 from loan where ${nobody.toSql({ owner: 'owner' })}`)).rows).toEqual(
      [],
    );
    await sql.query(tag`delete from loan where owner = ${id}`);
  });
});
