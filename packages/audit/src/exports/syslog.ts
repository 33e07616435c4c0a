import { sentence, syslogSeverity, text, type Exported } from './facts.js';

/** Facility 13, "log audit". */
const FACILITY = 13;
const BOM = '\ufeff';

/**
 * A message of RFC 5424: what happened as structured data and as a sentence, one line without its end.
 * How messages are framed (RFC 6587, RFC 5425) is the transport's matter.
 */
export function syslogLine(one: Exported): string {
  const { entry, owasp, settings } = one;
  const { actor, target, context } = entry;
  const parameters = [
    ['id', entry.id],
    ['kind', entry.kind],
    ['action', entry.action],
    ['outcome', entry.outcome],
    ['actorKind', actor.kind],
    ['actor', text(actor.id)],
    ['tenant', text(actor.tenant)],
    ['by', text(actor.by)],
    ['targetType', target?.type],
    ['target', text(target?.id)],
    ['reason', text(entry.reason)],
    ['request', context.requestId],
    ['trace', context.trace],
    ['session', context.session],
    ['method', context.method],
    ['path', text(context.path)],
    ['route', context.route],
    ['status', context.status],
    ['durationMs', context.durationMs],
    ['address', text(context.address)],
    ['agent', text(context.agent)],
    ['owasp', owasp],
    ['change', json(entry.change)],
    ['data', json(entry.data)],
  ];
  const data = parameters.flatMap(([name, value]) =>
    value === undefined ? [] : [`${String(name)}="${parameter(String(value))}"`],
  );
  const priority = FACILITY * 8 + syslogSeverity(one);
  const header = [
    `<${priority}>1`,
    entry.time,
    printable(settings.host, 255),
    printable(settings.app, 48),
    '-',
    printable(entry.action, 32),
  ];
  return `${header.join(' ')} [audit@${settings.enterprise} ${data.join(' ')}] ${BOM}${sentence(entry)}`;
}

/** Section 6.3.3: these three, and nothing else, are escaped. */
function parameter(value: string): string {
  return value.replace(/["\\\]]/g, '\\$&');
}

/** Header fields are PRINTUSASCII without space, or the NILVALUE. */
function printable(value: string, max: number): string {
  return value.replace(/[^!-~]/g, '_').slice(0, max) || '-';
}

function json(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}
