import {
  option,
  readOptions,
  sql as tag,
  type Duration,
  type Sql,
  type SqlStatement,
} from '@portcullis/core';
import { fromBody } from '../entry.js';
import { pageOf } from '../memory.js';
import type { CheckedQuery } from '../query.js';
import type { AuditStore } from '../store.js';

export interface PostgresAuditOptions {
  /** From `fromPg(pool)` or `fromPglite(db)`. A small pool of its own keeps records flowing when the app's is exhausted. */
  readonly sql: Sql;
  /** Where `auditMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
  /**
   * The append-only role (`auditRoleMigration`) that appends and queries take on. Without it the connection's user
   * does; if that is a superuser, row-level security does not bind other statements of the connection.
   */
  readonly role?: string;
  /** Longest time for one batch or query, 10 ms to 1 min. @default '2s' */
  readonly timeoutMs?: Duration;
}

/**
 * The log in PostgreSQL or PGlite. An append is one INSERT, durable with its commit as far as the server is
 * (`fsync` and `synchronous_commit` on). Row-level settings are made per query, and the same condition is part of the
 * query, so that a connection which bypasses row-level security shows no more.
 * @throws OptionError
 */
export function postgresAudit(options: PostgresAuditOptions): AuditStore {
  const { sql, schema, role, timeoutMs } = readOptions('postgresAudit', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
    role: option.optional(option.string({ max: 63 })),
    timeoutMs: option.duration({ minMs: 10, maxMs: 60_000, default: '2s' }),
  });
  const table = tag.identifier(schema, 'audit_entry');
  const asRole = role === undefined ? {} : { role };
  // Without a conflict target: naming one would need the right to read what is there.
  const insert = `insert into ${table.text} (body)
    select body from unnest($1::text[]) with ordinality as given(body, n) order by n
    on conflict do nothing`;

  return Object.freeze<AuditStore>({
    async append(bodies) {
      if (role === undefined) {
        await sql.query(insert, [bodies], { timeoutMs });
      } else {
        await sql.transaction((tx) => tx.query(insert, [bodies], { timeoutMs }), { timeoutMs, ...asRole });
      }
    },
    async appendIn(tx, bodies) {
      await tx.query(insert, [bodies], { timeoutMs });
    },
    async query(query) {
      const settings = {
        'app.user_id': query.visibleTo ?? '',
        'app.is_staff': String(query.visibleTo === undefined),
      };
      const { rows } = await sql.transaction(
        (tx) => tx.query<{ seq: string; body: string }>(statement(table, query), undefined, { timeoutMs }),
        { readOnly: true, timeoutMs, settings, ...asRole },
      );
      return pageOf(
        rows.map((row) => fromBody(row.body, row.seq)),
        query.limit,
      );
    },
  });
}

function statement(table: SqlStatement, query: CheckedQuery): SqlStatement {
  const { visibleTo, kind, actor, action, outcome, target, requestId, from, to, before, limit } = query;
  const conditions = [
    visibleTo === undefined ? undefined : tag`actor = ${visibleTo}`,
    before === undefined ? undefined : tag`seq < ${before}::bigint`,
    kind === undefined ? undefined : tag`kind = ${kind}`,
    actor === undefined ? undefined : tag`actor = ${actor}`,
    action === undefined ? undefined : actionCondition(action),
    outcome === undefined ? undefined : tag`outcome = ${outcome}`,
    target === undefined ? undefined : tag`target_type = ${target.type}`,
    target?.id === undefined ? undefined : tag`target_id = ${target.id}`,
    requestId === undefined ? undefined : tag`request = ${requestId}`,
    from === undefined ? undefined : tag`at >= ${from}`,
    to === undefined ? undefined : tag`at < ${to}`,
  ].filter((condition) => condition !== undefined);
  const where = conditions.length === 0 ? tag`` : tag`where ${tag.join(conditions, ' and ')}`;
  return tag`select seq, body from ${table} ${where} order by seq desc limit ${limit + 1}`;
}

function actionCondition(action: { readonly name: string; readonly prefix: boolean }): SqlStatement {
  if (!action.prefix) return tag`action = ${action.name}`;
  // A range instead of LIKE: the index serves it, and nothing in the name is a pattern. '/' is the character after '.'.
  return tag`(action >= ${action.name} and action < ${`${action.name.slice(0, -1)}/`})`;
}
