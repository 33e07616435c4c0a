import type { AuditActor, StoredEntry } from '../entry.js';
import { checkQuery, type AuditPage, type AuditViewer, type CheckedQuery } from '../query.js';
import { actionPrefix } from './change-of.js';
import { quoted, rowJson } from './change-trigger.js';
import type { TrackedTable } from './install.js';

export interface HistoryQuery {
  /** Required, as in `query()`: people see the changes they made, staff see all. */
  readonly viewer: AuditViewer;
  /** `next` of the page before. */
  readonly cursor?: string;
  /** Integer 1 to 500. @default 50 */
  readonly limit?: number;
}

/** What became of one field. */
export interface FieldChange {
  readonly field: string;
  /** Absent: the field was not there. */
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface HistoryEntry {
  readonly id: string;
  readonly seq: string;
  readonly time: string;
  readonly action: string;
  readonly actor: AuditActor;
  readonly reason?: string;
  readonly requestId?: string;
  readonly changes: readonly FieldChange[];
}

/** Newest first. */
export interface History {
  readonly entries: readonly HistoryEntry[];
  readonly next?: string;
  /** Who made the row, and when; absent if that was before it was tracked, or is not for the viewer to see. */
  readonly created?: { readonly by: AuditActor; readonly at: string };
  /** Who changed it last, and when, its making and its end included. */
  readonly modified?: { readonly by: AuditActor; readonly at: string };
}

export type Row = Readonly<Record<string, unknown>>;

type Find = (query: CheckedQuery) => Promise<AuditPage>;

/** @throws E_AUDIT_QUERY_INVALID */
export async function historyOf(find: Find, type: string, id: string, query: HistoryQuery): Promise<History> {
  const about = { viewer: query.viewer, kind: 'action', target: { type, id } } as const;
  const { viewer: _, ...page } = query;
  const [{ entries, next }, newest, first] = await Promise.all([
    find(checkQuery({ ...about, ...page })),
    find(checkQuery({ ...about, limit: 1 })),
    firstOf(find, about),
  ]);
  const signature = ({ actor, time }: StoredEntry) => ({ by: actor, at: time });
  return {
    entries: entries.map(historyEntry),
    ...(next === undefined ? {} : { next }),
    ...(first ? { created: signature(first) } : {}),
    ...(newest.entries[0] ? { modified: signature(newest.entries[0]) } : {}),
  };
}

/** The newest entry that says the row was made: a row can be made again. */
async function firstOf(
  find: Find,
  about: {
    readonly viewer: AuditViewer;
    readonly kind: 'action';
    readonly target: { type: string; id: string };
  },
): Promise<StoredEntry | undefined> {
  let cursor: string | undefined;
  do {
    const page = await find(
      checkQuery({ ...about, limit: 500, ...(cursor === undefined ? {} : { cursor }) }),
    );
    const made = page.entries.find(isCreation);
    if (made) return made;
    cursor = page.next;
  } while (cursor !== undefined);
  return undefined;
}

function historyEntry(entry: StoredEntry): HistoryEntry {
  const { id, seq, time, action, actor, reason, context } = entry;
  return {
    id,
    seq,
    time,
    action,
    actor,
    ...(reason === undefined ? {} : { reason }),
    ...(context.requestId === undefined ? {} : { requestId: context.requestId }),
    changes: fieldChanges(entry),
  };
}

function fieldChanges({ change }: StoredEntry): FieldChange[] {
  const before = rowOf(change?.before);
  const after = rowOf(change?.after);
  return [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].map((field) => ({
    field,
    ...(before && Object.hasOwn(before, field) ? { before: before[field] } : {}),
    ...(after && Object.hasOwn(after, field) ? { after: after[field] } : {}),
  }));
}

/**
 * How a row was at a time: the changes since then are taken back from how it is now, newest first. Read the row before the
 * changes: taking back what the row has not seen yet changes nothing.
 * @param columns What the table had at that time, where that is known: columns that came later are left out, and of those that are
 *   gone the last change before says what they held.
 */
export async function rowAsOf(
  find: Find,
  type: string,
  id: string,
  at: Date | number | string,
  current: Row | undefined,
  columns?: readonly string[],
): Promise<Row | undefined> {
  const until = nextMoment(checkQuery({ viewer: 'system', from: at }).from!);
  let row = current;
  for await (const entry of changesOf(find, type, id, { from: until })) row = takenBack(row, entry);
  if (!row || !columns) return row;
  const then = new Map<string, unknown>();
  for (const name of columns) if (Object.hasOwn(row, name)) then.set(name, row[name]);
  if (then.size < columns.length) {
    for await (const entry of changesOf(find, type, id, { to: until })) {
      const after = rowOf(entry.change?.after) ?? {};
      for (const name of columns)
        if (!then.has(name) && Object.hasOwn(after, name)) then.set(name, after[name]);
      if (then.size === columns.length || isCreation(entry)) break;
    }
  }
  return Object.fromEntries(columns.filter((name) => then.has(name)).map((name) => [name, then.get(name)]));
}

/** Newest first. What the app says about the same object in words of its own is no change of the row, or the same one twice. */
async function* changesOf(
  find: Find,
  type: string,
  id: string,
  times: { readonly from: string } | { readonly to: string },
): AsyncIterable<StoredEntry> {
  const prefix = actionPrefix(type);
  const changes = new Set(['created', 'updated', 'deleted'].map((word) => `${prefix}.${word}`));
  const about = { viewer: 'system', kind: 'action', target: { type, id }, limit: 500, ...times } as const;
  let cursor: string | undefined;
  do {
    const page = await find(checkQuery({ ...about, ...(cursor === undefined ? {} : { cursor }) }));
    yield* page.entries.filter(({ action }) => changes.has(action));
    cursor = page.next;
  } while (cursor !== undefined);
}

/** What happened in that very millisecond counts as done. */
function nextMoment(time: string): string {
  return new Date(Date.parse(time) + 1).toISOString();
}

function takenBack(row: Row | undefined, entry: StoredEntry): Row | undefined {
  const before = rowOf(entry.change?.before);
  const after = rowOf(entry.change?.after);
  if (!before) return isCreation(entry) ? undefined : row;
  if (!after && entry.action.endsWith('.deleted')) return before;
  const kept = { ...row };
  // Fields that came with this change were not there before.
  for (const field of Object.keys(after ?? {})) if (!Object.hasOwn(before, field)) delete kept[field];
  return { ...kept, ...before };
}

function isCreation({ action, change }: StoredEntry): boolean {
  return action.endsWith('.created') && change?.before === undefined;
}

function rowOf(value: unknown): Row | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : undefined;
}

/** The row as it is now, in the words of the triggers: what they would write if it went away. */
export async function currentRow(
  { sql, table, columns }: TrackedTable,
  id: string,
): Promise<Row | undefined> {
  const keys = columns.filter(({ key }) => key);
  const values = keys.length === 1 ? [id] : (JSON.parse(id) as unknown[]);
  const where = keys.map(({ name }, i) => `o.${quoted(name)}::text = $${i + 1}`).join(' and ');
  const { rows } = await sql.query<{ row: string }>(
    `select ${rowJson(columns)} as row from ${table} o where ${where}`,
    values,
  );
  return rows[0] && (JSON.parse(rows[0].row) as Row);
}
