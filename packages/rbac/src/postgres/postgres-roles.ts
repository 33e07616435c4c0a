import {
  isSqlError,
  option,
  readOptions,
  sql as tag,
  type CallOptions,
  type ChangeFeed,
  type Sql,
  type SqlStatement,
  type SqlTransaction,
} from '@portcullis/core';
import type {
  DirectRule,
  LoadScope,
  PolicyRecord,
  RoleAssignment,
  RoleBatch,
  RoleStore,
  RoleWrite,
  Snapshot,
  UserRecord,
} from '../role-store.js';

export interface PostgresRolesOptions {
  /** `fromPg(pool)` or `fromPglite(db)`, on the primary: a replica would answer with what was revoked. */
  readonly sql: Sql;
  /** `postgresFeed({ sql })` on the same database. */
  readonly feed: ChangeFeed;
  /** Where `rbacMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
}

/**
 * Roles and grants in PostgreSQL or PGlite. Every batch is one transaction that ends with the publication of its
 * changes; batches that change roles exclude all others, batches about users do not exclude each other.
 * @throws OptionError here; SqlError from its methods
 */
export function postgresRoles(options: PostgresRolesOptions): RoleStore {
  const { sql, feed, schema } = readOptions('postgresRoles', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    feed: option.port<ChangeFeed>(['publish', 'readSince', 'onHint', 'onChange']),
    schema: option.string({ max: 63, default: 'portcullis' }),
  });
  const tables = tablesOf(schema);
  const statements = statementsOf(tables);

  return {
    feed,
    async load(scope, callOptions) {
      switch (scope.kind) {
        case 'policy':
          return loadPolicy(sql, statements.policy, callOptions);
        case 'user':
          return loadUser(sql, statements.user(scope.id), callOptions);
        case 'users':
          return loadUsers(sql, statements.users(scope), callOptions);
        default:
          throw new TypeError(`postgresRoles cannot load ${String((scope as { kind: unknown }).kind)}`);
      }
    },
    async commit(batch, callOptions) {
      try {
        return await sql.transaction((tx) => commit(tx, batch), limits(callOptions));
      } catch (error) {
        // Rolled back because of others: nothing was written, and it may work the next time.
        const undone = isSqlError(error) && (error.kind === 'serialization' || error.kind === 'deadlock');
        if (undone) return { conflict: true };
        throw error;
      }
    },
  };

  async function commit(
    tx: SqlTransaction,
    batch: RoleBatch,
  ): Promise<{ revision: number } | { conflict: true }> {
    const lock = tag.unsafe(batch.changesPolicy ? 'for update' : 'for share');
    const { rows } = await tx.query<{ revision: string }>(tag`select revision from ${tables.policy} ${lock}`);
    if (Number(rows[0]?.revision) !== batch.ifPolicyRevision) return { conflict: true };
    for (const write of batch.writes) {
      for (const statement of statements.write(write)) await tx.query(statement);
    }
    // Last, because other publishers wait for it from here to the commit.
    const revision = await feed.publish(batch.changes, tx);
    if (batch.changesPolicy) await tx.query(tag`update ${tables.policy} set revision = ${revision}`);
    return { revision };
  }
}

type Tables = ReturnType<typeof tablesOf>;

function tablesOf(schema: string) {
  const table = (name: string): SqlStatement => tag.identifier(schema, name);
  return {
    policy: table('rbac_policy'),
    role: table('rbac_role'),
    parent: table('rbac_role_parent'),
    rule: table('rbac_role_rule'),
    inactive: table('rbac_inactive_permission'),
    user: table('rbac_user'),
    assignment: table('rbac_assignment'),
    userRule: table('rbac_user_rule'),
  };
}

interface PolicyRow {
  readonly revision: string;
  readonly roles: PolicyRecord['roles'];
  readonly inactive: readonly string[];
}

interface UserRow {
  readonly revision: string;
  readonly active: boolean | null;
  readonly roles: readonly StoredGrant[];
  readonly rules: readonly StoredGrant[];
}

/** As JSON: absent is null, times are milliseconds. */
type StoredGrant = Readonly<Record<string, string | number | null>>;

async function loadPolicy(sql: Sql, statement: SqlStatement, options?: CallOptions): Promise<Snapshot> {
  const { rows } = await sql.query<PolicyRow>(statement, undefined, limits(options));
  const row = only(rows);
  return {
    policyRevision: Number(row.revision),
    policy: { roles: row.roles, inactivePermissions: row.inactive },
  };
}

async function loadUser(sql: Sql, statement: SqlStatement, options?: CallOptions): Promise<Snapshot> {
  const { rows } = await sql.query<UserRow>(statement, undefined, limits(options));
  const row = only(rows);
  return { policyRevision: Number(row.revision), user: toUser(row) };
}

async function loadUsers(sql: Sql, statement: SqlStatement, options?: CallOptions): Promise<Snapshot> {
  const { rows } = await sql.query<{ revision: string; users: readonly ({ id: string } & UserRow)[] }>(
    statement,
    undefined,
    limits(options),
  );
  const row = only(rows);
  return {
    policyRevision: Number(row.revision),
    users: row.users.map((each) => ({ id: each.id, user: toUser(each) })),
  };
}

function toUser(row: Omit<UserRow, 'revision'>): UserRecord {
  return {
    active: row.active ?? true,
    roles: row.roles.map((grant) => withoutNulls(grant) as unknown as RoleAssignment),
    rules: row.rules.map((grant) => withoutNulls(grant) as unknown as DirectRule),
  };
}

function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new TypeError('rbac_policy has no row; apply rbacMigrations');
  return row;
}

function withoutNulls(grant: StoredGrant): Record<string, string | number | null> {
  return Object.fromEntries(Object.entries(grant).filter(([, value]) => value !== null));
}

function limits(options: CallOptions | undefined): { readonly timeoutMs?: number } {
  return options?.deadlineMs === undefined ? {} : { timeoutMs: options.deadlineMs };
}

// Each load is one statement, and so one snapshot, also at `read committed`.
function statementsOf(tables: Tables) {
  const { policy, role, parent, rule, inactive, user, assignment, userRule } = tables;
  const ms = (column: string): SqlStatement => tag.unsafe(`(extract(epoch from ${column}) * 1000)::bigint`);
  const provenance = tag`
    'tenant', nullif(tenant, ''), 'from', ${ms('valid_from')}, 'until', ${ms('valid_until')}, 'grantedBy', granted_by,
    'grantedAt', ${ms('granted_at')}, 'reason', reason`;
  const rulesOf = (effect: 'allow' | 'deny'): SqlStatement => tag`
    coalesce((select json_agg(permission order by permission) from ${rule} as rule
      where rule.role = role.name and effect = ${effect}), '[]')`;

  const userColumns = (id: SqlStatement): SqlStatement => tag`
        (select active from ${user} where id = ${id}) as active,
        coalesce((select json_agg(json_build_object('role', role, ${provenance}) order by role, tenant)
          from ${assignment} where user_id = ${id}), '[]') as roles,
        coalesce((select json_agg(json_build_object('effect', effect, 'permission', permission, ${provenance})
            order by effect, permission, tenant)
          from ${userRule} where user_id = ${id}), '[]') as rules`;

  return {
    policy: tag`
      select policy.revision,
        coalesce((
          select json_agg(json_build_object(
            'name', role.name, 'description', role.description, 'active', role.active,
            'inherits', coalesce((select json_agg(parent order by parent) from ${parent} as parent
              where parent.role = role.name), '[]'),
            'allow', ${rulesOf('allow')}, 'deny', ${rulesOf('deny')}
          ) order by role.name) from ${role} as role
        ), '[]') as roles,
        coalesce((select json_agg(permission order by permission) from ${inactive}), '[]') as inactive
      from ${policy} as policy`,

    user: (id: string) => tag`select policy.revision, ${userColumns(tag`${id}`)} from ${policy} as policy`,

    users({ after = '', limit, roles }: Extract<LoadScope, { kind: 'users' }>) {
      const known = roles
        ? tag`select user_id as id from ${assignment} where role = any(${roles}::text[])`
        : tag`select user_id as id from ${assignment} union select user_id from ${userRule} union select id from ${user}`;
      return tag`
        select policy.revision, coalesce((
          select json_agg(row_to_json(page) order by page.id collate "C") from (
            select known.id, ${userColumns(tag`known.id`)}
            from (
              select distinct id collate "C" as id from (${known}) as found
              where id collate "C" > ${after} order by 1 limit ${limit}
            ) as known
          ) as page
        ), '[]') as users
        from ${policy} as policy`;
    },

    write: (write: RoleWrite): readonly SqlStatement[] => writeStatements(tables, write),
  };
}

function writeStatements(tables: Tables, write: RoleWrite): readonly SqlStatement[] {
  const { role, parent, rule, inactive, user, assignment, userRule } = tables;
  const at = (ms: number | undefined): Date | null => (ms === undefined ? null : new Date(ms));
  switch (write.kind) {
    case 'put-role': {
      const { name, description, active, inherits, allow, deny } = write.role;
      const rules = [...allow.map((given) => ['allow', given]), ...deny.map((given) => ['deny', given])];
      return [
        tag`insert into ${role} (name, description, active) values (${name}, ${description}, ${active})
          on conflict (name) do update set description = excluded.description, active = excluded.active`,
        tag`delete from ${parent} where role = ${name}`,
        tag`insert into ${parent} (role, parent) select ${name}, unnest(${inherits}::text[])`,
        tag`delete from ${rule} where role = ${name}`,
        tag`insert into ${rule} (role, effect, permission)
          select ${name}, effect, permission
          from unnest(${rules.map(([effect]) => effect)}::text[], ${rules.map(([, given]) => given)}::text[])
            as given (effect, permission)`,
      ];
    }
    case 'remove-role':
      return [tag`delete from ${role} where name = ${write.name}`];
    case 'put-assignment': {
      const { role: name, tenant = '', from, until, grantedBy, grantedAt, reason } = write.assignment;
      return [
        tag`insert into ${assignment}
            (user_id, role, tenant, valid_from, valid_until, granted_by, granted_at, reason)
          values (${write.userId}, ${name}, ${tenant}, ${at(from)}, ${at(until)}, ${grantedBy},
            ${at(grantedAt)}, ${reason})
          on conflict (user_id, role, tenant) do update set valid_from = excluded.valid_from,
            valid_until = excluded.valid_until, granted_by = excluded.granted_by,
            granted_at = excluded.granted_at, reason = excluded.reason`,
      ];
    }
    case 'remove-assignment':
      return [
        tag`delete from ${assignment} where user_id = ${write.userId} and role = ${write.role}
          and tenant = ${write.tenant ?? ''}`,
      ];
    case 'put-rule': {
      const { effect, permission, tenant = '', from, until, grantedBy, grantedAt, reason } = write.rule;
      return [
        tag`insert into ${userRule}
            (user_id, effect, permission, tenant, valid_from, valid_until, granted_by, granted_at, reason)
          values (${write.userId}, ${effect}, ${permission}, ${tenant}, ${at(from)}, ${at(until)},
            ${grantedBy}, ${at(grantedAt)}, ${reason})
          on conflict (user_id, effect, permission, tenant) do update set valid_from = excluded.valid_from,
            valid_until = excluded.valid_until, granted_by = excluded.granted_by,
            granted_at = excluded.granted_at, reason = excluded.reason`,
      ];
    }
    case 'remove-rule':
      return [
        tag`delete from ${userRule} where user_id = ${write.userId} and effect = ${write.effect}
          and permission = ${write.permission} and tenant = ${write.tenant ?? ''}`,
      ];
    case 'set-user-active':
      return [
        tag`insert into ${user} (id, active) values (${write.userId}, ${write.active})
          on conflict (id) do update set active = excluded.active`,
      ];
    case 'set-permission-active':
      return write.active
        ? [tag`delete from ${inactive} where permission = ${write.permission}`]
        : [tag`insert into ${inactive} (permission) values (${write.permission}) on conflict do nothing`];
    default:
      throw new TypeError(`postgresRoles cannot write ${String((write as { kind: unknown }).kind)}`);
  }
}
