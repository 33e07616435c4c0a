import type { AuditEntry } from '../entry.js';
import { compact, sentence, text, type Exported } from './facts.js';
import type { OcsfKind } from './vocabulary.js';

/** The newest release that knows everything used here (activity 9 of HTTP activity, since 1.6). */
const VERSION = '1.6.0';

interface OcsfClass {
  readonly category: number;
  readonly uid: number;
}

const HTTP: OcsfClass = { category: 4, uid: 4002 };
const ENTITY: OcsfClass = { category: 3, uid: 3004 };
const CLASSES: Readonly<Record<OcsfKind, OcsfClass>> = {
  authentication: { category: 3, uid: 3002 },
  account: { category: 3, uid: 3001 },
  access: { category: 3, uid: 3005 },
  application: { category: 6, uid: 6002 },
};

const OTHER = 99;
const METHODS: Readonly<Record<string, number>> = {
  CONNECT: 1,
  DELETE: 2,
  GET: 3,
  HEAD: 4,
  OPTIONS: 5,
  POST: 6,
  PUT: 7,
  TRACE: 8,
  PATCH: 9,
};
const ENTITY_WORDS: Readonly<Record<string, number>> = { created: 1, read: 2, updated: 3, deleted: 4 };

/** An event of the Open Cybersecurity Schema Framework. What it has no attribute for stands under `unmapped`. */
export function ocsfEvent(one: Exported): Record<string, unknown> {
  const { entry } = one;
  if (entry.kind === 'request') return httpActivity(one);
  const [kind, activity] = one.words.ocsf ?? [];
  if (kind === undefined || activity === undefined) return entityManagement(one);
  const base = event(one, CLASSES[kind], activity);
  const service = { name: one.settings.app };
  if (kind === 'application') return { ...base, app: service };
  const about = { ...base, ...endpoint(entry) };
  if (kind === 'authentication') return { ...about, service, user: subject(entry) };
  if (kind === 'account') return { ...about, user: subject(entry) };
  return { ...about, user: subject(entry), privileges: privileges(entry) };
}

function httpActivity(one: Exported): Record<string, unknown> {
  const { entry } = one;
  const { method = '', path, agent, requestId, status, durationMs } = entry.context;
  return compact({
    ...event(one, HTTP, Object.hasOwn(METHODS, method) ? METHODS[method]! : OTHER),
    ...endpoint(entry),
    http_request: compact({
      http_method: text(method),
      uid: requestId,
      url: text(path) === undefined ? undefined : { path },
      user_agent: text(agent),
    }),
    http_response: status === undefined ? undefined : compact({ code: status, latency: durationMs }),
    duration: durationMs,
  });
}

function entityManagement(one: Exported): Record<string, unknown> {
  const { entry } = one;
  const word = entry.action.slice(entry.action.lastIndexOf('.') + 1);
  const { type = entry.action.slice(0, entry.action.indexOf('.')), id } = entry.target ?? {};
  return compact({
    ...event(one, ENTITY, Object.hasOwn(ENTITY_WORDS, word) ? ENTITY_WORDS[word]! : OTHER),
    ...endpoint(entry),
    entity: compact({ name: type, type, uid: text(id), data: entry.change?.before }),
    entity_result: entry.change?.after === undefined ? undefined : { name: type, data: entry.change.after },
    comment: text(entry.reason),
  });
}

function event(one: Exported, { category, uid }: OcsfClass, activity: number): Record<string, unknown> {
  const { entry, owasp, settings } = one;
  const { actor, target, context } = entry;
  return compact({
    activity_id: activity,
    ...(activity === OTHER ? { activity_name: entry.action } : {}),
    category_uid: category,
    class_uid: uid,
    type_uid: uid * 100 + activity,
    severity_id: severityOf(one),
    status_id: entry.outcome === 'success' ? 1 : entry.outcome === 'aborted' ? OTHER : 2,
    status: entry.outcome,
    status_detail: text(entry.reason),
    time: Date.parse(entry.time),
    message: sentence(entry),
    actor: actorOf(one),
    metadata: compact({
      version: VERSION,
      uid: entry.id,
      event_code: entry.action,
      correlation_uid: context.requestId,
      log_name: 'audit',
      labels: owasp === undefined ? undefined : [`owasp:${owasp}`],
      product: { name: settings.app, vendor_name: 'Portcullis' },
      tenant_uid: text(actor.tenant),
    }),
    unmapped: compact({
      kind: entry.kind,
      actor,
      target,
      route: context.route,
      trace: context.trace,
      change: entry.change,
      data: entry.data,
    }),
  });
}

/** Somebody must stand there: a user, or the app itself. */
function actorOf({ entry: { actor, context }, settings }: Exported): Record<string, unknown> {
  const id = text(actor.id);
  return compact({
    app_name: settings.app,
    user: id === undefined ? undefined : { uid: id, name: id, type: actor.kind, type_id: OTHER },
    session: context.session === undefined ? undefined : { uid: context.session },
    invoked_by: text(actor.by),
  });
}

/** Whose account it is about: the target if it is a person's, else who did it. */
function subject({ actor, target }: AuditEntry): Record<string, unknown> {
  const id = text(target?.id) ?? text(actor.id);
  return id === undefined ? { name: 'unknown' } : { uid: id, name: id };
}

function privileges({ data, action }: AuditEntry): string[] {
  const { role, what } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  return [text(what) ?? text(role) ?? action];
}

function endpoint({ context }: AuditEntry): Record<string, unknown> {
  const ip = text(context.address);
  return ip === undefined ? {} : { src_endpoint: { ip } };
}

/** 1 informational, 2 low, 3 medium, 4 high, 5 critical. */
function severityOf({ entry, words }: Exported): number {
  if (words.level === 'critical') return 5;
  if (entry.outcome === 'error') return 4;
  if (entry.outcome === 'denied' || entry.outcome === 'failure') return 3;
  return words.level === 'warn' ? 2 : 1;
}
