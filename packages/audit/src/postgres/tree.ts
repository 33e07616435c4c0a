import type { Sql, SqlClient, TransactionOptions } from '@portcullis/core';
import { EXTEND_LIMIT, type AuditTree, type TreeBatch, type TreeGrowth } from '../log/tree.js';
import type { ReadTiles } from '../merkle/tiles.js';

type NameOf = (table: string) => string;

/** The tree in the tables of `003-tree`. Whoever extends it holds an advisory lock that ends with the transaction. */
export function postgresTree(sql: Sql, name: NameOf, options: TransactionOptions): AuditTree {
  const lock = treeLock(name);
  const read = <T>(fn: (tx: SqlClient) => Promise<T>): Promise<T> =>
    sql.transaction(fn, { ...options, readOnly: true, settings: { 'app.is_staff': 'true' } });
  const extension = extendStatement(name);

  return Object.freeze<AuditTree>({
    newest: () => read((tx) => newest(tx, name)),
    tiles: (names) => (names.length === 0 ? Promise.resolve([]) : read((tx) => readTiles(tx, name)(names))),
    find: (id) =>
      read(async (tx) => {
        const { rows } = await tx.query<{ body: string; index: string | null }>(
          `select e.body, (
             select p.start + e.n - p.first from ${name('audit_placed')} p
             where p.w = e.w and p.first <= e.n and p.first + p.count > e.n
             order by p.first desc limit 1
           )::text as index
           from ${name('audit_entry')} e where e.id = $1`,
          [id],
        );
        const [row] = rows;
        return row && { body: row.body, index: row.index === null ? undefined : Number(row.index) };
      }),
    extend: (step, { wait }) =>
      sql.transaction(async (tx) => {
        if (wait) await tx.query(`select ${lock}`);
        else {
          const { rows } = await tx.query<{ mine: boolean }>(
            `select ${lock.replace('pg_advisory', 'pg_try_advisory')} as mine`,
          );
          if (!rows[0]?.mine) return 'busy' as const;
        }
        // Statements after the lock see what its last holder has committed (read committed).
        const growth = await step({
          newest: await newest(tx, name),
          batches: await unplaced(tx, name),
          tiles: readTiles(tx, name),
        });
        if (growth) await tx.query(extension, extendValues(growth));
        return growth;
      }, options),
  });
}

/** Whoever changes the tree holds it to the end of the transaction. */
export function treeLock(name: NameOf): string {
  return `pg_advisory_xact_lock(hashtextextended(${literal(`${name('audit_tile')} of the audit log`)}, 0))`;
}

async function newest(tx: SqlClient, name: NameOf): Promise<string | undefined> {
  const { rows } = await tx.query<{ note: string }>(
    `select note from ${name('audit_checkpoint')} order by size desc limit 1`,
  );
  return rows[0]?.note;
}

async function unplaced(tx: SqlClient, name: NameOf): Promise<TreeBatch[]> {
  const { rows } = await tx.query<{ w: string; first: string; leaves: string }>(
    `select w, first::text as first, encode(leaves, 'hex') as leaves
     from ${name('audit_unplaced')} join ${name('audit_batch')} using (w, first)
     order by audit_unplaced.w, audit_unplaced.first limit ${EXTEND_LIMIT}`,
  );
  return rows.map(({ w, first, leaves }) => ({
    writer: w,
    first: Number(first),
    leaves: Buffer.from(leaves, 'hex'),
  }));
}

function readTiles(tx: SqlClient, name: NameOf): ReadTiles {
  return async (names) => {
    if (names.length === 0) return [];
    const { rows } = await tx.query<{ level: number; place: string; hashes: string }>(
      `select level, place::text as place, encode(hashes, 'hex') as hashes
       from ${name('audit_tile')} join unnest($1::smallint[], $2::bigint[]) as wanted(level, place) using (level, place)`,
      [names.map(({ level }) => level), names.map(({ place }) => place)],
    );
    const found = new Map(rows.map((row) => [`${row.level}/${row.place}`, Buffer.from(row.hashes, 'hex')]));
    return names.map(({ level, place }) => found.get(`${level}/${place}`));
  };
}

function extendStatement(name: NameOf): string {
  return `with placed as (
      insert into ${name('audit_placed')} (start, w, first, count)
      select start, w, first, count
      from unnest($1::bigint[], $2::text[], $3::bigint[], $4::integer[]) as given(start, w, first, count)
    ), waiting as (
      delete from ${name('audit_unplaced')}
      using unnest($2::text[], $3::bigint[]) as done(w, first)
      where audit_unplaced.w = done.w and audit_unplaced.first = done.first
    ), tiles as (
      insert into ${name('audit_tile')} (level, place, hashes)
      select level, place, decode(hashes, 'hex')
      from unnest($5::smallint[], $6::bigint[], $7::text[]) as given(level, place, hashes)
      on conflict (level, place) do update set hashes = excluded.hashes
    )
    insert into ${name('audit_checkpoint')} (size, note) values ($8, $9)`;
}

function extendValues({ start, batches, tiles, size, note }: TreeGrowth): unknown[] {
  let next = start;
  const starts = batches.map(({ leaves }) => {
    const at = next;
    next += leaves.length / 32;
    return at;
  });
  return [
    starts,
    batches.map(({ writer }) => writer),
    batches.map(({ first }) => first),
    batches.map(({ leaves }) => leaves.length / 32),
    tiles.map(({ level }) => level),
    tiles.map(({ place }) => place),
    tiles.map(({ hashes }) => hashes.toString('hex')),
    size,
    note,
  ];
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
