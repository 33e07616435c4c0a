import { sentence, syslogSeverity, text, type Exported } from './facts.js';

/** Syslog severity 0 to 7 as one of CEF's 0 to 10. */
const SEVERITY = [10, 10, 9, 8, 6, 4, 3, 1] as const;

/** ArcSight Common Event Format, version 0: one line, with pipes, equal signs and backslashes escaped where they count. */
export function cefLine(one: Exported): string {
  const { entry, owasp, settings } = one;
  const { actor, target, context } = entry;
  const header = [
    'CEF:0',
    'Portcullis',
    settings.app,
    '1',
    entry.action,
    sentence(entry),
    String(SEVERITY[syslogSeverity(one)]),
  ];
  const custom: [label: string, value: string | undefined][] = [
    ['actorKind', actor.kind],
    ['tenant', text(actor.tenant)],
    ['target', target && (text(target.id) === undefined ? target.type : `${target.type}/${target.id}`)],
    ['session', context.session],
    ['trace', context.trace],
    ['owasp', owasp],
  ];
  const extension: [key: string, value: string | number | undefined][] = [
    ['externalId', entry.id],
    ['rt', Date.parse(entry.time)],
    ['cat', entry.kind],
    ['act', entry.action],
    ['outcome', entry.outcome],
    ['reason', text(entry.reason)],
    ['suid', text(actor.id)],
    ['src', ipv4(text(context.address))],
    ['c6a2', ipv6(text(context.address))],
    ['c6a2Label', ipv6(text(context.address)) && 'Source IPv6 Address'],
    ['requestMethod', context.method],
    ['request', text(context.path)],
    ['requestClientApplication', text(context.agent)],
    ['requestContext', context.requestId],
    ['cn1', context.status],
    ['cn1Label', context.status && 'status'],
    ['cn2', context.durationMs],
    ['cn2Label', context.durationMs === undefined ? undefined : 'durationMs'],
    ['dhost', settings.host === '-' ? undefined : settings.host],
    ...custom.flatMap(([label, value], i): [string, string | undefined][] =>
      value === undefined
        ? []
        : [
            [`cs${i + 1}`, value],
            [`cs${i + 1}Label`, label],
          ],
    ),
    ['msg', details(entry)],
  ];
  const pairs = extension.flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${String(value).replace(/[\\=]/g, '\\$&')}`],
  );
  return `${header.map((field) => field.replace(/[\\|]/g, '\\$&')).join('|')}|${pairs.join(' ')}`;
}

function details({ change, data }: Exported['entry']): string | undefined {
  return change === undefined && data === undefined ? undefined : JSON.stringify({ change, data });
}

function ipv4(address: string | undefined): string | undefined {
  return address?.includes(':') === false ? address : undefined;
}

function ipv6(address: string | undefined): string | undefined {
  return address?.includes(':') ? address : undefined;
}
