import type { Migration } from '@portcullis/core/postgres';

/** The tables of {@link postgresSessions}, {@link postgresReplays} and {@link postgresApiKeys}. Users are named by id only: they may live in another database. */
export const authMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'auth',
    id: '001-sessions',
    up: `
create table auth_subject (
  user_id text primary key,
  epoch bigint not null
);
create table auth_session (
  id uuid primary key,
  user_id text not null,
  created_at timestamptz not null,
  rotated_at timestamptz not null,
  idle_expires_at timestamptz not null,
  expires_at timestamptz not null,
  generation bigint not null check (generation >= 0),
  current_hash text not null,
  previous_hash text,
  sealed text,
  tag_key text not null,
  details jsonb not null
);
create index auth_session_user on auth_session (user_id);
create index auth_session_idle on auth_session (idle_expires_at);
`,
  },
  {
    concern: 'auth',
    id: '002-used',
    up: `
create table auth_used (
  id text primary key,
  until timestamptz not null
);
create index auth_used_until on auth_used (until);
`,
  },
  {
    concern: 'auth',
    id: '003-api-keys',
    up: `
create table auth_api_key (
  id uuid primary key,
  owner_id text not null,
  name text not null,
  hash text not null,
  scopes jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  last_used_at timestamptz
);
create index auth_api_key_owner on auth_api_key (owner_id);
create index auth_api_key_end on auth_api_key (expires_at);
`,
  },
  {
    concern: 'auth',
    id: '004-guesses',
    up: `
create table auth_guess (
  key text primary key,
  value text not null,
  expires_at timestamptz
);
create index auth_guess_end on auth_guess (expires_at);
`,
  },
]);

/** The tables of {@link postgresUsers}, for those who have no accounts of their own. */
export const accountMigrations: readonly Migration[] = Object.freeze([
  {
    concern: 'auth-accounts',
    id: '001-accounts',
    up: `
create table auth_account (
  id uuid primary key default gen_random_uuid(),
  login text not null unique check (login <> '' and length(login) <= 320),
  name text check (length(name) <= 200),
  password_hash text,
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp()
);
`,
  },
  {
    concern: 'auth-accounts',
    id: '002-verified',
    up: `alter table auth_account add column email_verified boolean not null default true;`,
  },
  {
    concern: 'auth-accounts',
    id: '003-factors',
    up: `alter table auth_account add column factors text;`,
  },
  {
    concern: 'auth-accounts',
    id: '004-passkeys',
    up: `
create table auth_passkey (
  id text primary key check (id <> '' and length(id) <= 1364),
  user_id uuid not null references auth_account (id) on delete cascade,
  public_key text not null,
  counter bigint not null check (counter >= 0),
  transports jsonb not null,
  backup_eligible boolean not null,
  backed_up boolean not null,
  name text not null check (length(name) between 1 and 64),
  created_at timestamptz not null,
  last_used_at timestamptz
);
create index auth_passkey_user on auth_passkey (user_id);
`,
  },
]);
