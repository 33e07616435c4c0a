import type { AuditChange, DraftBody } from './entry.js';
import { written, type PreparedEntry, type RecordDeps } from './record.js';
import type { OutboxEntry } from './store.js';

/** A row of the outbox: one entry, or the many of one statement that triggers have seen. They get their places together. */
export interface RelayedRow {
  readonly id: string;
  readonly entries: readonly PreparedEntry[];
}

/** As triggers write it: what all entries share, and what became of each row. */
interface TrackedDraft extends DraftBody {
  readonly target: string;
  readonly rows: readonly (readonly [
    word: 'c' | 'u' | 'd',
    id: string,
    values: Readonly<Record<string, unknown>>,
  ])[];
}

const WORDS = { c: 'created', u: 'updated', d: 'deleted' } as const;

/** Undefined for what is no entry: it stays where it is. */
export function readOutboxRow(
  { id, draft, sealed }: OutboxEntry,
  { redactor, people }: Pick<RecordDeps, 'redactor' | 'people'>,
): RelayedRow | undefined {
  try {
    const read = JSON.parse(draft) as DraftBody | TrackedDraft;
    const time = new Date(read.t).toISOString();
    if (!('rows' in read)) {
      const { c, e, k } = read;
      const entry = written({ c, e, id, k, t: time }, undefined);
      return { id, entries: [sealed ? { ...entry, sealed } : entry] };
    }
    const { c, e, k, target } = read;
    const entries = read.rows.map(([word, rowId, values], i): PreparedEntry => {
      const action = `${e.type}.${WORDS[word]}`;
      // Nobody has looked for secrets in what triggers write.
      const { change, targetId } = redactor.redact({ change: changeOf(word, values), targetId: rowId }) as {
        change: AuditChange;
        targetId: string;
      };
      const event = { ...e, type: action, target: { type: target, id: targetId }, change };
      const own = entryId(id, i);
      return written({ c, e: event, id: own, k, t: time }, people);
    });
    return { id, entries };
  } catch {
    return undefined;
  }
}

function changeOf(word: 'c' | 'u' | 'd', values: Readonly<Record<string, unknown>>): AuditChange {
  if (word === 'c') return { after: values };
  if (word === 'd') return { before: values };
  const sides = Object.entries(values) as [string, [unknown, unknown]][];
  return {
    before: Object.fromEntries(sides.map(([field, [before]]) => [field, before])),
    after: Object.fromEntries(sides.map(([field, [, after]]) => [field, after])),
  };
}

/** The same for the same row whoever relays it, so that stores take each entry once. */
function entryId(row: string, place: number): string {
  return row.slice(0, 24) + place.toString(16).padStart(12, '0');
}
