import { sql as tag, type Principal, type Sql, type SqlStatement } from '@portcullis/core';
import { createRbac, memoryRoles } from '../src/index.js';
import { ASKED, batchOf, permissions, randomQuestion, randomWorld } from './worlds.js';

/** A table of everything that owners and tenants can be, in a collation to which some of it is the same. */
export async function makeTable(sql: Sql): Promise<void> {
  const owners = [null, '', 'u', 'U', 'u ', ' u', '\u00fa', 'somebody else'];
  const tenants = [null, '', '*', 'acme', 'ACME', 'globex', 'initech', 'another', 'another!'];
  await sql.query(`drop table if exists loan`);
  await sql.query(
    `create collation if not exists same_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  );
  await sql.query(
    `create table loan (id serial, owner text collate same_case, tenant text collate same_case)`,
  );
  for (const owner of owners) {
    for (const tenant of tenants)
      await sql.query(tag`insert into loan (owner, tenant) values (${owner}, ${tenant})`);
  }
}

/**
 * Compares the rows that the filter finds with those of which can() is true. Beside it a filter that forgets the column of
 * the owner, which must be seen to differ.
 */
export async function compareFilter(
  sql: Sql,
  random: () => number,
): Promise<{
  readonly rows: number;
  readonly found: number;
  readonly differences: readonly unknown[];
  readonly forgetful: number;
}> {
  const world = randomWorld(random);
  const { now, scopes, tenant } = randomQuestion(random);
  const permission = ASKED[Math.floor(random() * ASKED.length)]!;
  const columns = {
    ...(random() < 0.8 ? { owner: 'loan.owner' } : {}),
    ...(random() < 0.6 ? { tenant: 'tenant' } : {}),
  };
  const store = memoryRoles();
  await store.commit(batchOf(world, 'u'));
  const rbac = createRbac({ permissions, store, clock: { now: () => now, monotonic: () => 0 } });
  const principal: Principal = {
    id: 'u',
    kind: 'user',
    ...(scopes ? { scopes } : {}),
    ...(tenant === undefined ? {} : { tenant }),
  };
  const filter = await rbac.where(principal, permission);
  const { owner: _owner, ...others } = columns;
  type Row = { readonly id: number; readonly owner: string | null; readonly tenant: string | null };
  const all = (await sql.query<Row>(`select id, owner, tenant from loan order by id`)).rows;
  const select = async (condition: SqlStatement): Promise<ReadonlySet<number>> => {
    const { rows } = await sql.query<{ id: number }>(tag`select id from loan where ${condition}`);
    return new Set(rows.map(({ id }) => id));
  };
  const found = await select(filter.toSql(columns));
  const forgotten = await select(filter.toSql(others));
  let forgetful = 0;
  const differences: unknown[] = [];
  for (const row of all) {
    const about = {
      ...(columns.owner === undefined ? {} : { owner: row.owner }),
      ...(columns.tenant === undefined ? {} : { tenant: row.tenant }),
    };
    const may = await rbac.can(principal, permission, about);
    if (may !== forgotten.has(row.id)) forgetful++;
    if (may !== found.has(row.id)) differences.push({ row, may, permission, columns, principal, world });
  }
  await rbac.close();
  return { rows: all.length, found: found.size, differences, forgetful };
}
