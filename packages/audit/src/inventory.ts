import { vocabularyOf } from './exports/vocabulary.js';
import type { AuditKind } from './entry.js';
import { checkQuery, type AuditPage, type CheckedQuery } from './query.js';
import type { LegalHold } from './retention/holds.js';
import type { LossPolicy } from './writer.js';

/** A place where something of the log is written. */
export interface LogPlace {
  readonly part: 'entries' | 'spool' | 'mirror' | 'checkpoints';
  /** Such as a table, a folder, or the name of an anchor. */
  readonly where: string;
  readonly format: string;
  /** Who may read and write there. */
  readonly access: string;
}

export interface LoggedEvent {
  readonly kind: AuditKind;
  readonly action: string;
  /** Its name in the OWASP Logging Vocabulary; absent if there is none. */
  readonly owasp?: string;
  /** How often it was recorded since `since`. */
  readonly count: number;
  /** What happens where it cannot be recorded. */
  readonly unrecorded: LossPolicy;
}

/** What is logged, in which form, where it is kept, who sees it, what it is used for, and for how long (ASVS V16.1.1). */
export interface LogInventory {
  /** Name of the log, as in its checkpoints. */
  readonly log: string;
  readonly places: readonly LogPlace[];
  /** What the log has recorded since this time (ISO 8601), by kind and action. */
  readonly since: string;
  readonly events: readonly LoggedEvent[];
  /** Tables whose changes are recorded, in this process. */
  readonly tables: readonly {
    readonly table: string;
    readonly columns: readonly string[];
    /** Of which only that they changed is written down. */
    readonly masked: readonly string[];
  }[];
  /** Fields that stand in the log as commitments and can be erased. */
  readonly personal: readonly string[];
  /** Names of the policies of regular review. */
  readonly reviews: readonly string[];
  readonly retention: {
    /** As it was given; absent: nothing was said. */
    readonly policy?: string;
    /** Entries that are older than this have been removed (ISO 8601); absent: none have. */
    readonly removedBefore?: string;
    readonly holds: readonly LegalHold[];
  };
}

export interface InventoryOptions {
  /** From when on is looked which events there are: all entries since then are read. @default 24 hours ago */
  readonly since?: Date | number | string;
  /** For how long entries are kept, in words: `365 days (policy 7), removed by a job each night`. @default nothing is said */
  readonly retention?: string;
}

type Find = (query: CheckedQuery) => Promise<AuditPage>;

/** By kind and action, in the order of their names. */
export async function eventsSince(
  find: Find,
  since: string,
  lossOf: (entry: { readonly kind: AuditKind; readonly action: string }) => LossPolicy,
): Promise<LoggedEvent[]> {
  const counts = new Map<string, { readonly kind: AuditKind; readonly action: string; count: number }>();
  for (const kind of ['action', 'request', 'log'] as const) {
    let cursor: string | undefined;
    do {
      const about = { viewer: 'system', kind, from: since, limit: 500 } as const;
      const page = await find(checkQuery({ ...about, ...(cursor === undefined ? {} : { cursor }) }));
      for (const { action } of page.entries) {
        const key = `${kind} ${action}`;
        const known = counts.get(key) ?? { kind, action, count: 0 };
        known.count++;
        counts.set(key, known);
      }
      cursor = page.next;
    } while (cursor !== undefined);
  }
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { kind, action, count }]) => {
      const { owasp } = vocabularyOf(action);
      return {
        kind,
        action,
        ...(owasp === undefined ? {} : { owasp }),
        count,
        unrecorded: lossOf({ kind, action }),
      };
    });
}

/** Up to when retention has removed entries, as the newest record of it says. */
export async function removedBefore(find: Find, action: string): Promise<string | undefined> {
  const { entries } = await find(checkQuery({ viewer: 'system', kind: 'log', action, limit: 1 }));
  const { before } = (entries[0]?.data ?? {}) as { readonly before?: unknown };
  return typeof before === 'string' ? before : undefined;
}

interface Parts {
  readonly store: Omit<LogPlace, 'part'> | undefined;
  readonly spool: { readonly directory: string; readonly maxBytes: number } | undefined;
  readonly mirror: { readonly place?: string | undefined } | undefined;
  readonly anchors: readonly { readonly name: string }[];
}

/** Where something of the log is written: the store, and what the app has set up beside it. */
export function placesOf({ store, spool, mirror, anchors }: Parts): LogPlace[] {
  const unknown = {
    where: 'a store of the app',
    format: 'canonical JSON (RFC 8785)',
    access: 'as the store decides',
  };
  return [
    { part: 'entries', ...(store ?? unknown) },
    ...(spool
      ? [
          {
            part: 'spool',
            where: `folder ${spool.directory}, at most ${spool.maxBytes} bytes, while the store is down`,
            format: 'NDJSON',
            access: "the process's user (mode 0600)",
          } as const,
        ]
      : []),
    ...(mirror
      ? [
          {
            part: 'mirror',
            where: mirror.place ?? 'a mirror of the app',
            format: 'as its transports write, without secrets and personal values',
            access: 'as there',
          } as const,
        ]
      : []),
    ...anchors.map(
      ({ name }) =>
        ({
          part: 'checkpoints',
          where: `anchor ${name}`,
          format: 'signed note (C2SP)',
          access: 'hashes and numbers only; for everybody who verifies',
        }) as const,
    ),
  ];
}
