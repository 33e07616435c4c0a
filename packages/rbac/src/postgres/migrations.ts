import type { Migration } from '@portcullis/core/postgres';

/**
 * The tables of `postgresRoles()`; apply them after `feedMigrations`. Row-level policies let a role to which SELECT is
 * granted read the roles, and of grants those of `app.user_id`, or all where `app.is_staff` is `true`. No policy lets
 * anybody but the tables' owner write, whatever is granted: what an app's request role can be talked into is not a grant.
 */
export const rbacMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'rbac',
    id: '001-roles',
    up: `
create table rbac_policy (
  one boolean primary key default true check (one),
  revision bigint not null
);
insert into rbac_policy (revision) values (0);

create table rbac_role (
  name text primary key check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$'),
  description text not null default '' check (length(description) <= 1000),
  active boolean not null default true
);
create table rbac_role_parent (
  role text not null references rbac_role on delete cascade,
  parent text not null references rbac_role deferrable initially deferred,
  primary key (role, parent),
  check (role <> parent)
);
create index rbac_role_parent_parent on rbac_role_parent (parent);
create table rbac_role_rule (
  role text not null references rbac_role on delete cascade,
  effect text not null check (effect in ('allow', 'deny')),
  permission text not null check (permission ~ '^[a-z0-9_*-]+(:[a-z0-9_*-]+){0,2}$'),
  primary key (role, effect, permission)
);
create table rbac_inactive_permission (permission text primary key);

create table rbac_user (
  id text primary key check (length(id) between 1 and 256),
  active boolean not null
);
create table rbac_assignment (
  user_id text not null check (length(user_id) between 1 and 256),
  role text not null references rbac_role on delete cascade,
  valid_from timestamptz,
  valid_until timestamptz,
  granted_by text not null,
  granted_at timestamptz not null,
  reason text,
  primary key (user_id, role),
  check (valid_from < valid_until)
);
create index rbac_assignment_role on rbac_assignment (role);
create table rbac_user_rule (
  user_id text not null check (length(user_id) between 1 and 256),
  effect text not null check (effect in ('allow', 'deny')),
  permission text not null check (permission ~ '^[a-z0-9_*-]+(:[a-z0-9_*-]+){0,2}$'),
  valid_from timestamptz,
  valid_until timestamptz,
  granted_by text not null,
  granted_at timestamptz not null,
  reason text,
  primary key (user_id, effect, permission),
  check (valid_from < valid_until)
);
`,
  },
  {
    concern: 'rbac',
    id: '002-tenants',
    up: `
alter table rbac_assignment
  add column tenant text not null default '' check (length(tenant) <= 256),
  drop constraint rbac_assignment_pkey,
  add primary key (user_id, role, tenant);
alter table rbac_user_rule
  add column tenant text not null default '' check (length(tenant) <= 256),
  drop constraint rbac_user_rule_pkey,
  add primary key (user_id, effect, permission, tenant);
-- A denial that names no tenant was meant for everything.
update rbac_user_rule set tenant = '*' where effect = 'deny';
`,
  },
  {
    concern: 'rbac',
    id: '003-row-level-security',
    up: `
-- The owner of the tables, as which rbac connects, is not bound by these; every other role is.
alter table rbac_policy enable row level security;
alter table rbac_role enable row level security;
alter table rbac_role_parent enable row level security;
alter table rbac_role_rule enable row level security;
alter table rbac_inactive_permission enable row level security;
alter table rbac_user enable row level security;
alter table rbac_assignment enable row level security;
alter table rbac_user_rule enable row level security;

create policy rbac_read on rbac_role for select using (true);
create policy rbac_read on rbac_role_parent for select using (true);
create policy rbac_read on rbac_role_rule for select using (true);
create policy rbac_read on rbac_inactive_permission for select using (true);
create policy rbac_read_own on rbac_user for select
  using (id = nullif(current_setting('app.user_id', true), ''));
create policy rbac_read_own on rbac_assignment for select
  using (user_id = nullif(current_setting('app.user_id', true), ''));
create policy rbac_read_own on rbac_user_rule for select
  using (user_id = nullif(current_setting('app.user_id', true), ''));
create policy rbac_read_staff on rbac_user for select using (current_setting('app.is_staff', true) = 'true');
create policy rbac_read_staff on rbac_assignment for select using (current_setting('app.is_staff', true) = 'true');
create policy rbac_read_staff on rbac_user_rule for select using (current_setting('app.is_staff', true) = 'true');
revoke all on rbac_policy, rbac_role, rbac_role_parent, rbac_role_rule, rbac_inactive_permission, rbac_user,
  rbac_assignment, rbac_user_rule from public;
`,
  },
  {
    concern: 'rbac',
    id: '004-governance',
    up: `
create table rbac_review (
  id text primary key check (length(id) between 1 and 100),
  version bigint not null check (version > 0),
  body text not null
);
create table rbac_use (
  user_id text not null check (length(user_id) between 1 and 256),
  permission text not null,
  day date not null,
  primary key (user_id, permission)
);
alter table rbac_review enable row level security;
alter table rbac_use enable row level security;
create policy rbac_read_own on rbac_use for select using (user_id = nullif(current_setting('app.user_id', true), ''));
create policy rbac_read_staff on rbac_use for select using (current_setting('app.is_staff', true) = 'true');
create policy rbac_read_staff on rbac_review for select using (current_setting('app.is_staff', true) = 'true');
revoke all on rbac_review, rbac_use from public;
`,
  },
]);
