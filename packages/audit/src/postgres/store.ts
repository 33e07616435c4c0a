import {
  option,
  readOptions,
  sql as tag,
  type Duration,
  type Sql,
  type SqlClient,
  type SqlStatement,
} from '@portcullis/core';
import { fromBody } from '../entry.js';
import type { CheckedQuery } from '../query.js';
import { pageOf } from '../query-match.js';
import type { AuditBatch, AuditStore, SealedValue } from '../store.js';
import { postgresPeople, sealedParts } from './people.js';
import { installTracking } from '../tracking/install.js';
import { exportLines } from './export.js';
import { postgresPruning } from './prune.js';
import { postgresTree } from './tree.js';

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
  /**
   * The role that may remove what is old enough (`auditPrunerRoleMigration`), taken on by `audit.prune()` only. Give it to the job that does
   * that, whose connection's user is a member of it, not to the service. @default nothing can be removed
   */
  readonly pruner?: string;
  /** Longest time for one batch or query, 10 ms to 1 min. @default '2s' */
  readonly timeoutMs?: Duration;
}

/** Two hundred batches at a time. */
const PRUNE_MS = 60_000;

/**
 * The log in PostgreSQL or PGlite. An append is one INSERT, durable with its commit as far as the server is
 * (`fsync` and `synchronous_commit` on). Row-level settings are made per query, and the same condition is part of the
 * query, so that a connection which bypasses row-level security shows no more.
 * @throws OptionError
 */
export function postgresAudit(options: PostgresAuditOptions): AuditStore {
  const { sql, schema, role, pruner, timeoutMs } = readOptions('postgresAudit', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
    role: option.optional(option.string({ max: 63 })),
    pruner: option.optional(option.string({ max: 63 })),
    timeoutMs: option.duration({ minMs: 10, maxMs: 60_000, default: '2s' }),
  });
  const name = (table: string): string => tag.identifier(schema, table).text;
  const table = tag.identifier(schema, 'audit_entry');
  const asRole = role === undefined ? {} : { role };

  return Object.freeze<AuditStore>({
    place: {
      where: `PostgreSQL, table ${table.text}`,
      format: 'canonical JSON (RFC 8785)',
      access: `${role === undefined ? "the connection's user" : `role ${role}`}: adds, changes nothing; row-level security shows people their own entries and staff all`,
    },
    async append(batch) {
      const { text, values } = appendStatement(name, batch);
      const run = async (client: SqlClient): Promise<void> => {
        await client.query(text, values, { timeoutMs });
      };
      try {
        // A statement is a transaction of its own; only a role needs one around it.
        if (role === undefined) await run(sql);
        else await sql.transaction(run, { timeoutMs, ...asRole });
      } catch (error) {
        if ((error as { kind?: unknown }).kind !== 'unique' || !(await isThere(batch))) throw error;
      }
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
    track: (from, tracked, trackOptions) => installTracking(from, tracked, trackOptions, schema),
    export: () => exportLines(name, readAll),
    ...(pruner === undefined
      ? {}
      : { pruning: postgresPruning(sql, name, { timeoutMs: PRUNE_MS, ...asRole }, pruner) }),
    tree: postgresTree(sql, name, { timeoutMs, ...asRole }),
    outbox: {
      async put(tx, entries) {
        await tx.query(
          `insert into ${name('audit_outbox')} (id, draft, sealed) select * from unnest($1::text[], $2::text[], $3::text[])`,
          [
            entries.map(({ id }) => id),
            entries.map(({ draft }) => draft),
            entries.map(({ sealed }) => (sealed ? JSON.stringify(sealed) : null)),
          ],
          { timeoutMs },
        );
      },
      async waiting(longerThanMs, limit, behind) {
        // Microseconds and id: what rows are ordered by, and holds when the row itself is gone.
        const [micros, id] = behind === undefined ? ['-1', ''] : behind.split(' ', 2);
        const statement = tag`select id, draft, sealed, (extract(epoch from at) * 1000000)::bigint::text || ' ' || id as place
          from ${tag.identifier(schema, 'audit_outbox')}
          where at <= clock_timestamp() - ${longerThanMs}::double precision * interval '1 millisecond'
            and (at, id) > (timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond', ${id}::text)
          order by at, id limit ${limit}`;
        const { rows } = await sql.transaction(
          (tx) =>
            tx.query<{ id: string; draft: string; sealed: string | null; place: string }>(
              statement,
              undefined,
              { timeoutMs },
            ),
          { readOnly: true, timeoutMs, ...asRole },
        );
        return rows.map(({ sealed, ...row }) =>
          sealed === null ? row : { ...row, sealed: JSON.parse(sealed) as SealedValue[] },
        );
      },
    },
    people: postgresPeople(name, (work) => sql.transaction(work, { timeoutMs, ...asRole })),
  });

  function readAll<Row>(text: string, values: readonly unknown[]) {
    return sql.transaction((tx) => tx.query<Row>(text, values, { timeoutMs }), {
      readOnly: true,
      timeoutMs,
      settings: { 'app.is_staff': 'true' },
      ...asRole,
    });
  }

  /** The first of two attempts of one batch was late, and came through after all. */
  async function isThere({ writer, first }: AuditBatch): Promise<boolean> {
    const { rowCount } = await sql.query(
      `select 1 from ${name('audit_batch')} where w = $1 and first = $2`,
      [writer, first],
      { timeoutMs },
    );
    return rowCount === 1;
  }
}

/**
 * One statement, so that everything about a batch stands or falls together. A batch that is there already does nothing.
 * Tables that it has no rows for are not in it: the server would plan and open them for every batch.
 */
function appendStatement(
  name: (table: string) => string,
  { writer, first, bodies, leaves, signature, sealed, outbox }: AuditBatch,
): { readonly text: string; readonly values: readonly unknown[] } {
  const values: unknown[] = [writer, first, bodies.length, leaves, signature, bodies];
  const parts = [
    `fresh as (
      select 1 where not exists (select from ${name('audit_batch')} where w = $1::text and first = $2::bigint)
    )`,
    `batch as (
      insert into ${name('audit_batch')} (w, first, count, leaves, signature)
      select $1::text, $2::bigint, $3::integer, $4::bytea, $5::text from fresh
    )`,
    `unplaced as (
      insert into ${name('audit_unplaced')} (w, first) select $1::text, $2::bigint from fresh
    )`,
  ];
  if (outbox.length > 0) {
    const ids = `$${values.push(outbox)}::text[]`;
    parts.push(`relayed as (delete from ${name('audit_outbox')} where id = any (${ids}))`);
  }
  if (sealed.length > 0) parts.push(sealedParts(name, `$${values.push(JSON.stringify(sealed))}::jsonb`));
  const text = `with ${parts.join(', ')}
    insert into ${name('audit_entry')} (w, n, body)
    select $1::text, $2::bigint + place - 1, body from fresh, unnest($6::text[]) with ordinality as given(body, place)
    order by place`;
  return { text, values };
}

function statement(table: SqlStatement, query: CheckedQuery): SqlStatement {
  const { visibleTo, kind, actor, action, outcome, target, requestId, from, to, before, limit } = query;
  const conditions = [
    visibleTo === undefined ? undefined : tag`actor = ${visibleTo}`,
    before === undefined ? undefined : tag`seq < ${before}::bigint`,
    kind === undefined ? tag`kind <> 'log'` : tag`kind = ${kind}`,
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
