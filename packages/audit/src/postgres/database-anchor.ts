import { option, readOptions, sql as tag, type Duration, type Sql } from '@portcullis/core';
import type { Migration } from '@portcullis/core/postgres';
import type { Anchor } from '../anchors/anchor.js';

export interface DatabaseAnchorOptions {
  /** Another database, or at least another user: whoever can write the log must not be able to write here. */
  readonly sql: Sql;
  /** Where `auditAnchorMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
  /** Longest time for one statement, 10 ms to 1 min. @default '2s' */
  readonly timeoutMs?: Duration;
}

/** The table of `databaseAnchor()`, in the other database: append-only, like the log. */
export const auditAnchorMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'audit-anchor',
    id: '001-anchor',
    up: `
create table audit_anchor (
  log text collate "C" not null,
  size bigint not null,
  note text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (log, size, note)
);
create function audit_anchor_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'Anchors are append-only: % is refused.', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger audit_anchor_append_only before update or delete or truncate on audit_anchor
  for each statement execute function audit_anchor_refuse_change();
alter table audit_anchor enable always trigger audit_anchor_append_only;
revoke all on audit_anchor from public;
`,
  },
]);

/**
 * Keeps checkpoints in a table under other credentials; two different ones of the same size are both kept, as evidence.
 * @throws OptionError
 */
export function databaseAnchor(options: DatabaseAnchorOptions): Anchor {
  const { sql, schema, timeoutMs } = readOptions('databaseAnchor', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
    timeoutMs: option.duration({ minMs: 10, maxMs: 60_000, default: '2s' }),
  });
  const table = tag.identifier(schema, 'audit_anchor');
  return Object.freeze<Anchor>({
    name: 'database',
    async publish({ log, size, note }) {
      await sql.query(
        tag`insert into ${table} (log, size, note) values (${log}, ${size}, ${note}) on conflict do nothing`,
        undefined,
        { timeoutMs },
      );
    },
    async latest(log) {
      const { rows } = await sql.query<{ note: string }>(
        tag`select note from ${table} where log = ${log} order by size desc limit 1`,
        undefined,
        { timeoutMs },
      );
      return rows[0]?.note;
    },
  });
}
