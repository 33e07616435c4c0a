import type { Migration } from '@portcullis/core/postgres';

/** The tables of `postgresRoles()`; apply them after `feedMigrations`. */
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
]);
