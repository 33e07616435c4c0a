import { checkQuery, type AuditPage, type CheckedQuery } from '../query.js';

/** Something that must be kept, whatever its age, such as for a court. */
export interface LegalHold {
  /** Lower-case letters, digits, `.` and `-`: `case-2026-17`. */
  readonly name: string;
  /** Entries from this time on are kept (ISO 8601); absent: all. */
  readonly from?: string;
}

export const HOLD_PLACED = 'retention.hold-placed';
export const HOLD_RELEASED = 'retention.hold-released';

const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/;

export function isHoldName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}

/**
 * Holds that are in force, from the log itself: only the log writes entries of its own kind, and the entry of a hold is never
 * older than what it holds.
 */
export async function holdsIn(find: (query: CheckedQuery) => Promise<AuditPage>): Promise<LegalHold[]> {
  const newest = new Map<string, LegalHold | undefined>();
  for (let cursor: string | undefined; ;) {
    const page = await find(
      checkQuery({
        viewer: 'system',
        kind: 'log',
        action: 'retention.*',
        limit: 500,
        ...(cursor === undefined ? {} : { cursor }),
      }),
    );
    for (const { action, target, data } of page.entries) {
      const name = target?.id;
      if (name === undefined || newest.has(name)) continue;
      const { from } = (data ?? {}) as { from?: string };
      if (action === HOLD_PLACED) newest.set(name, { name, ...(from === undefined ? {} : { from }) });
      else if (action === HOLD_RELEASED) newest.set(name, undefined);
    }
    if (page.next === undefined) return [...newest.values()].filter((hold) => hold !== undefined);
    cursor = page.next;
  }
}
