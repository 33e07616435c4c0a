import {
  ALLOW,
  ensureContext,
  guard,
  isKnownSecure,
  noEvents,
  option,
  OptionError,
  optionConflict,
  readOptions,
  systemRandom,
  type Duration,
  type Events,
  type Middleware,
  type OptionReader,
  type Random,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { beforeHead, editFields } from './before-head.js';
import { cspReader, type CspOptions, type CspPolicies } from './csp.js';
import { keepPrivate } from './no-store.js';
import { createNonces } from './nonces.js';
import { permissionsPolicyReader, type PermissionsPolicy } from './permissions-policy.js';
import {
  BARE_POLICY,
  renderHeaders,
  REPORT_GROUP,
  writeHeaders,
  writeMissing,
  writeOver,
  type HeaderValues,
  type ReferrerPolicy,
  type RenderedHeaders,
} from './rendering.js';

declare module '@portcullis/core' {
  interface SecurityContext {
    /** The nonce of this response's Content-Security-Policy; only where the policy has one. Also `res.locals.cspNonce`. */
    cspNonce?: string;
  }
}

export type FramePolicy = 'deny' | 'sameorigin';

/** 31536000 or 63072000 seconds with subdomains; with `preload`, for the browsers' built-in list. */
export type HstsPreset = '1y' | '2y' | '1y-preload' | '2y-preload';

export interface HstsOptions {
  /** 0 makes browsers forget. */
  readonly maxAge: Duration;
  /** @default true */
  readonly includeSubDomains?: boolean;
  /** Ask to be built into browsers; hard to take back. Needs a year and subdomains. @default false */
  readonly preload?: boolean;
}

export interface SecurityHeadersOptions {
  /** `'web'` for pages: strict CSP with a nonce. `'api'` for data: CSP that allows nothing, `no-store`, `no-referrer`. */
  readonly profile: 'web' | 'api';
  /** `'self'` is exactly `default-src 'self'`. @default the profile's policy */
  readonly csp?: 'self' | CspOptions | false;
  /** Sent over TLS only (RFC 6797 section 7.2). @default '2y' */
  readonly hsts?: HstsPreset | HstsOptions | false;
  /** Who may show this in a frame: `X-Frame-Options` and, unless given there, `frame-ancestors` of the CSP. @default 'deny' */
  readonly frame?: FramePolicy;
  /** @default 'strict-origin-when-cross-origin' for web (with 'no-referrer' browsers send `Origin: null` for forms), 'no-referrer' for api */
  readonly referrerPolicy?: ReferrerPolicy;
  /** Replaces single features of the default, which denies nearly all. */
  readonly permissionsPolicy?: PermissionsPolicy | false;
  /** @default 'same-origin' */
  readonly crossOriginOpenerPolicy?:
    'same-origin' | 'same-origin-allow-popups' | 'noopener-allow-popups' | 'unsafe-none' | false;
  /** @default 'require-corp' */
  readonly crossOriginEmbedderPolicy?: 'require-corp' | 'credentialless' | 'unsafe-none' | false;
  /** @default 'same-origin' */
  readonly crossOriginResourcePolicy?: 'same-origin' | 'same-site' | 'cross-origin' | false;
  /** Tried beside the enforced one, and only reported. @default false */
  readonly crossOriginOpenerPolicyReportOnly?: SecurityHeadersOptions['crossOriginOpenerPolicy'];
  /** Tried beside the enforced one, and only reported. @default false */
  readonly crossOriginEmbedderPolicyReportOnly?: SecurityHeadersOptions['crossOriginEmbedderPolicy'];
  /**
   * Where browsers send reports: a path of this service, for `reportEndpoint()`, or an https address. Adds `Reporting-Endpoints`,
   * and `report-to` to CSP, COOP and COEP (with `report-uri` for browsers that do not know it). @default none
   */
  readonly reports?: string;
  /**
   * `Cache-Control: no-store` for every answer that says nothing else itself (`true`), or for those to somebody known, with
   * `Vary: Cookie, Authorization` for the others (`'authenticated'`). @default true for api, 'authenticated' for web
   */
  readonly noStore?: boolean | 'authenticated';
  /** Leave `res.jsonp()` as it is: any site can then read the answer by a script element. Otherwise it answers plain JSON. @default false */
  readonly dangerouslyAllowJsonp?: boolean;
  /** `X-XSS-Protection: 1; mode=block` where an old requirement asks for it; otherwise `0`, because the filter itself was a hole. @default false */
  readonly legacyXssProtection?: boolean;
  readonly random?: Random;
  readonly events?: Events;
}

/**
 * Writes the security headers of a response before any handler runs, so that every answer has them: errors, redirects, 304 and
 * unknown routes too. helmet and its checks run once, here; a request costs the writing and a nonce.
 * A handler may replace single headers. If something removes the set (an error path that clears headers), it is written again
 * before the head is sent; what tells the server's software is removed there too, as mounted sub-apps and upstreams add it late.
 * What Node answers before Express sees a request (a malformed one) has no headers of ours.
 * @throws OptionError
 * @see OWASP Secure Headers Project; W3C CSP3; RFC 6797
 */
export function securityHeaders(options: SecurityHeadersOptions): Middleware {
  const { profile, random, events, noStore, dangerouslyAllowJsonp: jsonp, ...rest } = read(options);
  const values = { ...rest, noStore: noStore === true };
  const plain = renderHeaders(values, false);
  const tls = renderHeaders(values, true);
  const nonce = plain.nonced.length > 0 ? createNonces(random) : undefined;
  const chance = { random };

  return guard('securityHeaders', { stage: 'posture', detail: profile, events }, (req, res) => {
    const headers = isKnownSecure(req) ? tls : plain;
    let own: string | undefined;
    if (nonce) {
      const security = ensureContext(req, chance);
      // Mounted twice (a stricter sub-app): one response, one nonce.
      own = security.cspNonce ??= nonce();
      (res.locals ??= {})['cspNonce'] = own;
    }
    writeHeaders(res, headers, own);
    if (!jsonp) withoutJsonp(res);
    keepUntilSent(req, res, { written: headers, tls }, own, noStore === 'authenticated');
    return ALLOW;
  });
}

/** What is left to do when the head is written; `whoMatters` if caching depends on who asked. */
function keepUntilSent(
  req: SecurityRequest,
  response: SecurityResponse,
  { written, tls }: { readonly written: RenderedHeaders; readonly tls: RenderedHeaders },
  nonce: string | undefined,
  whoMatters: boolean,
): void {
  beforeHead(response, (res, args) => {
    for (let i = 0; i < SERVER_TOKENS.length; i++) {
      const name = SERVER_TOKENS[i]!;
      if (res.hasHeader(name)) res.removeHeader(name); // Asking costs less than removing what is not there.
    }
    if (args.length > 1) editFields(args, withoutServerTokens);
    // context() may stand behind us, and it knows whether a proxy in front speaks TLS.
    const headers = written !== tls && isKnownSecure(req) ? tls : written;
    if (headers !== written) writeOver(res, written, headers, nonce);
    if (!res.hasHeader('x-content-type-options')) writeMissing(res, headers, nonce);
    else if (headers.locked !== undefined && res.getHeader(POLICY) === BARE_POLICY) {
      res.setHeader('Content-Security-Policy', headers.locked);
    }
    if (whoMatters) keepPrivate(req, res);
  });
}

// Lower case, as Node keeps them: nothing is left to convert on the way of every answer.
const POLICY = 'content-security-policy';

/** After OWASP's ci/headers_remove.json: what Node services and the servers behind a proxying one write. */
const SERVER_TOKENS = ['x-powered-by', 'server', 'x-aspnet-version', 'x-aspnetmvc-version', 'x-generator'];

function withoutServerTokens(name: string, value: unknown): unknown {
  return SERVER_TOKENS.includes(name.toLowerCase()) ? undefined : value;
}

/** Express's `res.jsonp()` answers any site's script element when the query names a callback. */
function withoutJsonp(res: SecurityResponse): void {
  const express = res as SecurityResponse & { json?: unknown; jsonp?: unknown };
  if (express.jsonp !== undefined) express.jsonp = express.json;
}

const HSTS_PRESETS = {
  '1y': { maxAge: '365d' },
  '2y': { maxAge: '730d' },
  '1y-preload': { maxAge: '365d', preload: true },
  '2y-preload': { maxAge: '730d', preload: true },
} as const satisfies Record<HstsPreset, HstsOptions>;

const YEAR_MS = 365 * 86_400_000;

const hstsReader: OptionReader<HeaderValues['hsts']> = (value = '2y', owner, path) => {
  if (value === false) return false;
  const given: unknown =
    typeof value === 'string'
      ? HSTS_PRESETS[option.oneOf(['1y', '2y', '1y-preload', '2y-preload'])(value, owner, path)]
      : value;
  const { maxAge, includeSubDomains, preload } = readOptions(
    owner,
    given,
    {
      maxAge: option.duration(),
      includeSubDomains: option.boolean(true),
      preload: option.boolean(false),
    },
    path,
  );
  if (preload && (maxAge < YEAR_MS || !includeSubDomains)) {
    optionConflict(
      owner,
      `${path}.preload`,
      `${path}.preload needs includeSubDomains and a maxAge of at least 365d`,
    );
  }
  return { maxAge: Math.floor(maxAge / 1000), includeSubDomains, preload };
};

function read(options: SecurityHeadersOptions): Omit<HeaderValues, 'noStore'> & {
  readonly noStore: boolean | 'authenticated';
  readonly dangerouslyAllowJsonp: boolean;
  readonly profile: 'web' | 'api';
  readonly random: Random;
  readonly events: Events;
} {
  const owner = 'securityHeaders';
  const api = options?.profile === 'api';
  const values = readOptions(owner, options, {
    profile: option.oneOf(['web', 'api']),
    csp: cspReader(api ? 'api' : 'web'),
    hsts: hstsReader,
    frame: option.optional(option.oneOf(['deny', 'sameorigin'])),
    referrerPolicy: option.oneOf(
      [
        'no-referrer',
        'same-origin',
        'origin',
        'strict-origin',
        'origin-when-cross-origin',
        'strict-origin-when-cross-origin',
      ],
      api ? 'no-referrer' : 'strict-origin-when-cross-origin',
    ),
    permissionsPolicy: permissionsPolicyReader,
    crossOriginOpenerPolicy: orFalse(option.oneOf(OPENER, 'same-origin')),
    crossOriginEmbedderPolicy: orFalse(option.oneOf(EMBEDDER, 'require-corp')),
    crossOriginResourcePolicy: orFalse(
      option.oneOf(['same-origin', 'same-site', 'cross-origin'], 'same-origin'),
    ),
    crossOriginOpenerPolicyReportOnly: offUnless(option.oneOf(OPENER)),
    crossOriginEmbedderPolicyReportOnly: offUnless(option.oneOf(EMBEDDER)),
    reports: option.optional(reportsReader),
    noStore: option.oneOf<boolean | 'authenticated'>(
      [true, false, 'authenticated'],
      api ? true : 'authenticated',
    ),
    dangerouslyAllowJsonp: option.boolean(false),
    legacyXssProtection: option.boolean(false),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const framed = framing(owner, values.csp, values.frame, options.csp);
  return { ...values, ...framed, csp: framed.csp && reporting(owner, framed.csp, values.reports) };
}

/** Every policy says where its violations go, unless it names a group of its own. */
function reporting(owner: string, csp: CspPolicies, reports: string | undefined): CspPolicies {
  if (reports === undefined) {
    if (csp.reportOnly && !csp.reportOnly.has('report-to') && !csp.reportOnly.has('report-uri')) {
      optionConflict(
        owner,
        'csp.reportOnly',
        'csp.reportOnly is a policy that nobody hears of: set reports (or report-to in it)',
      );
    }
    return csp;
  }
  const add = (policy: CspPolicies['enforced']) => {
    if (policy.has('report-to') || policy.has('report-uri')) {
      optionConflict(owner, 'reports', 'reports and the report-to or report-uri of the CSP say two things');
    }
    return new Map(policy).set('report-uri', [reports]).set('report-to', [REPORT_GROUP]);
  };
  return { enforced: add(csp.enforced), reportOnly: csp.reportOnly && add(csp.reportOnly) };
}

// In a header, in a quoted string and in a CSP directive: no quotes, spaces, commas and semicolons.
const REPORTS = /^(?:\/(?!\/)|https:\/\/)[\w\-.~:/?#[\]@!$&'()*+=%]{1,1024}$/;

const reportsReader: OptionReader<string> = (value, owner, path) => {
  if (typeof value === 'string' && REPORTS.test(value)) return value;
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} must be a path such as "/reports" or an https address, without spaces, quotes, commas and semicolons`,
  );
};

const orFalse = option.orFalse;
const offUnless =
  <T>(reader: OptionReader<T>): OptionReader<T | false> =>
  (value = false, owner, path) =>
    orFalse(reader)(value, owner, path);

const OPENER = ['same-origin', 'same-origin-allow-popups', 'noopener-allow-popups', 'unsafe-none'] as const;
const EMBEDDER = ['require-corp', 'credentialless', 'unsafe-none'] as const;

/** `X-Frame-Options` and `frame-ancestors` say one thing; who names only one of them gets the other. */
function framing(
  owner: string,
  csp: CspPolicies | false,
  frame: FramePolicy | undefined,
  given: SecurityHeadersOptions['csp'],
): { readonly csp: CspPolicies | false; readonly frame: FramePolicy | false } {
  const explicit = typeof given === 'object' && given.directives?.['frame-ancestors'] !== undefined;
  if (csp === false || given === 'self') return { csp, frame: frame ?? 'deny' };
  const ancestors = csp.enforced.get('frame-ancestors');
  if (!explicit) {
    if (frame !== 'sameorigin' || !ancestors) return { csp, frame: frame ?? 'deny' };
    const withSelf = (policy: CspPolicies['enforced']) => new Map(policy).set('frame-ancestors', ["'self'"]);
    return {
      csp: { enforced: withSelf(csp.enforced), reportOnly: csp.reportOnly && withSelf(csp.reportOnly) },
      frame,
    };
  }
  const text = ancestors?.join(' ');
  const legacy = text === "'none'" ? 'deny' : text === "'self'" ? 'sameorigin' : false;
  if (frame !== undefined && frame !== legacy) {
    optionConflict(owner, 'frame', `frame says "${frame}" and the CSP's frame-ancestors says otherwise`);
  }
  return { csp, frame: legacy };
}
