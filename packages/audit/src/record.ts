import { createHash } from 'node:crypto';
import {
  isAuthenticated,
  type AnonymousPrincipal,
  type Clock,
  type Principal,
  type Random,
  type SecurityRequest,
} from '@portcullis/core';
import type { Redactor } from '@portcullis/redact';
import { canonicalJson } from './canonical-json.js';
import { cleaned, isClean } from './clean-text.js';
import {
  OUTCOMES,
  toDraft,
  type AuditActor,
  type AuditChange,
  type AuditEntry,
  type AuditKind,
  type AuditOutcome,
  type AuditRequestContext,
  type AuditTarget,
  type DraftBody,
} from './entry.js';
import type { People } from './people/people.js';
import { pathOf, traceOf } from './request-facts.js';
import type { SealedValue } from './store.js';

/** What the app says about an action. */
export interface AuditRecord {
  /** What happened, such as `book.created`: words of lower-case letters, digits and `-`, joined by dots. */
  readonly action: string;
  readonly outcome: AuditOutcome;
  /** Who did it. @default the principal of `request`, else the system */
  readonly actor?: Principal | AnonymousPrincipal | 'system';
  /** What it was done to. */
  readonly target?: AuditTarget;
  /** Why it was done, or refused. */
  readonly reason?: string;
  readonly change?: AuditChange;
  /** Facts of your own. They are kept under `data` and cannot replace any other field. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** The request in whose course it happens: id, address, method, path, trace and session are taken from it. */
  readonly request?: SecurityRequest;
}

/** An entry on its way to a chain. */
export interface PreparedEntry {
  readonly id: string;
  readonly kind: AuditKind;
  readonly action: string;
  /** Canonical JSON of what was said; the chain adds the place. */
  readonly draft: string;
  /** Personal values that stand in it as commitments. */
  readonly sealed?: readonly SealedValue[];
}

export interface RecordDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly redactor: Pick<Redactor, 'redact'>;
  readonly maxEntryBytes: number;
  /** Takes personal values out; undefined: they stay. */
  readonly people?: People | undefined;
}

const ACTION = /^[a-z][a-z0-9-]{0,31}(?:\.[a-z0-9][a-z0-9-]{0,31}){1,5}$/;
const TYPE = /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/;
const MAX_ID = 512;
const KNOWN = new Set(['action', 'outcome', 'actor', 'target', 'reason', 'change', 'data', 'request']);

/**
 * Checks what the app says, removes secrets and makes the canonical text.
 * @throws TypeError for a record that is not well-formed: a mistake of the program
 */
export function prepareRecord(record: AuditRecord, deps: RecordDeps): PreparedEntry {
  for (const name of Object.keys(record)) {
    if (!KNOWN.has(name)) throw new TypeError(`An audit record has no field "${name}". Put it under data.`);
  }
  const { action, outcome, actor, target, reason, change, data, request } = record;
  if (typeof action !== 'string' || !ACTION.test(action)) {
    throw new TypeError("An audit record needs an action such as 'book.created'.");
  }
  if (!OUTCOMES.includes(outcome)) throw new TypeError(`outcome must be one of ${OUTCOMES.join(', ')}.`);
  if (target !== undefined && !TYPE.test(target.type)) {
    throw new TypeError("target.type must be a name such as 'book'.");
  }
  if (target?.id !== undefined && typeof target.id !== 'string') {
    throw new TypeError('target.id must be a string.');
  }
  const principal = actor ?? request?.security?.principal ?? 'system';
  return prepare(
    {
      kind: 'action',
      action,
      outcome,
      actor: actorOf(principal),
      target: target && { type: target.type, id: target.id },
      reason,
      change: change && { before: change.before, after: change.after },
      data,
      context: request ? contextOf(request, principal) : {},
    },
    deps,
  );
}

/** What an entry is made of before secrets are removed; `undefined` means absent. */
export type EntryDraft = Pick<AuditEntry, 'kind' | 'action' | 'outcome' | 'actor'> & {
  readonly target?: { readonly type: string; readonly id: string | undefined } | undefined;
  readonly reason?: string | undefined;
  readonly change?: AuditChange | undefined;
  readonly data?: unknown;
  readonly context: { readonly [K in keyof AuditRequestContext]: AuditRequestContext[K] | undefined };
};

export function prepare(draft: EntryDraft, deps: RecordDeps): PreparedEntry {
  const { kind, action, outcome, actor, target, reason, change, data, context } = draft;
  // Reserved fields are written by us and not redacted; everything that callers and clients can fill is, in one go, so
  // that a secret seen in one place is masked in all.
  const { path, agent, ...facts } = context;
  const open = deps.redactor.redact({
    targetId: target?.id === undefined ? undefined : target.id.slice(0, MAX_ID),
    reason,
    change,
    data,
    path,
    agent,
  }) as {
    targetId?: string;
    reason?: string;
    change?: AuditChange;
    data?: unknown;
    path?: string;
    agent?: string;
  };

  const entry = {
    id: deps.random.uuid(),
    time: new Date(deps.clock.now()).toISOString(),
    kind,
    action,
    outcome,
    actor,
    target: target && { type: target.type, id: open.targetId },
    reason: open.reason,
    change: open.change,
    data: open.data,
    context: { ...facts, path: open.path, agent: open.agent },
  } as AuditEntry;
  return fitted(entry, deps);
}

/** An entry that is too large loses its change and data, and says so, rather than being refused. */
function fitted(entry: AuditEntry, { maxEntryBytes: maxBytes, people }: RecordDeps): PreparedEntry {
  const whole = written(toDraft(entry), people);
  const bytes = Buffer.byteLength(whole.draft);
  if (bytes <= maxBytes) return whole;
  const { change, data, ...rest } = entry;
  const mark = `[Truncated:${bytes} bytes]`;
  const shorter: AuditEntry = {
    ...rest,
    ...(change === undefined ? {} : { change: { after: mark } }),
    ...(data === undefined ? {} : { data: { truncated: mark } }),
  };
  return written(toDraft(shorter), people);
}

/** The canonical text of a draft, with personal values taken out of it. */
export function written(draft: DraftBody, people: People | undefined): PreparedEntry {
  const { id, k, e } = draft;
  const about = { id, kind: k, action: e.type };
  if (!people) return { ...about, draft: draftText(draft) };
  const { draft: rest, sealed } = people.seal(draft);
  return { ...about, draft: draftText(rest), ...(sealed.length > 0 ? { sealed } : {}) };
}

/** Most entries are clean; only the others are walked through a second time. */
function draftText(draft: DraftBody): string {
  try {
    const text = canonicalJson(draft);
    if (isClean(text)) return text;
  } catch {
    // A lone surrogate.
  }
  return canonicalJson(cleaned(draft));
}

export function actorOf(principal: Principal | AnonymousPrincipal | 'system'): AuditActor {
  if (principal === 'system') return { kind: 'system' };
  if (!isAuthenticated(principal)) return { kind: 'anonymous' };
  const { id, kind, tenant, actor } = principal;
  return {
    kind,
    id: id.slice(0, MAX_ID),
    ...(tenant === undefined ? {} : { tenant: tenant.slice(0, MAX_ID) }),
    ...(actor === undefined ? {} : { by: actor.id.slice(0, MAX_ID) }),
  };
}

export function contextOf(
  request: SecurityRequest,
  principal: Principal | AnonymousPrincipal | 'system',
): EntryDraft['context'] {
  const security = request.security;
  return {
    requestId: security?.requestId,
    trace: traceOf(request),
    session: principal === 'system' ? undefined : sessionOf(principal),
    method: request.method,
    path: pathOf(request),
    address: addressOf(request),
  };
}

/** Without `context()` there is no trustworthy address, and none is better than a wrong one. */
export function addressOf(request: SecurityRequest): string | undefined {
  try {
    return request.security?.address.ip;
  } catch {
    return undefined;
  }
}

export function sessionOf(principal: Principal | AnonymousPrincipal): string | undefined {
  if (!isAuthenticated(principal) || principal.sessionId === undefined) return undefined;
  return createHash('sha256').update(principal.sessionId).digest('base64url').slice(0, 22);
}
