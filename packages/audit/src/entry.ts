/** How it ended. `denied`: by a guard (401, 403, 429). `aborted`: the client went away before the answer was sent. */
export const OUTCOMES = ['success', 'failure', 'denied', 'error', 'aborted'] as const;
export type AuditOutcome = (typeof OUTCOMES)[number];

export const KINDS = ['action', 'request', 'log'] as const;
/**
 * `action`: the app said what happened (`record`). `request`: one per request (`accessLog`). `log`: what the log says about
 * itself, such as a writer's keys; found only when asked for.
 */
export type AuditKind = (typeof KINDS)[number];

export interface AuditActor {
  readonly kind: 'user' | 'service' | 'api-key' | 'anonymous' | 'system';
  readonly id?: string;
  readonly tenant?: string;
  /** Who really acted, when one acts for another (RFC 8693 `act`). */
  readonly by?: string;
}

export interface AuditTarget {
  /** Such as `book`. */
  readonly type: string;
  readonly id?: string;
}

/** What changed. Secrets are removed; keep both small: the changed fields, not the whole object. */
export interface AuditChange {
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The request in whose course it happened. */
export interface AuditRequestContext {
  readonly requestId?: string;
  /** Trace id of a W3C `traceparent`. */
  readonly trace?: string;
  /** SHA-256 of the session's id, shortened: tells sessions apart without letting anybody in. */
  readonly session?: string;
  readonly method?: string;
  /** Without its query. */
  readonly path?: string;
  /** The route's pattern, such as `/books/:id`. */
  readonly route?: string;
  /** Absent if no status line was sent. */
  readonly status?: number;
  readonly durationMs?: number;
  readonly address?: string;
  readonly agent?: string;
}

/** One entry, as it was stored. */
export interface AuditEntry {
  readonly id: string;
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly kind: AuditKind;
  readonly action: string;
  readonly outcome: AuditOutcome;
  readonly actor: AuditActor;
  readonly target?: AuditTarget;
  readonly reason?: string;
  readonly change?: AuditChange;
  /** The caller's own facts. Nothing in here can replace a field above. */
  readonly data?: unknown;
  readonly context: AuditRequestContext;
}

/** An entry with its place in the log and the bytes that hold it. */
export interface StoredEntry extends AuditEntry {
  /** Grows with every entry of the store; gaps are normal. A decimal integer. */
  readonly seq: string;
  /** The writer whose chain it stands in, and its number there, from 0 without gaps. */
  readonly writer: string;
  readonly number: number;
  /** Canonical JSON (RFC 8785), exactly as stored and hashed. */
  readonly body: string;
}

/** What was said, before it has a place in a chain. Short names, because every entry carries them. */
export interface DraftBody {
  readonly c: AuditRequestContext;
  readonly e: Omit<AuditEntry, 'id' | 'time' | 'kind' | 'context' | 'action'> & { readonly type: string };
  readonly id: string;
  readonly k: AuditKind;
  readonly t: string;
}

/** The stored form: the draft, the log's origin, the writer, the number in its chain and the leaf hash before it. */
export interface Body extends DraftBody {
  readonly log: string;
  readonly n: number;
  readonly p: string;
  readonly v: 1;
  readonly w: string;
}

export function toDraft(entry: AuditEntry): DraftBody {
  const { id, time, kind, context, action, ...event } = entry;
  return { c: context, e: { type: action, ...event }, id, k: kind, t: time };
}

export function fromDraft({ id, t, k, e, c }: DraftBody): AuditEntry {
  const { type, ...event } = e;
  return { id, time: t, kind: k, action: type, ...event, context: c };
}

/** @throws if the text is no body of an entry */
export function fromBody(text: string, seq: string): StoredEntry {
  const body = JSON.parse(text) as Body;
  return { seq, writer: body.w, number: body.n, ...fromDraft(body), body: text };
}
