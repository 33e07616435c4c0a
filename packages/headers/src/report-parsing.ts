import { parseUrl } from '@portcullis/core';
/** What a browser reports, cut down to what helps: no query strings, no fragments, no sample of the page unless asked for. */
export interface ReportedViolation {
  readonly report: ReportType;
  /** What was violated: a CSP directive, a browser feature, `coop`, `coep`, or the id of a deprecation. */
  readonly rule: string;
  /** `'report'` is a policy that is only tried. */
  readonly disposition: 'enforce' | 'report';
  /** Origin and path of the page. */
  readonly page: string;
  /** What was stopped: origin and path, or a keyword such as `inline`, `eval`, `data`. */
  readonly blocked?: string;
  /** The file that asked for it. */
  readonly source?: string;
  readonly line?: number;
  readonly column?: number;
  /** The first characters of the script or style; only with `samples: true`. */
  readonly sample?: string;
}

const TYPES = [
  'csp-violation',
  'permissions-policy-violation',
  'document-policy-violation',
  'integrity-violation',
  'coop',
  'coep',
  'deprecation',
  'intervention',
  'crash',
] as const;

export type ReportType = (typeof TYPES)[number];

export interface ReportRules {
  /** Whether a page of this origin may be what a report is about. */
  readonly isOwn: (origin: string) => boolean;
  readonly samples: boolean;
  readonly maxReports: number;
}

export interface ParsedReports {
  readonly reports: readonly ReportedViolation[];
  /** Entries that are no report, about another site's page, or beyond `maxReports`. */
  readonly ignored: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads the body of one delivery; undefined if it is not even a list of reports. */
export function parseReports(
  body: unknown,
  format: 'csp-report' | 'reports+json',
  rules: ReportRules,
): ParsedReports | undefined {
  const entries = format === 'csp-report' ? legacyEntry(body) : Array.isArray(body) ? body : undefined;
  if (!entries) return undefined;
  const reports: ReportedViolation[] = [];
  for (const entry of entries.slice(0, rules.maxReports) as readonly unknown[]) {
    const report = isFields(entry) ? readReport(entry, rules) : undefined;
    if (report) reports.push(report);
  }
  return { reports, ignored: entries.length - reports.length };
}

/** The older form has one report per request, and its own names (CSP Level 2). */
function legacyEntry(body: unknown): readonly unknown[] | undefined {
  const given = isFields(body) ? own(body, 'csp-report') : undefined;
  if (!isFields(given)) return undefined;
  return [
    {
      type: 'csp-violation',
      url: own(given, 'document-uri'),
      body: {
        documentURL: own(given, 'document-uri'),
        effectiveDirective: own(given, 'effective-directive') ?? own(given, 'violated-directive'),
        blockedURL: own(given, 'blocked-uri'),
        sourceFile: own(given, 'source-file'),
        lineNumber: own(given, 'line-number'),
        columnNumber: own(given, 'column-number'),
        disposition: own(given, 'disposition'),
        sample: own(given, 'script-sample'),
      },
    },
  ];
}

function readReport(entry: Fields, { isOwn, samples }: ReportRules): ReportedViolation | undefined {
  const type = own(entry, 'type');
  const body = own(entry, 'body');
  if (!isReportType(type) || !isFields(body)) return undefined;
  const page = place(own(body, 'documentURL') ?? own(entry, 'url'));
  if (!page?.origin || !isOwn(page.origin)) return undefined;
  const rule = ruleOf(type, body);
  if (rule === undefined) return undefined;
  const sample = samples ? text(own(body, 'sample'), 40) : undefined;
  return {
    report: type,
    rule,
    disposition: dispositionOf(body),
    page: page.text,
    ...defined('blocked', place(own(body, 'blockedURL') ?? own(body, 'openeeURL'))?.text),
    ...defined('source', place(own(body, 'sourceFile'))?.text),
    ...defined('line', count(own(body, 'lineNumber'))),
    ...defined('column', count(own(body, 'columnNumber'))),
    ...defined('sample', sample),
  };
}

const isReportType = (value: unknown): value is ReportType => (TYPES as readonly unknown[]).includes(value);

/** Names of directives, features and deprecations; anything else is no report of a browser. */
const RULE = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;

function ruleOf(type: ReportType, body: Fields): string | undefined {
  if (type === 'coop' || type === 'coep') {
    const kind = text(own(body, 'type'), 64);
    return kind !== undefined && RULE.test(kind) ? `${type}/${kind}` : type;
  }
  const given =
    own(body, 'effectiveDirective') ?? own(body, 'featureId') ?? own(body, 'policyId') ?? own(body, 'id');
  // Firefox once sent the directive with its sources.
  const name = typeof given === 'string' ? given.split(' ', 1)[0] : undefined;
  if (name !== undefined) return RULE.test(name) ? name : undefined;
  return type === 'crash' || type === 'integrity-violation' ? type : undefined;
}

function dispositionOf(body: Fields): 'enforce' | 'report' {
  const given = own(body, 'disposition');
  return given === 'report' || given === 'reporting' ? 'report' : 'enforce';
}

const KEYWORD = /^[a-z][a-z0-9-]{0,31}$/;

/** Origin and path of an address, without user names, query and fragment, which may carry secrets; or one of the keywords. */
function place(value: unknown): { readonly text: string; readonly origin?: string } | undefined {
  if (typeof value !== 'string' || value === '' || value.length > 8192) return undefined;
  if (KEYWORD.test(value)) return { text: value };
  const url = parseUrl(value);
  if (!url) return undefined;
  if (url.protocol !== 'https:' && url.protocol !== 'http:' && url.protocol !== 'wss:') {
    return { text: url.protocol.slice(0, -1) };
  }
  return { text: `${url.origin}${url.pathname}`.slice(0, 512), origin: url.origin };
}

function text(value: unknown, max: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  // Reports end up in logs: one line, no escape sequences.
  // oxlint-disable-next-line no-control-regex -- control characters are the subject
  return value.slice(0, max).replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
