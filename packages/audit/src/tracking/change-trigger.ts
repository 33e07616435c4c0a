import { sql as tag } from '@portcullis/core';

/** A column of a tracked table, as the catalogue of PostgreSQL names it. */
export interface TrackedColumn {
  readonly name: string;
  /** `pg_type.typname`, such as `text` or `timestamptz`. */
  readonly type: string;
  /** Only that it changed is written down, never its value. */
  readonly masked: boolean;
  readonly key: boolean;
}

export interface TriggerPlan {
  /** Quoted, with its schema. */
  readonly table: string;
  /** Name of the table, as targets of entries carry it. */
  readonly type: string;
  /** `loan-items`, which `.created`, `.updated` and `.deleted` are put behind. */
  readonly action: string;
  readonly columns: readonly TrackedColumn[];
  /** Quoted, with its schema. */
  readonly outbox: string;
  /** Quoted, with its schema: the function of the triggers. */
  readonly functionName: string;
}

/** As the redactor writes it. */
export const MASKED = '[REDACTED]';

/** Changed rows in one row of the outbox. */
export const ROWS_TOGETHER = 200;

/** Longest text of a column that is written down as it is, as the redactor keeps it; of a longer one this much, and how long it was. */
const MAX_TEXT = 4096;
const KEPT_TEXT = 4000;

const INTEGERS = new Set(['int2', 'int4']);
/** Digits and signs, which need no escapes; more of them than JavaScript's numbers keep. */
const PLAIN = new Set(['int8', 'numeric', 'uuid']);
const NATIVE = new Set(['float4', 'float8', 'json', 'jsonb']);
const TEXTS = new Set(['text', 'varchar', 'bpchar', 'citext', 'name']);
const TIMES = ['timestamptz', 'timestamp', 'date', 'time', 'timetz'];
const OTHERS = ['bool', 'float4', 'float8', 'jsonb', 'bytea', 'inet', 'cidr'];
const COMPARABLE = new Set([...INTEGERS, ...PLAIN, ...TEXTS, ...TIMES, ...OTHERS]);

/**
 * The function and the triggers that write every changed row into the outbox, in the transaction of the change: one
 * INSERT per statement, from its transition tables, with expressions that are made for the columns. Who did it is read from the settings `app.user_id`, `app.request_id` and `app.reason`.
 */
export function triggerStatements(plan: TriggerPlan): readonly string[] {
  const { table, functionName } = plan;
  const events = [
    ['insert', 'referencing new table as audit_new'],
    ['update', 'referencing old table as audit_old new table as audit_new'],
    ['delete', 'referencing old table as audit_old'],
  ] as const;
  const triggers = events.map(
    ([event, tables]) => `create trigger audit_track_${event} after ${event} on ${table} ${tables}
  for each statement execute function ${functionName}()`,
  );
  return [
    functionStatement(plan),
    ...dropStatements(table),
    ...triggers,
    // Not a statement of rows, so there are no transition tables: what goes is read before.
    `create trigger audit_track_truncate before truncate on ${table} for each statement execute function ${functionName}()`,
    ...[...events.map(([event]) => event), 'truncate'].map(
      (event) => `alter table ${table} enable always trigger audit_track_${event}`,
    ),
  ];
}

export function dropStatements(table: string): readonly string[] {
  return ['insert', 'update', 'delete', 'truncate'].map(
    (event) => `drop trigger if exists audit_track_${event} on ${table}`,
  );
}

/**
 * SECURITY DEFINER, so that whoever changes rows needs no right on the outbox; with a search path that nobody can put anything
 * in front of. To compile its long expressions would take longer than to run them, and to sort the rows longer than to hash them.
 */
export function functionStatement(plan: TriggerPlan): string {
  const { table, type, action, columns, functionName } = plan;
  const keys = columns.filter(({ key }) => key);
  const same = keys.map(({ name }) => `o.${quoted(name)} = n.${quoted(name)}`).join(' and ');
  const first = quoted(keys[0]!.name);
  const added = wholeRow('c', columns, 'n', idOf(keys, 'n'));
  const removed = wholeRow('d', columns, 'o', idOf(keys, 'o'));
  return `create or replace function ${functionName}() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp set jit = off set enable_mergejoin = off as $audit$
declare
  who text := nullif(current_setting('app.user_id', true), '');
  why text := nullif(current_setting('app.reason', true), '');
  request text := nullif(current_setting('app.request_id', true), '');
  head text;
begin
  head := '{"c":' || case when request is null then '{}' else json_build_object('requestId', left(request, 200))::text end
    || ',"e":{"actor":' || case when who is null then '{"kind":"system"},"data":' || json_build_object('database', session_user)::text
         else json_build_object('id', left(who, 512), 'kind', 'user')::text end
    || case when why is null then '' else ',"reason":' || to_json(left(why, 1000))::text end
    || ',"outcome":"success","type":${literalJson(action)}},"k":"action","t":"'
    || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '","target":${literalJson(type)},"rows":[';
  if tg_op = 'UPDATE' then
    ${insertRows(
      plan,
      `audit_old o full join audit_new n on ${same}`,
      `case when o.${first} is null then ${added} when n.${first} is null then ${removed} else ${differences(columns, idOf(keys, 'n'))} end`,
    )};
  elsif tg_op = 'INSERT' then
    ${insertRows(plan, 'audit_new n', added)};
  elsif tg_op = 'DELETE' then
    ${insertRows(plan, 'audit_old o', removed)};
  else
    ${insertRows(plan, `${table} o`, removed)};
  end if;
  return null;
end $audit$`;
}

/** Rows share outbox rows: an index entry for each would cost more than all the rest. */
function insertRows({ outbox }: TriggerPlan, from: string, row: string): string {
  return `insert into ${outbox} (id, draft)
    select gen_random_uuid()::text, concat(head, string_agg(entry, ','), ']}')
    from (
      select entry, (row_number() over () - 1) / ${ROWS_TOGETHER} as part
      from (select ${row} as entry from ${from} offset 0) every where entry is not null
    ) parted group by part`;
}

/** `["u",<id>,{"shelf":[1,2]}]`; null where nothing has changed. */
function differences(columns: readonly TrackedColumn[], id: string): string {
  // The rows were put together by their keys.
  const others = columns.filter(({ key }) => !key);
  const parts = others.map((column) => {
    const same = `o.${equal(column)} is not distinct from n.${equal(column)}`;
    return `case when ${same} then '' else '${label(column)}[' || ${valueOf(column, 'o')} || ',' || ${valueOf(column, 'n')} || ']' end`;
  });
  return `'["u",' || ${id} || ',{' || substr(nullif(${parts.join(' || ') || "''"}, ''), 2) || '}]'`;
}

/** `["c",<id>,{"title":"Emma"}]` */
function wholeRow(word: 'c' | 'd', columns: readonly TrackedColumn[], row: 'o' | 'n', id: string): string {
  return `'["${word}",' || ${id} || ',' || ${objectOf(columns, row)} || ']'`;
}

/** The row `o` as JSON, as the log tells it. */
export function rowJson(columns: readonly TrackedColumn[]): string {
  return objectOf(columns, 'o');
}

function objectOf(columns: readonly TrackedColumn[], row: 'o' | 'n'): string {
  return `'{' || substr(${columns.map((column) => `'${label(column)}' || ${valueOf(column, row)}`).join(' || ')}, 2) || '}'`;
}

function label({ name }: TrackedColumn): string {
  return `,${literalJson(name)}:`;
}

function valueOf({ name, type, masked }: TrackedColumn, row: string): string {
  return masked ? `'"${MASKED}"'` : `coalesce(${jsonOf(`${row}.${quoted(name)}`, type)}, 'null')`;
}

/** Types such as json and point have no equality that counts. */
function equal({ name, type }: TrackedColumn): string {
  return `${quoted(name)}${COMPARABLE.has(type) ? '' : '::text'}`;
}

/**
 * JSON of a value as JavaScript can hold it: what it would round is text. `to_json` looks up how to write a type at every
 * call, so that what needs no escapes is put together without it.
 */
function jsonOf(value: string, type: string): string {
  if (INTEGERS.has(type)) return `${value}::text`;
  if (type === 'bool') return `case ${value} when true then 'true' when false then 'false' end`;
  if (PLAIN.has(type)) return `'"' || ${value}::text || '"'`;
  if (NATIVE.has(type)) return `to_json(${value})::text`;
  if (type === 'timestamptz') {
    return `'"' || to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"'`;
  }
  if (type === 'bytea') return `'"[Binary:' || length(${value}) || ']"'`;
  const text = TEXTS.has(type) ? value : `${value}::text`;
  // Without a last word that the cut may have made unrecognisable; looked for from its end, which takes linear time.
  const head = `reverse(regexp_replace(reverse(left(${text}, ${KEPT_TEXT})), '^[^[:space:],;&"{}]+', ''))`;
  return `to_json(case when length(${text}) > ${MAX_TEXT} then ${head} || '[Truncated:' || length(${text}) || ' characters]' else ${text} end)::text`;
}

/** The text of a key as JSON. */
function idOf(keys: readonly TrackedColumn[], row: string): string {
  const values = keys.map(({ name }) => `${row}.${quoted(name)}::text`);
  if (values.length > 1) return `to_json(to_json(array[${values.join(', ')}])::text)::text`;
  const { type } = keys[0]!;
  return INTEGERS.has(type) || PLAIN.has(type) ? `'"' || ${values[0]} || '"'` : `to_json(${values[0]})::text`;
}

export function quoted(name: string): string {
  return tag.identifier(name).text;
}

/** A JSON text within an SQL literal. */
function literalJson(text: string): string {
  return JSON.stringify(text).replaceAll("'", "''");
}
