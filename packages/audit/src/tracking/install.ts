import { createHash } from 'node:crypto';
import { option, OptionError, readOptions, sql as tag, type Sql } from '@portcullis/core';
import { createRedactor } from '@portcullis/redact';
import { actionPrefix } from './change-of.js';
import { quoted, triggerStatements, type TrackedColumn, type TriggerPlan } from './change-trigger.js';

export interface TrackOptions {
  /** Where the table is. @default 'public' */
  readonly schema?: string;
  /** Columns whose changes are not looked at, such as a search index. @default [] */
  readonly exclude?: readonly string[];
  /**
   * Columns of which only that they changed is written down: secrets, and what is personal (it never leaves the table, so
   * that erasing a person there is enough). Names that the redactor takes for secret are masked anyway. @default []
   */
  readonly mask?: readonly string[];
  /** Columns that are shown although their name sounds secret. @default [] */
  readonly show?: readonly string[];
}

/** What the log has to know of a table to tell its history. */
export interface TrackedTable {
  readonly sql: Sql;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly type: string;
  readonly columns: readonly TrackedColumn[];
}

const OWNER = 'track';

/**
 * Makes the triggers of one table, or leaves them as they are if they are up to date.
 * @throws OptionError for a table or columns that are not there, or a table without a primary key
 * @throws SqlError, such as `permission` for a connection that does not own the table
 */
export async function installTracking(
  sql: Sql,
  tableName: string,
  options: TrackOptions | undefined,
  auditSchema: string,
): Promise<TrackedTable> {
  const names = option.array(option.string({ max: 63 }), { default: [] });
  const { schema, exclude, mask, show } = readOptions(OWNER, options, {
    schema: option.string({ max: 63, default: 'public' }),
    exclude: names,
    mask: names,
    show: names,
  });
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(tableName)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      OWNER,
      'table',
      `"${tableName}" is no name of a table that can be tracked`,
    );
  }
  const found = await columnsOf(sql, schema, tableName);
  const known = new Set(found.map(({ name }) => name));
  for (const [path, given] of Object.entries({ exclude, mask, show })) {
    const missing = given.find((name) => !known.has(name));
    if (missing !== undefined) {
      throw new OptionError(
        'E_OPTION_VALUE',
        OWNER,
        path,
        `${path}: there is no column "${missing}" in ${schema}.${tableName}`,
      );
    }
  }
  if (!found.some(({ key }) => key)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      OWNER,
      'table',
      `${schema}.${tableName} has no primary key, so its rows cannot be told apart`,
    );
  }
  const columns = found
    .filter(({ name, key }) => key || !exclude.includes(name))
    .map((column) => ({
      ...column,
      masked:
        !column.key &&
        (mask.includes(column.name) || (!show.includes(column.name) && soundsSecret(column.name))),
    }));
  const table = `${quoted(schema)}.${quoted(tableName)}`;
  const plan: TriggerPlan = {
    table,
    type: tableName,
    action: actionPrefix(tableName),
    columns,
    outbox: tag.identifier(auditSchema, 'audit_outbox').text,
    functionName: `${quoted(auditSchema)}.${quoted(`audit_track_${createHash('sha256').update(table).digest('hex').slice(0, 16)}`)}`,
  };
  await apply(sql, plan);
  return { sql, table, type: tableName, columns };
}

/** Processes that start together make the triggers once. */
async function apply(sql: Sql, plan: TriggerPlan): Promise<void> {
  const mark = createHash('sha256').update(triggerStatements(plan).join(';')).digest('hex');
  if ((await markOf(sql, plan)) === mark) return;
  await sql.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [plan.functionName]);
    if ((await markOf(tx, plan)) === mark) return;
    for (const statement of triggerStatements(plan)) await tx.query(statement);
    await tx.query(`revoke all on function ${plan.functionName}() from public`);
    await tx.query(`comment on function ${plan.functionName}() is '${mark}'`);
  });
}

/** What the triggers of the table were made from; undefined if one of them is not there. */
async function markOf(
  sql: Pick<Sql, 'query'>,
  { functionName, table }: TriggerPlan,
): Promise<string | undefined> {
  const { rows } = await sql.query<{ mark: string | null; triggers: number }>(
    `select obj_description(to_regprocedure($1 || '()'), 'pg_proc') as mark,
       (select count(*)::int from pg_trigger where tgrelid = to_regclass($2) and tgname like 'audit\\_track\\_%' and tgenabled = 'A') as triggers`,
    [functionName, table],
  );
  return rows[0]?.triggers === 4 ? (rows[0].mark ?? undefined) : undefined;
}

async function columnsOf(
  sql: Sql,
  schema: string,
  table: string,
): Promise<(Omit<TrackedColumn, 'masked'> & { key: boolean })[]> {
  const { rows } = await sql.query<{ name: string; type: string; key: boolean }>(tag`
    select a.attname::text as name, t.typname::text as type, coalesce(a.attnum = any (i.indkey::int2[]), false) as key
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace s on s.oid = c.relnamespace
    join pg_type t on t.oid = a.atttypid
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
    where s.nspname = ${schema} and c.relname = ${table} and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    order by a.attnum`);
  if (rows.length === 0) {
    throw new OptionError('E_OPTION_VALUE', OWNER, 'table', `there is no table ${schema}.${table}`);
  }
  return [...rows];
}

function soundsSecret(column: string): boolean {
  const { redact } = createRedactor({ values: [] });
  return (redact({ [column]: 'plain' }) as Record<string, unknown>)[column] !== 'plain';
}
