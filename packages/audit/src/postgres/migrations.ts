import { sql } from '@portcullis/core';
import type { Migration } from '@portcullis/core/postgres';

/**
 * The log. `body` is what was said, byte for byte; every other column is generated from it and can say nothing else.
 * - UPDATE, DELETE and TRUNCATE are refused for everybody, the owner and superusers included (who can still take the
 *   trigger away: this is a lock, not a proof).
 * - Row-level security, forced on the owner too: a reader sees the entries whose actor is the setting `app.user_id`;
 *   with the setting `app.is_staff` = `true`, all. Superusers and roles with BYPASSRLS see everything.
 */
export const auditMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'audit',
    id: '001-entry',
    up: `
create table audit_entry (
  seq bigint generated always as identity primary key,
  body text not null,
  id text not null generated always as (body::jsonb ->> 'id') stored unique,
  at text collate "C" not null generated always as (body::jsonb ->> 't') stored,
  kind text not null generated always as (body::jsonb ->> 'k') stored,
  action text collate "C" not null generated always as (body::jsonb #>> '{e,type}') stored,
  outcome text not null generated always as (body::jsonb #>> '{e,outcome}') stored,
  actor text generated always as (body::jsonb #>> '{e,actor,id}') stored,
  target_type text generated always as (body::jsonb #>> '{e,target,type}') stored,
  target_id text generated always as (body::jsonb #>> '{e,target,id}') stored,
  request text generated always as (body::jsonb #>> '{c,requestId}') stored,
  check (kind in ('action', 'request')),
  check (outcome in ('success', 'failure', 'denied', 'error', 'aborted'))
);
create index audit_entry_at on audit_entry (at, seq);
create index audit_entry_actor on audit_entry (actor, seq) where actor is not null;
create index audit_entry_target on audit_entry (target_type, target_id, seq) where target_type is not null;
create index audit_entry_action on audit_entry (action, seq);
create index audit_entry_request on audit_entry (request) where request is not null;

create function audit_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'The audit log is append-only: % is refused.', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger audit_entry_append_only before update or delete or truncate on audit_entry
  for each statement execute function audit_refuse_change();
alter table audit_entry enable always trigger audit_entry_append_only;

alter table audit_entry enable row level security;
alter table audit_entry force row level security;
create policy audit_append on audit_entry for insert with check (true);
create policy audit_read_own on audit_entry for select
  using (actor = nullif(current_setting('app.user_id', true), ''));
create policy audit_read_staff on audit_entry for select
  using (current_setting('app.is_staff', true) = 'true');
revoke all on audit_entry from public;
`,
  },
]);

const ROLE = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * A role that can append and (under the row-level policy) read, and nothing else; for `postgresAudit({ role })` and
 * for connections of your own. The user that applies the migration becomes a member and needs CREATEROLE if the role
 * is not there yet. Roles belong to the whole database server: choose a name per application.
 */
export function auditRoleMigration(role: string): Migration {
  if (!ROLE.test(role) || role === 'none' || role === 'public' || role.startsWith('pg_')) {
    throw new TypeError('A role of the audit log has 1 to 63 lower-case letters, digits and _.');
  }
  const name = sql.identifier(role).text;
  return {
    concern: 'audit',
    id: `role-${role}`,
    up: `
do $$
begin
  if not exists (select 1 from pg_roles where rolname = '${role}') then
    create role ${name} nologin;
  end if;
exception
  -- Another database of this server made it at the same moment.
  when duplicate_object or unique_violation then null;
end $$;
grant ${name} to current_user;
do $$
begin
  execute format('grant usage on schema %I to ${name}', current_schema());
end $$;
grant insert (body), select on audit_entry to ${name};
`,
  };
}
