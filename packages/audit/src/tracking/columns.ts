import { checkQuery, type AuditPage, type CheckedQuery } from '../query.js';
import type { TrackedTable } from './install.js';

/** What the log says about itself when a table is tracked in another form than before. */
export const COLUMNS_CHANGED = 'tracking.columns-changed';

type Find = (query: CheckedQuery) => Promise<AuditPage>;

/** Which columns were tracked at a time (the newest ones without a time); undefined if the log does not know. */
export async function columnsAt(
  find: Find,
  { table }: TrackedTable,
  at?: Date | number | string,
): Promise<readonly string[] | undefined> {
  const { entries } = await find(
    checkQuery({
      viewer: 'system',
      kind: 'log',
      action: COLUMNS_CHANGED,
      target: { type: 'table', id: table },
      limit: 1,
      ...(at === undefined ? {} : { to: at }),
    }),
  );
  const { columns } = (entries[0]?.data ?? {}) as { readonly columns?: unknown };
  return Array.isArray(columns) ? columns.map(String) : undefined;
}

export function namesOf({ columns }: TrackedTable): string[] {
  return columns.map(({ name }) => name);
}
