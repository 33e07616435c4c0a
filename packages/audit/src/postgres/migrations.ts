import { sql } from '@portcullis/core';
import type { Migration } from '@portcullis/core/postgres';
import { changeMigration } from './change-migration.js';
import { columnsMigration } from './columns-migration.js';
import { treeMigration } from './tree-migration.js';
import { pruneMigration } from './prune.js';
import { peopleGrants, peopleMigration } from './people.js';

/**
 * The log. `body` is what was said, byte for byte, and what is hashed; the columns that queries use are read from it by
 * the database and can say nothing else. Nothing else in these tables is believed by a verifier either: all evidence is in the bodies and
 * the signatures.
 * - Entries and batches: UPDATE and TRUNCATE are refused for everybody, the owner and superusers included (who can
 *   still take the trigger away: this is a lock, the proof is elsewhere); DELETE as well, but for what retention has declared to be gone.
 * - Row-level security of entries, forced on the owner too: a reader sees the entries whose actor is the setting `app.user_id`;
 *   with the setting `app.is_staff` = `true`, all. Superusers and roles with BYPASSRLS see everything.
 * - The outbox holds what transactions of the application have recorded until it has its place in a chain.
 */
export const auditMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'audit',
    id: '001-ledger',
    up: `
create table audit_entry (
  w text collate "C" not null,
  n bigint not null,
  body text not null,
  seq bigint generated always as identity unique,
  id text collate "C" not null generated always as (body::jsonb ->> 'id') stored unique,
  at text collate "C" not null generated always as (body::jsonb ->> 't') stored,
  kind text not null generated always as (body::jsonb ->> 'k') stored,
  action text collate "C" not null generated always as (body::jsonb #>> '{e,type}') stored,
  outcome text not null generated always as (body::jsonb #>> '{e,outcome}') stored,
  actor text generated always as (body::jsonb #>> '{e,actor,id}') stored,
  target_type text generated always as (body::jsonb #>> '{e,target,type}') stored,
  target_id text generated always as (body::jsonb #>> '{e,target,id}') stored,
  request text generated always as (body::jsonb #>> '{c,requestId}') stored,
  primary key (w, n),
  check (kind in ('action', 'request', 'log')),
  check (outcome in ('success', 'failure', 'denied', 'error', 'aborted'))
);
create index audit_entry_at on audit_entry (at, seq);
create index audit_entry_actor on audit_entry (actor, seq) where actor is not null;
create index audit_entry_target on audit_entry (target_type, target_id, seq) where target_type is not null;
create index audit_entry_action on audit_entry (action, seq);
create index audit_entry_request on audit_entry (request) where request is not null;

create table audit_batch (
  w text collate "C" not null,
  first bigint not null,
  count integer not null check (count > 0),
  leaves bytea not null check (length(leaves) = 32 * count),
  signature text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (w, first)
);
create index audit_batch_at on audit_batch (at);

create table audit_outbox (
  id text collate "C" primary key,
  draft text not null,
  at timestamptz not null default clock_timestamp()
);
create index audit_outbox_at on audit_outbox (at);

create table audit_sealed (
  commitment text collate "C" primary key,
  subject text collate "C" not null,
  path text not null,
  salt bytea not null,
  value bytea not null
);
create index audit_sealed_subject on audit_sealed (subject);

create function audit_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'The audit log is append-only: % is refused.', tg_op using errcode = 'insufficient_privilege';
end $$;
${['entry', 'batch']
  .map(
    (name) => `create trigger audit_${name}_append_only before update or delete or truncate on audit_${name}
  for each statement execute function audit_refuse_change();
alter table audit_${name} enable always trigger audit_${name}_append_only;`,
  )
  .join('\n')}

alter table audit_entry enable row level security;
alter table audit_entry force row level security;
create policy audit_append on audit_entry for insert with check (true);
create policy audit_read_own on audit_entry for select
  using (actor = nullif(current_setting('app.user_id', true), ''));
create policy audit_read_staff on audit_entry for select
  using (current_setting('app.is_staff', true) = 'true');
revoke all on audit_entry, audit_batch, audit_outbox, audit_sealed from public;
`,
  },
  changeMigration,
  treeMigration,
  peopleMigration,
  pruneMigration,
  columnsMigration,
]);

const ROLE = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * A role that can append and (under the row-level policy) read, and nothing else but to empty the outbox and what is sealed; for `postgresAudit({ role })` and
 * for connections of your own. The user that applies the migration becomes a member and needs CREATEROLE if the role
 * is not there yet. Roles belong to the whole database server: choose a name per application.
 */
export function auditRoleMigration(role: string): Migration {
  const name = roleName(role);
  return {
    concern: 'audit',
    id: `role-${role}`,
    up: `${roleWithSchema(role, name)}
grant insert (w, n, body), select on audit_entry to ${name};
grant insert, select on audit_batch to ${name};
grant insert, select, delete on audit_unplaced to ${name};
grant insert, select on audit_placed, audit_checkpoint to ${name};
grant insert, select, update on audit_tile to ${name};
grant select on audit_pruned to ${name};
grant insert, select, delete on audit_outbox to ${name};${peopleGrants(name)}
`,
  };
}

/**
 * The role that `audit.prune()` takes on, for `postgresAudit({ pruner })`: it may call the two functions that remove what the log has
 * declared to be gone, and read and write nothing. The same holds for its user as for `auditRoleMigration()`.
 */
export function auditPrunerRoleMigration(role: string): Migration {
  const name = roleName(role);
  return {
    concern: 'audit',
    id: `pruner-${role}`,
    up: `${roleWithSchema(role, name)}
grant execute on function audit_begin_after(bigint, text), audit_remove_old(integer) to ${name};
`,
  };
}

function roleName(role: string): string {
  if (!ROLE.test(role) || role === 'none' || role === 'public' || role.startsWith('pg_')) {
    throw new TypeError('A role of the audit log has 1 to 63 lower-case letters, digits and _.');
  }
  return sql.identifier(role).text;
}

function roleWithSchema(role: string, name: string): string {
  return `
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
end $$;`;
}
