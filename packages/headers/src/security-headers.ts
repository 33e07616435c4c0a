import {
  ALLOW,
  ensureContext,
  guard,
  isKnownSecure,
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemRandom,
  type Duration,
  type Events,
  type Middleware,
  type OptionReader,
  type Random,
  type SecurityResponse,
} from '@portcullis/core';
import { cspReader, type CspOptions, type CspPolicies } from './csp.js';
import { createNonces } from './nonces.js';
import { permissionsPolicyReader, type PermissionsPolicy } from './permissions-policy.js';
import {
  renderHeaders,
  writeHeaders,
  writeMissing,
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
  /** `Cache-Control: no-store` for every answer that says nothing else itself. @default true for api */
  readonly noStore?: boolean;
  /** `X-XSS-Protection: 1; mode=block` where an old requirement asks for it; otherwise `0`, because the filter itself was a hole. @default false */
  readonly legacyXssProtection?: boolean;
  readonly random?: Random;
  readonly events?: Events;
}

/**
 * Writes the security headers of a response before any handler runs, so that every answer has them: errors, redirects, 304 and
 * unknown routes too. helmet and its checks run once, here; a request costs the writing and a nonce.
 * A handler may replace single headers. If something removes the set (an error path that clears headers), it is written again
 * before the head is sent; `X-Powered-By` is removed there too, as mounted sub-apps add it late.
 * What Node answers before Express sees a request (a malformed one) has no headers of ours.
 * @throws OptionError
 * @see OWASP Secure Headers Project; W3C CSP3; RFC 6797
 */
export function securityHeaders(options: SecurityHeadersOptions): Middleware {
  const { profile, random, events, ...values } = read(options);
  const plain = renderHeaders(values, false);
  const tls = renderHeaders(values, true);
  const nonce = plain.nonced.length > 0 ? createNonces(random) : undefined;

  return guard('securityHeaders', { stage: 'posture', detail: profile, events }, (req, res) => {
    const headers = isKnownSecure(req) ? tls : plain;
    let own: string | undefined;
    if (nonce) {
      const security = ensureContext(req, { random });
      // Mounted twice (a stricter sub-app): one response, one nonce.
      own = security.cspNonce ??= nonce();
      (res.locals ??= {})['cspNonce'] = own;
    }
    writeHeaders(res, headers, own);
    keepUntilSent(res, headers, own);
    return ALLOW;
  });
}

function keepUntilSent(res: SecurityResponse, headers: RenderedHeaders, nonce: string | undefined): void {
  const writeHead = res.writeHead as (...args: unknown[]) => SecurityResponse;
  res.writeHead = (...args: unknown[]) => {
    if (!res.headersSent) {
      res.removeHeader('X-Powered-By');
      if (!res.hasHeader('X-Content-Type-Options')) writeMissing(res, headers, nonce);
    }
    return writeHead.apply(res, args);
  };
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

function read(options: SecurityHeadersOptions): HeaderValues & {
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
    crossOriginOpenerPolicy: orFalse(
      option.oneOf(
        ['same-origin', 'same-origin-allow-popups', 'noopener-allow-popups', 'unsafe-none'],
        'same-origin',
      ),
    ),
    crossOriginEmbedderPolicy: orFalse(
      option.oneOf(['require-corp', 'credentialless', 'unsafe-none'], 'require-corp'),
    ),
    crossOriginResourcePolicy: orFalse(
      option.oneOf(['same-origin', 'same-site', 'cross-origin'], 'same-origin'),
    ),
    noStore: option.boolean(api),
    legacyXssProtection: option.boolean(false),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  return { ...values, ...framing(owner, values.csp, values.frame, options.csp) };
}

const orFalse = option.orFalse;

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
