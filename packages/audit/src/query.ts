import { errors } from './error-codes.js';
import { KINDS, OUTCOMES, type AuditKind, type AuditOutcome, type StoredEntry } from './entry.js';

/** Who reads: people see the entries they caused, staff see all, `'system'` is the program itself. */
export type AuditViewer = { readonly id: string; readonly staff: boolean } | 'system';

export interface AuditQuery {
  /** Required: whose eyes this is for. Decides which entries can be found at all. */
  readonly viewer: AuditViewer;
  /** @default actions and requests */
  readonly kind?: AuditKind;
  /** The id of the one who did it. */
  readonly actor?: string;
  /** An exact action, or all below a prefix: `book.*`. */
  readonly action?: string;
  readonly outcome?: AuditOutcome;
  readonly target?: { readonly type: string; readonly id?: string };
  readonly requestId?: string;
  /** Inclusive. A Date, milliseconds since 1970, or ISO 8601. */
  readonly from?: Date | number | string;
  /** Exclusive. */
  readonly to?: Date | number | string;
  /** `next` of the page before. */
  readonly cursor?: string;
  /** Integer 1 to 500. @default 50 */
  readonly limit?: number;
}

/** Newest first. */
export interface AuditPage {
  readonly entries: readonly StoredEntry[];
  /** The `cursor` of the next page; absent on the last one. */
  readonly next?: string;
}

/** A query that has been checked: what a store gets. */
export interface CheckedQuery {
  /** Only entries of this actor are visible; undefined for staff and the system. */
  readonly visibleTo: string | undefined;
  readonly kind: AuditKind | undefined;
  readonly actor: string | undefined;
  readonly action: { readonly name: string; readonly prefix: boolean } | undefined;
  readonly outcome: AuditOutcome | undefined;
  readonly target: { readonly type: string; readonly id?: string } | undefined;
  readonly requestId: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly before: string | undefined;
  readonly limit: number;
}

const FIELDS = new Set([
  'viewer',
  'kind',
  'actor',
  'action',
  'outcome',
  'target',
  'requestId',
  'from',
  'to',
  'cursor',
  'limit',
]);

/** @throws E_AUDIT_QUERY_INVALID for filters, which come from clients; TypeError without a viewer, which never does */
export function checkQuery(query: AuditQuery): CheckedQuery {
  for (const field of Object.keys(query)) if (!FIELDS.has(field)) throw invalid(field);
  const { viewer, kind, actor, action, outcome, target, requestId, from, to, cursor, limit = 50 } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw invalid('limit');
  if (cursor !== undefined && !(typeof cursor === 'string' && /^[1-9]\d{0,17}$/.test(cursor))) {
    throw invalid('cursor');
  }
  if (kind !== undefined && !KINDS.includes(kind)) throw invalid('kind');
  if (outcome !== undefined && !OUTCOMES.includes(outcome)) throw invalid('outcome');
  if (target !== undefined) {
    text(target.type, 'target.type');
    text(target.id, 'target.id');
  }
  return {
    visibleTo: visibleTo(viewer),
    kind,
    actor: text(actor, 'actor'),
    action: actionFilter(action),
    outcome,
    target,
    requestId: text(requestId, 'requestId'),
    from: time(from, 'from'),
    to: time(to, 'to'),
    before: cursor,
    limit,
  };
}

function visibleTo(viewer: AuditViewer): string | undefined {
  if (viewer === 'system') return undefined;
  if (typeof viewer !== 'object' || viewer === null || typeof viewer.id !== 'string' || viewer.id === '') {
    throw new TypeError("query() needs viewer: { id, staff } or 'system'.");
  }
  // Anything but true, such as the string 'false' of a careless caller, sees its own entries only.
  const staff: unknown = viewer.staff;
  return staff === true ? undefined : viewer.id;
}

function actionFilter(action: unknown): CheckedQuery['action'] {
  if (action === undefined) return undefined;
  if (typeof action !== 'string' || !/^[a-z][a-z0-9.-]{0,199}(?:\.\*)?$/.test(action))
    throw invalid('action');
  return action.endsWith('.*')
    ? { name: action.slice(0, -1), prefix: true }
    : { name: action, prefix: false };
}

function text(value: unknown, field: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > 512 || value.includes('\0') || !value.isWellFormed()) {
    throw invalid(field);
  }
  return value;
}

const OLDEST = Date.UTC(1970, 0, 1);
const NEWEST = Date.UTC(9999, 11, 31);

function time(value: unknown, field: string): string | undefined {
  if (value === undefined) return undefined;
  const at =
    value instanceof Date || typeof value === 'number' || typeof value === 'string'
      ? new Date(value)
      : undefined;
  const ms = at?.getTime() ?? Number.NaN;
  // Within these years ISO texts sort like their times.
  if (!(ms >= OLDEST && ms <= NEWEST)) throw invalid(field);
  return new Date(ms).toISOString();
}

function invalid(field: string): Error {
  return errors.E_AUDIT_QUERY_INVALID({ message: `The filter of the audit log is not valid: ${field}.` });
}
