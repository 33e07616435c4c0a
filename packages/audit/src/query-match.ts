import type { StoredEntry } from './entry.js';
import type { AuditPage, CheckedQuery } from './query.js';

/** One more than the limit was asked for: if it came, there is another page. */
export function pageOf(found: readonly StoredEntry[], limit: number): AuditPage {
  if (found.length <= limit) return { entries: found };
  const entries = found.slice(0, limit);
  return { entries, next: entries.at(-1)!.seq };
}

export function matches(entry: StoredEntry, query: CheckedQuery): boolean {
  const { visibleTo, kind, actor, action, outcome, target, requestId, from, to, before } = query;
  return (
    (visibleTo === undefined || entry.actor.id === visibleTo) &&
    (before === undefined || BigInt(entry.seq) < BigInt(before)) &&
    (kind === undefined ? entry.kind !== 'log' : entry.kind === kind) &&
    (actor === undefined || entry.actor.id === actor) &&
    (action === undefined ||
      (action.prefix ? entry.action.startsWith(action.name) : entry.action === action.name)) &&
    (outcome === undefined || entry.outcome === outcome) &&
    (target === undefined ||
      (entry.target?.type === target.type && (target.id === undefined || entry.target.id === target.id))) &&
    (requestId === undefined || entry.context.requestId === requestId) &&
    (from === undefined || entry.time >= from) &&
    (to === undefined || entry.time < to)
  );
}
