import type { ServerResponse } from 'node:http';
import helmet from 'helmet';
import { NONCE_SOURCE } from './csp-sources.js';
import type { CspPolicies, CspPolicy } from './csp.js';
import { record, type HeaderLine } from './recorder.js';

/** Without `unsafe-url` and `no-referrer-when-downgrade`, which tell other sites full addresses. */
export type ReferrerPolicy =
  | 'no-referrer'
  | 'same-origin'
  | 'origin'
  | 'strict-origin'
  | 'origin-when-cross-origin'
  | 'strict-origin-when-cross-origin';

/** The checked options of securityHeaders(), in the words of the headers. */
export interface HeaderValues {
  readonly csp: CspPolicies | false;
  /** `maxAge` in seconds. */
  readonly hsts:
    { readonly maxAge: number; readonly includeSubDomains: boolean; readonly preload: boolean } | false;
  readonly frame: 'deny' | 'sameorigin' | false;
  readonly referrerPolicy: ReferrerPolicy;
  readonly permissionsPolicy: string | false;
  readonly crossOriginOpenerPolicy:
    'same-origin' | 'same-origin-allow-popups' | 'noopener-allow-popups' | 'unsafe-none' | false;
  readonly crossOriginEmbedderPolicy: 'require-corp' | 'credentialless' | 'unsafe-none' | false;
  readonly crossOriginResourcePolicy: 'same-origin' | 'same-site' | 'cross-origin' | false;
  readonly crossOriginOpenerPolicyReportOnly: HeaderValues['crossOriginOpenerPolicy'];
  readonly crossOriginEmbedderPolicyReportOnly: HeaderValues['crossOriginEmbedderPolicy'];
  /** Where browsers send reports, as a path or an https address. */
  readonly reports: string | undefined;
  readonly noStore: boolean;
  readonly legacyXssProtection: boolean;
}

/** Headers ready to be written: constant ones, and policies cut where the nonce goes. */
export interface RenderedHeaders {
  readonly fixed: readonly HeaderLine[];
  readonly nonced: readonly (readonly [name: string, parts: readonly string[]])[];
  /** Instead of the bare policy that Express and its file server give to their own error pages and redirects. */
  readonly locked: string | undefined;
}

/**
 * The name that browsers also send deprecations, interventions and crashes to, without being asked to.
 * @see W3C Reporting API section 3.2
 */
export const REPORT_GROUP = 'default';

/** What finalhandler and serve-static write: it has no frame-ancestors, which default-src does not stand in for. */
export const BARE_POLICY = "default-src 'none'";

// Stands for the nonce while helmet renders; no option can contain it.
const MARK = '\u0000';

/** Lets helmet render every header once, and adds the ones it does not know. */
export function renderHeaders(values: HeaderValues, secure: boolean): RenderedHeaders {
  const { csp, hsts, frame } = values;
  const policy = <P extends string>(value: P | false): { policy: P } | false =>
    value === false ? false : { policy: value };
  const steps = [
    helmet({
      contentSecurityPolicy: csp !== false && {
        useDefaults: false,
        directives: directives(csp.enforced, secure),
      },
      strictTransportSecurity: secure && hsts,
      xFrameOptions: frame !== false && { action: frame },
      referrerPolicy: policy(values.referrerPolicy),
      crossOriginOpenerPolicy: policy(values.crossOriginOpenerPolicy),
      crossOriginEmbedderPolicy: policy(values.crossOriginEmbedderPolicy),
      crossOriginResourcePolicy: policy(values.crossOriginResourcePolicy),
    }),
  ];
  if (csp !== false && csp.reportOnly) {
    steps.push(
      helmet.contentSecurityPolicy({
        useDefaults: false,
        reportOnly: true,
        directives: directives(csp.reportOnly, secure),
      }),
    );
  }
  const lines = new Map(record(steps).lines);
  if (values.reports !== undefined) addReporting(lines, values.reports);
  for (const [name, value] of [
    ['Cross-Origin-Opener-Policy-Report-Only', values.crossOriginOpenerPolicyReportOnly],
    ['Cross-Origin-Embedder-Policy-Report-Only', values.crossOriginEmbedderPolicyReportOnly],
  ] as const) {
    if (value !== false) lines.set(name, reported(value, values.reports));
  }
  if (values.permissionsPolicy !== false) lines.set('Permissions-Policy', values.permissionsPolicy);
  if (values.legacyXssProtection) lines.set('X-XSS-Protection', '1; mode=block');
  if (values.noStore) lines.set('Cache-Control', 'no-store');

  const fixed = [...lines].filter(([, value]) => !value.includes(MARK));
  const nonced = [...lines]
    .filter(([, value]) => value.includes(MARK))
    .map(([name, value]) => [name, value.split(MARK)] as const);
  const enforced = lines.get('Content-Security-Policy');
  const locked =
    enforced === undefined || enforced === BARE_POLICY ? undefined : lockedPolicy(values.reports);
  return { fixed, nonced, locked };
}

function addReporting(lines: Map<string, string>, url: string): void {
  lines.set('Reporting-Endpoints', `${REPORT_GROUP}="${url}"`);
  for (const name of ['Cross-Origin-Opener-Policy', 'Cross-Origin-Embedder-Policy']) {
    const value = lines.get(name);
    if (value !== undefined && value !== 'unsafe-none') lines.set(name, reported(value, url));
  }
}

function reported(value: string, reports: string | undefined): string {
  return reports === undefined ? value : `${value}; report-to="${REPORT_GROUP}"`;
}

function lockedPolicy(reports: string | undefined): string {
  const policy = `${BARE_POLICY};base-uri 'none';form-action 'none';frame-ancestors 'none'`;
  return reports === undefined ? policy : `${policy};report-uri ${reports};report-to ${REPORT_GROUP}`;
}

export function writeHeaders(res: ServerResponse, headers: RenderedHeaders, nonce: string | undefined): void {
  for (const line of headers.fixed) res.setHeader(line[0], line[1]);
  // join() makes one flat text; adding up would leave a tree that is flattened later, and more to collect.
  for (const line of headers.nonced) res.setHeader(line[0], line[1].join(nonce));
}

/** For a response whose headers were cleared: what was replaced on the way stays replaced. */
export function writeMissing(res: ServerResponse, headers: RenderedHeaders, nonce: string | undefined): void {
  for (const [name, value] of headers.fixed) if (!res.hasHeader(name)) res.setHeader(name, value);
  for (const [name, parts] of headers.nonced) {
    if (!res.hasHeader(name)) res.setHeader(name, parts.join(nonce));
  }
}

/** Puts one set in the place of another that was written; what a handler has replaced or removed since then stays so. */
export function writeOver(
  res: ServerResponse,
  before: RenderedHeaders,
  after: RenderedHeaders,
  nonce: string | undefined,
): void {
  const written = linesOf(before, nonce);
  for (const [name, value] of linesOf(after, nonce)) {
    if (res.getHeader(name) === written.get(name)) res.setHeader(name, value);
  }
}

function linesOf({ fixed, nonced }: RenderedHeaders, nonce: string | undefined): Map<string, string> {
  return new Map([...fixed, ...nonced.map(([name, parts]) => [name, parts.join(nonce)] as const)]);
}

function directives(policy: CspPolicy, secure: boolean): Record<string, string[]> {
  const entries = [...policy].map(
    ([name, sources]) =>
      [name, sources.map((source) => (source === NONCE_SOURCE ? `'nonce-${MARK}'` : source))] as const,
  );
  // Over plain http it would send the browser to a TLS port that a development server does not have.
  return Object.fromEntries(entries.filter(([name]) => secure || name !== 'upgrade-insecure-requests'));
}
