import type { Sql, TransactionOptions } from '@portcullis/core';
import type { Migration } from '@portcullis/core/postgres';
import type { AuditPruning } from '../store.js';
import { treeLock } from './tree.js';

type NameOf = (table: string) => string;

/**
 * Retention. Rows can be deleted if the log has begun to begin after them: `audit_pruned` says so, is append-only itself, and holds the
 * statement that the log's key has signed, so that a row there without one is found by every verifier. Two functions do it for
 * roles that own nothing; whoever appends may call neither.
 */
export const pruneMigration: Migration = Object.freeze({
  concern: 'audit',
  id: '004-prune',
  up: `
create table audit_pruned (
  upto bigint primary key check (upto > 0),
  line text not null,
  at timestamptz not null default clock_timestamp()
);
create trigger audit_pruned_append_only before update or delete or truncate on audit_pruned
  for each statement execute function audit_refuse_change();
alter table audit_pruned enable always trigger audit_pruned_append_only;
revoke all on audit_pruned from public;

create function audit_refuse_delete() returns trigger language plpgsql set search_path from current as $$
begin
  if not exists (select from audit_placed where start + count <= (select max(upto) from audit_pruned)) then
    raise exception 'The audit log is append-only: DELETE is refused.' using errcode = 'insufficient_privilege';
  end if;
  return null;
end $$;

create function audit_check_delete() returns trigger language plpgsql set search_path from current as $$
declare
  begins constant bigint := coalesce((select max(upto) from audit_pruned), 0);
  refused boolean;
begin
  if tg_table_name = 'audit_entry' then
    refused := exists (select from gone g where not exists (
      select from audit_placed p where p.w = g.w and p.first <= g.n and g.n < p.first + p.count and p.start + p.count <= begins));
  elsif tg_table_name = 'audit_batch' then
    refused := exists (select from gone g where not exists (
      select from audit_placed p where p.w = g.w and p.first = g.first and p.start + p.count <= begins));
  elsif tg_table_name = 'audit_placed' then
    refused := exists (select from gone g where g.start + g.count > begins);
  else
    refused := exists (select from gone g where g.size > begins);
  end if;
  if refused then
    raise exception 'The audit log is append-only: DELETE is refused.' using errcode = 'insufficient_privilege';
  end if;
  return null;
end $$;
${['entry', 'batch', 'placed', 'checkpoint']
  .map(
    (name) => `drop trigger audit_${name}_append_only on audit_${name};
create trigger audit_${name}_append_only before update or truncate on audit_${name}
  for each statement execute function audit_refuse_change();
create trigger audit_${name}_no_delete before delete on audit_${name}
  for each statement execute function audit_refuse_delete();
create trigger audit_${name}_retention after delete on audit_${name} referencing old table as gone
  for each statement execute function audit_check_delete();
alter table audit_${name} enable always trigger audit_${name}_append_only;
alter table audit_${name} enable always trigger audit_${name}_no_delete;
alter table audit_${name} enable always trigger audit_${name}_retention;`,
  )
  .join('\n')}
create policy audit_delete_staff on audit_entry for delete using (current_setting('app.is_staff', true) = 'true');

create function audit_begin_after(p_upto bigint, p_line text) returns void
language plpgsql security definer set search_path from current as $$
begin
  if not exists (select from audit_placed where start + count = p_upto)
     or p_upto > coalesce((select max(size) from audit_checkpoint), 0) then
    raise exception 'The audit log cannot begin at %.', p_upto using errcode = 'check_violation';
  end if;
  insert into audit_pruned (upto, line) values (p_upto, p_line) on conflict do nothing;
end $$;

create function audit_remove_old(p_limit integer) returns bigint
language plpgsql security definer set search_path from current as $$
declare
  staff constant text := coalesce(current_setting('app.is_staff', true), '');
  begins constant bigint := coalesce((select max(upto) from audit_pruned), 0);
  until bigint;
  removed bigint;
  commitments text[];
  keys text[];
begin
  select max(start + count) into until from (
    select start, count from audit_placed where start + count <= begins order by start limit p_limit) old;
  if until is null then
    return 0;
  end if;
  -- Row-level security binds the owner too.
  perform set_config('app.is_staff', 'true', true);
  select array_agg(distinct hit[1]) into commitments
    from audit_placed p join audit_entry e on e.w = p.w and e.n >= p.first and e.n < p.first + p.count,
      regexp_matches(e.body, '\\{"\\$c":"([A-Za-z0-9_-]{43})"\\}', 'g') hit
    where p.start + p.count <= until;
  with gone as (delete from audit_sealed s where s.commitment = any (commitments) returning s.key)
    select array_agg(distinct gone.key) into keys from gone;
  delete from audit_subject_key k where k.id = any (keys)
    and not exists (select from audit_sealed s where s.subject = k.subject and s.key = k.id);
  delete from audit_entry e using audit_placed p
    where e.w = p.w and e.n >= p.first and e.n < p.first + p.count and p.start + p.count <= until;
  get diagnostics removed = row_count;
  delete from audit_batch b using audit_placed p where b.w = p.w and b.first = p.first and p.start + p.count <= until;
  delete from audit_checkpoint where size <= until;
  delete from audit_placed where start + count <= until;
  perform set_config('app.is_staff', staff, true);
  return removed;
end $$;
revoke all on function audit_begin_after(bigint, text), audit_remove_old(integer) from public;
`,
});

/** Batches that one transaction removes. */
const STEP = 200;

export function postgresPruning(
  sql: Sql,
  name: NameOf,
  options: TransactionOptions,
  role: string,
): AuditPruning {
  const asPruner = { ...options, role };
  const finish = async (): Promise<void> => {
    for (;;) {
      const removed = await sql.transaction(async (tx) => {
        const { rows } = await tx.query<{ removed: string }>(
          `select ${name('audit_remove_old')}(${STEP})::text as removed`,
        );
        return Number(rows[0]!.removed);
      }, asPruner);
      if (removed === 0) return;
    }
  };
  return Object.freeze<AuditPruning>({
    async cutAt(index) {
      const { rows } = await sql.transaction(
        (tx) =>
          tx.query<{ at: string | null }>(
            `select max(start + count)::text as at from ${name('audit_placed')} where start + count <= $1`,
            [index],
          ),
        { ...options, readOnly: true },
      );
      return Number(rows[0]?.at ?? 0);
    },
    async prune(to, line) {
      await sql.transaction(async (tx) => {
        await tx.query(`select ${treeLock(name)}`);
        await tx.query(`select ${name('audit_begin_after')}($1, $2)`, [to, line]);
      }, asPruner);
      await finish();
    },
    finish,
  });
}
