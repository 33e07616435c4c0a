import {
  isKnownSecure,
  noEvents,
  option,
  originOption,
  parseOrigin,
  readOptions,
  type Events,
  type OptionReader,
  type OptionValues,
  type SecurityRequest,
} from '@portcullis/core';
import { compileExemptions } from './exemptions.js';
import { overridesMethod } from './method-override.js';

export interface CsrfOptions {
  /**
   * This service's own public origins, such as `'https://library.example'`. Default: the host of the request's `Host`
   * header, over https where the connection is known to be TLS. Set it where a proxy rewrites `Host`.
   */
  readonly origin?: string | readonly string[];
  /** Other origins whose pages may change state here. Exact origins only. @default [] */
  readonly trustedOrigins?: readonly string[];
  /**
   * Paths that are not checked, because they prove their caller by other means (a webhook's signature, a SAML assertion):
   * `'/hooks/stripe'`, `'POST /saml/acs'`, `'/hooks/:name'` (one segment), `'/hooks/*'` (all below; not `/hooks/`, which Express
   * hands to the route of `/hooks`). Compared with the path as sent, case-sensitive and without decoding; a path with `%`, `\`,
   * `;`, `//`, `.` or `..` segments is never exempt. @default []
   */
  readonly exempt?: readonly string[];
  /** Refuse state changes that carry neither `Sec-Fetch-Site` nor `Origin`. For services without non-browser clients. @default false */
  readonly requireOrigin?: boolean;
  /** Accept `http:` origins off the loopback in `origin` and `trustedOrigins`: anyone on the network path can act as them. @default false */
  readonly dangerouslyTrustInsecureOrigins?: boolean;
  readonly events?: Events;
}

export type CsrfRefusalReason =
  /** `Sec-Fetch-Site` is neither `same-origin` nor `none`. */
  | 'cross-site'
  | 'same-site'
  /** `Sec-Fetch-Site` has a value that no browser sends, or was sent twice. */
  | 'odd-fetch-site'
  /** `Origin` is well-formed and not ours. */
  | 'other-origin'
  /** Our host, but http where the connection is https. */
  | 'insecure-origin'
  /** `Origin` is `null`: a sandboxed frame, a data: or file: page, or a privacy redirect. */
  | 'null-origin'
  | 'malformed-origin'
  /** Neither header, and `requireOrigin` is set. */
  | 'no-origin';

export type CsrfDecision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: CsrfRefusalReason; readonly origin: string | undefined };

export interface CsrfCheck {
  /** What `csrf()` would say of this request, without enforcing it. Safe methods are allowed. */
  decide(req: SecurityRequest): CsrfDecision;
  /**
   * The same for a WebSocket handshake (RFC 6455 section 10.2), which is a GET that no other protection covers: browsers
   * let any site open one, cookies included. Call it in the server's `upgrade` event before accepting.
   */
  decideUpgrade(req: SecurityRequest): CsrfDecision;
}

const ALLOWED: CsrfDecision = Object.freeze({ allowed: true });

/**
 * The decision of {@link csrf} without Express, for upgrade events, other frameworks and tests.
 * @throws OptionError
 */
export function createCsrfCheck(options: CsrfOptions = {}): CsrfCheck {
  const read = readOptions('createCsrfCheck', options, checkOptions(options));
  const { decide, decideUpgrade } = compileCheck('createCsrfCheck', read);
  return { decide, decideUpgrade };
}

/** How the options of {@link csrf} are read; other builders add theirs. */
export function checkOptions(options: CsrfOptions) {
  const insecure = options?.dangerouslyTrustInsecureOrigins === true;
  return {
    origin: option.optional(oneOrMore(originText(insecure))),
    trustedOrigins: option.array(originText(insecure), { default: [] }),
    exempt: option.array(option.string({ max: 1024 }), { default: [] }),
    requireOrigin: option.boolean(false),
    dangerouslyTrustInsecureOrigins: option.boolean(false),
    events: option.port<Events>(['emit'], noEvents),
  };
}

type CheckValues = OptionValues<ReturnType<typeof checkOptions>>;

export interface CompiledCheck extends CsrfCheck {
  isExempt(req: SecurityRequest): boolean;
}

export function compileCheck(owner: string, read: CheckValues): CompiledCheck {
  const own = read.origin && new Set(read.origin);
  const trusted = new Set(read.trustedOrigins);
  const isExempt = compileExemptions(owner, read.exempt);
  const ownScheme = rememberingLast(schemeOfOwnPage);

  function judge(req: SecurityRequest): CsrfDecision {
    const fetchSite = req.headers['sec-fetch-site'];
    if (isProvenByBrowser(req)) return ALLOWED;
    const header = req.headers.origin;
    if (header !== undefined && trusted.has(header)) return ALLOWED;
    if (fetchSite !== undefined) {
      const known = fetchSite === 'cross-site' || fetchSite === 'same-site';
      return refuse(known ? fetchSite : 'odd-fetch-site', header);
    }
    if (header === undefined) return read.requireOrigin ? refuse('no-origin', undefined) : ALLOWED;
    if (header === 'null') return refuse('null-origin', undefined);
    if (own?.has(header)) return ALLOWED;
    const scheme = own ? undefined : ownScheme(header, req.headers.host);
    if (scheme === undefined)
      return refuse(parseOrigin(header) ? 'other-origin' : 'malformed-origin', header);
    // A page of the same host over http may have been written by anyone on the network path.
    if (scheme !== 'https' && isKnownSecure(req)) return refuse('insecure-origin', header);
    return ALLOWED;
  }

  return {
    decide(req) {
      if (isSafe(req)) return ALLOWED;
      const decision = judge(req);
      return decision.allowed || !isExempt(req) ? decision : ALLOWED;
    },
    decideUpgrade: judge,
    isExempt,
  };
}

function refuse(reason: CsrfRefusalReason, header: string | undefined): CsrfDecision {
  // Only well-formed origins travel on: the header is the attacker's text and ends in logs.
  return { allowed: false, reason, origin: header === undefined ? undefined : parseOrigin(header)?.text };
}

/** True if the browser says that our own page or the user made this request. A page cannot set Sec-* headers. */
export function isProvenByBrowser(req: SecurityRequest): boolean {
  const site = req.headers['sec-fetch-site'];
  return site === 'same-origin' || site === 'none';
}

export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A method that promises to change nothing (RFC 9110 section 9.2.1), and that nothing turns into another one. */
export function isSafe(req: SecurityRequest): boolean {
  return SAFE_METHODS.has(req.method ?? '') && !overridesMethod(req);
}

/** `http` or `https` if the origin is that of a page of the host that was asked; undefined for any other, and for what is none. */
function schemeOfOwnPage(header: string, hostHeader: string | undefined): 'http' | 'https' | undefined {
  const origin = parseOrigin(header);
  if (!origin || hostHeader === undefined) return undefined;
  const { scheme, host: name, port } = origin;
  if (scheme !== 'https' && scheme !== 'http') return undefined;
  const host = hostHeader.toLowerCase();
  if (port !== undefined) return host === `${name}:${port}` ? scheme : undefined;
  return host === name || host === `${name}:${scheme === 'https' ? 443 : 80}` ? scheme : undefined;
}

/** Pages of one service send one `Origin` and one `Host`: what was found for the last pair is found without looking again. */
function rememberingLast<T>(
  find: (a: string, b: string | undefined) => T,
): (a: string, b: string | undefined) => T {
  let last: { readonly a: string; readonly b: string | undefined; readonly found: T } | undefined;
  return (a, b) => {
    if (last?.a !== a || last.b !== b) last = { a, b, found: find(a, b) };
    return last.found;
  };
}

function originText(insecure: boolean): OptionReader<string> {
  const read = originOption({
    parse: parseOrigin,
    originOf: (origin) => origin,
    otherwise:
      'must be an origin such as "https://example.com": scheme, host and port, without path or wildcard',
    insecureBy: insecure ? undefined : 'dangerouslyTrustInsecureOrigins',
  });
  return (value, owner, path) => read(value, owner, path).text;
}

function oneOrMore(read: OptionReader<string>): OptionReader<readonly string[]> {
  const list = option.array(read, { min: 1 });
  return (value, owner, path) =>
    typeof value === 'string' ? [read(value, owner, path)] : list(value, owner, path);
}
