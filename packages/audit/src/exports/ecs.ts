import { compact, sentence, text, type Exported } from './facts.js';

const VERSION = '8.17.0';

/** Elastic Common Schema: https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html */
export function ecsEvent({ entry, words, owasp, settings }: Exported): Record<string, unknown> {
  const { actor, target, context } = entry;
  return compact({
    '@timestamp': entry.time,
    ecs: { version: VERSION },
    message: sentence(entry),
    log: { level: words.level },
    event: compact({
      id: entry.id,
      kind: 'event',
      action: entry.action,
      category: [categoryOf(entry.kind, words.ocsf?.[0])],
      type: [typeOf(entry.action, entry.outcome)],
      outcome: outcomeOf(entry.outcome),
      reason: text(entry.reason),
      // Nanoseconds.
      duration: context.durationMs === undefined ? undefined : context.durationMs * 1e6,
      provider: 'portcullis',
      module: 'audit',
    }),
    service: { name: settings.app },
    host: settings.host === '-' ? undefined : { name: settings.host },
    user:
      text(actor.id) === undefined
        ? undefined
        : compact({ id: actor.id, effective: text(actor.by) && { id: actor.id } }),
    organization: text(actor.tenant) === undefined ? undefined : { id: actor.tenant },
    source: text(context.address) === undefined ? undefined : { ip: context.address },
    http:
      context.method === undefined
        ? undefined
        : compact({
            request: compact({ method: context.method, id: context.requestId }),
            response: context.status === undefined ? undefined : { status_code: context.status },
          }),
    url: text(context.path) === undefined ? undefined : { path: context.path },
    user_agent: text(context.agent) === undefined ? undefined : { original: context.agent },
    trace: context.trace === undefined ? undefined : { id: context.trace },
    // What ECS has no field for stands under a name of its own, as ECS asks for.
    portcullis: compact({
      kind: entry.kind,
      outcome: entry.outcome,
      actor,
      target,
      session: context.session,
      route: context.route,
      owasp,
      change: entry.change,
      data: entry.data,
    }),
  });
}

function categoryOf(kind: string, ocsf: string | undefined): string {
  if (kind === 'request') return 'web';
  if (ocsf === 'authentication') return 'authentication';
  return ocsf === 'account' || ocsf === 'access' ? 'iam' : ocsf === 'application' ? 'process' : 'database';
}

const TYPES: Readonly<Record<string, string>> = {
  created: 'creation',
  read: 'access',
  updated: 'change',
  deleted: 'deletion',
  granted: 'change',
  revoked: 'change',
};

function typeOf(action: string, outcome: string): string {
  if (outcome === 'denied') return 'denied';
  if (outcome === 'error') return 'error';
  const word = action.slice(action.lastIndexOf('.') + 1);
  return Object.hasOwn(TYPES, word) ? TYPES[word]! : 'info';
}

function outcomeOf(outcome: string): string {
  if (outcome === 'success') return 'success';
  return outcome === 'aborted' ? 'unknown' : 'failure';
}
