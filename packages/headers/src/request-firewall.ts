import {
  ALLOW,
  compileTrustProxy,
  guard,
  noEvents,
  option,
  OptionError,
  parseAddress,
  readOptions,
  type ErrorFactory,
  type Events,
  type Middleware,
  type OptionReader,
  type ProxyTrust,
  type SecurityRequest,
  type TrustProxy,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type { RefusalGuard } from './events.js';
import {
  hasSeveralHosts,
  isFramingAmbiguous,
  overridesMethod,
  stripHeaders,
  unwarrantedHeaders,
} from './firewall-headers.js';
import { compileHosts, hostPattern, type HostVerdict } from './firewall-hosts.js';
import { pathProblem, type PathProblem } from './firewall-path.js';
import { queryProblem, type QueryProblem } from './firewall-query.js';

/** Rules that an application may need to break; the others have no good use. */
export type BreakableRule =
  | 'encoded-slash'
  | 'empty-segment'
  | 'parameters'
  | 'hidden'
  | 'method-override'
  | 'secret-in-query'
  | 'any-host';

export interface RequestFirewallOptions {
  /**
   * Names by which this service is reached: `'library.example'` (default ports), `'library.example:8443'`, `'*.library.example'`,
   * `'localhost:*'`, `'[::1]:3000'`. Other values of `Host` are answered with 421. @default this machine's own names only
   */
  readonly hosts?: readonly string[];
  /**
   * Which peers are our own proxies, as in `context()`. Only their forwarding headers stay, and only their
   * `X-Forwarded-Host` is read (it must be one of `hosts` too). @default false
   */
  readonly trustProxy?: TrustProxy;
  /** Methods that reach the app; others are answered with 405. @default ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] */
  readonly methods?: readonly string[];
  /**
   * What happens to forwarding headers (`Forwarded`, `X-Forwarded-*`, `X-Real-IP`, ...) of anybody else: taken off the request,
   * or the request refused. @default 'strip'
   */
  readonly untrustedForwarding?: 'strip' | 'refuse';
  /** Further headers that only our proxies may set, such as `'X-User-ID'` of a gateway. @default [] */
  readonly proxyHeaders?: readonly string[];
  /** Query parameters that may carry a secret, by their exact name: `'token'` of a link in a mail, `'id_token_hint'`. @default [] */
  readonly allowedQueryParameters?: readonly string[];
  /** Rules that do not hold here. @default [] */
  readonly dangerouslyAllow?: readonly BreakableRule[];
  readonly events?: Events;
}

export type FirewallReason =
  | PathProblem
  | QueryProblem
  | 'method'
  | 'framing'
  | 'host-missing'
  | 'host-repeated'
  | 'host-malformed'
  | 'host-unknown'
  | 'host-mismatch'
  | 'forwarded-host'
  | 'forwarding';

export type FirewallDecision =
  { readonly allowed: true } | { readonly allowed: false; readonly reason: FirewallReason };

export interface FirewallCheck {
  /**
   * What `requestFirewall()` would say of this request, without enforcing it: for the server's `upgrade` event, which no
   * middleware sees. Takes untrusted forwarding headers off, as the middleware does.
   */
  decide(req: SecurityRequest): FirewallDecision;
}

const ALLOWED: FirewallDecision = Object.freeze({ allowed: true });
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** The code that answers each reason; what is not here is a bad path. */
const ANSWERS: Readonly<Partial<Record<FirewallReason, ErrorFactory>>> = Object.freeze({
  hidden: errors.E_PATH_HIDDEN,
  method: errors.E_METHOD_REFUSED,
  'method-override': errors.E_METHOD_OVERRIDE,
  'secret-in-query': errors.E_SECRET_IN_URL,
  framing: errors.E_FRAMING_AMBIGUOUS,
  'host-missing': errors.E_HOST_MALFORMED,
  'host-repeated': errors.E_HOST_MALFORMED,
  'host-malformed': errors.E_HOST_MALFORMED,
  'host-unknown': errors.E_HOST_UNKNOWN,
  'host-mismatch': errors.E_HOST_MALFORMED,
  'forwarded-host': errors.E_HOST_UNKNOWN,
  forwarding: errors.E_FORWARDING_REFUSED,
});

/**
 * Refuses requests that two parsers could read differently, before anything else looks at them: a `Host` that is not ours,
 * paths with tricks (encoded slashes, dot segments, double encoding, parameters), `TRACE`, method overrides, dotfiles, secrets in
 * the query, ambiguous message ends. Takes off what only our own proxies may say. A legitimate client meets none of it.
 * Does not look at bodies, nor decide what a path means.
 * @throws OptionError
 * @throws E_HOST_MALFORMED | E_PATH_REFUSED | E_METHOD_OVERRIDE | E_SECRET_IN_URL | E_FORWARDING_REFUSED | E_FRAMING_AMBIGUOUS 400,
 * E_PATH_HIDDEN 404, E_METHOD_REFUSED 405, E_HOST_UNKNOWN 421, into the error handler
 * @see OWASP ASVS 5.0 V4.1.3, V4.1.4, V4.2.1, V13.4.1, V13.4.4, V14.2.1
 */
export function requestFirewall(options: RequestFirewallOptions = {}): Middleware {
  const { decide, events, methods, detail } = compile('requestFirewall', options);
  const allow = [...methods].join(', ');

  return guard('requestFirewall', { stage: 'posture', detail, events }, (req) => {
    const decision = decide(req);
    if (decision.allowed) return ALLOW;
    const { reason } = decision;
    const by: RefusalGuard = 'requestFirewall';
    const requestId = req.security?.requestId;
    events.emit({
      type: 'headers.refused',
      guard: by,
      reason,
      ...(requestId === undefined ? {} : { requestId }),
    });
    const factory = ANSWERS[reason] ?? errors.E_PATH_REFUSED;
    const headers = reason === 'method' ? { Allow: allow } : {};
    throw factory({ details: { reason, method: req.method }, headers });
  });
}

/**
 * The decision of {@link requestFirewall} without Express.
 * @throws OptionError
 */
export function createFirewallCheck(options: RequestFirewallOptions = {}): FirewallCheck {
  const { decide } = compile('createFirewallCheck', options);
  return { decide };
}

function compile(owner: string, options: RequestFirewallOptions) {
  const o = readOptions(owner, options, {
    hosts: option.optional(option.array(hostPattern, { min: 1 })),
    trustProxy: (value, by): ProxyTrust => compileTrustProxy(value ?? false, by),
    methods: option.array(firewallMethod, { min: 1, max: 50, default: METHODS }),
    untrustedForwarding: option.oneOf(['strip', 'refuse'], 'strip'),
    proxyHeaders: option.array(headerName, { max: 100, default: [] }),
    allowedQueryParameters: option.array(option.string({ max: 200 }), { max: 100, default: [] }),
    dangerouslyAllow: option.array<BreakableRule>(
      option.oneOf<BreakableRule>([
        'encoded-slash',
        'empty-segment',
        'parameters',
        'hidden',
        'method-override',
        'secret-in-query',
        'any-host',
      ]),
      { default: [] },
    ),
    events: option.port<Events>(['emit'], noEvents),
  });
  const broken: ReadonlySet<string> = new Set(o.dangerouslyAllow);
  const methods: ReadonlySet<string> = new Set(o.methods);
  const proxyHeaders = new Set(o.proxyHeaders);
  const mayCarrySecrets = new Set(o.allowedQueryParameters);
  const listed = compileHosts(o.hosts);
  const judgeHost = (text: string): HostVerdict => {
    const verdict = listed(text);
    return verdict === 'unknown' && broken.has('any-host') ? 'ours' : verdict;
  };
  // Counting hops, the peer is the first of them, also where it has no address: a Unix socket.
  const countsHops = typeof options.trustProxy === 'number';
  const isProxy = (req: SecurityRequest): boolean => {
    const peer = parseAddress(req.socket.remoteAddress ?? '');
    return peer ? o.trustProxy(peer, 0) : countsHops;
  };

  /** Who the request is for: one `Host`, well-formed, ours, and the same as the one in an absolute target. */
  function hostProblem(req: SecurityRequest, named: string | undefined): FirewallReason | undefined {
    const { host } = req.headers;
    if (hasSeveralHosts(req)) return 'host-repeated';
    if (host === undefined || host === '') return 'host-missing';
    const verdict = judgeHost(host);
    if (verdict !== 'ours') return `host-${verdict}`;
    return named !== undefined && named.toLowerCase() !== host.toLowerCase() ? 'host-mismatch' : undefined;
  }

  function forwardingProblem(req: SecurityRequest): FirewallReason | undefined {
    const fromProxy = isProxy(req);
    const unwarranted = unwarrantedHeaders(req, fromProxy, proxyHeaders);
    if (unwarranted.length > 0) {
      if (o.untrustedForwarding === 'refuse') return 'forwarding';
      stripHeaders(req, unwarranted);
    }
    const forwarded = fromProxy ? req.headers['x-forwarded-host'] : undefined;
    if (forwarded === undefined) return undefined;
    // Express takes the first of several, others the last: all have to be ours.
    const hosts = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',');
    return hosts.every((text) => judgeHost(text.trim()) === 'ours') ? undefined : 'forwarded-host';
  }

  function targetProblem(path: string, query: string): FirewallReason | undefined {
    const onPath = pathProblem(broken.size > 0 ? tolerate(path, broken) : path);
    if (onPath !== undefined && !(onPath === 'hidden' && broken.has('hidden'))) return onPath;
    const inQuery = queryProblem(query, mayCarrySecrets);
    return inQuery !== undefined && broken.has(inQuery) ? undefined : inQuery;
  }

  function problemOf(req: SecurityRequest): FirewallReason | undefined {
    if (!methods.has(req.method ?? '')) return 'method';
    if (isFramingAmbiguous(req)) return 'framing';
    const target = splitTarget(req.originalUrl ?? req.url ?? '', req.method);
    if (!target) return 'target-form';
    return (
      targetProblem(target.path, target.query) ??
      hostProblem(req, target.authority) ??
      (overridesMethod(req) && !broken.has('method-override') ? 'method-override' : undefined) ??
      forwardingProblem(req)
    );
  }

  return {
    events: o.events,
    methods,
    detail: o.hosts ? o.hosts.map(({ text }) => text.slice('https://'.length)).join(', ') : 'this machine',
    decide: (req: SecurityRequest): FirewallDecision => {
      const reason = problemOf(req);
      return reason === undefined ? ALLOWED : { allowed: false, reason };
    },
  };
}

interface Target {
  readonly authority: string | undefined;
  readonly path: string;
  readonly query: string;
}

/** Origin-form, absolute-form, or `*` of OPTIONS (RFC 9112 section 3.2); undefined for anything else. */
function splitTarget(target: string, method: string | undefined): Target | undefined {
  if (target === '*' && method === 'OPTIONS') return { authority: undefined, path: '/', query: '' };
  let rest = target;
  let authority: string | undefined;
  if (!target.startsWith('/')) {
    const absolute = /^https?:\/\/([^/?#\\@]+)/i.exec(target);
    if (!absolute) return undefined;
    authority = absolute[1]!;
    rest = target.slice(absolute[0].length);
    if (rest === '' || rest.startsWith('?')) rest = `/${rest}`;
  }
  const mark = rest.indexOf('?');
  return mark < 0
    ? { authority, path: rest, query: '' }
    : { authority, path: rest.slice(0, mark), query: rest.slice(mark + 1) };
}

/** The path without what a broken rule lets pass, so that the others still hold. */
function tolerate(path: string, broken: ReadonlySet<string>): string {
  let rest = path;
  if (broken.has('encoded-slash')) rest = rest.replaceAll(/%2f/gi, '-');
  if (broken.has('parameters')) rest = rest.replaceAll(/;|%3b/gi, '-');
  if (broken.has('empty-segment')) rest = rest.replaceAll(/\/{2,}/g, '/');
  return rest;
}

const firewallMethod: OptionReader<string> = (value, owner, path) => {
  const fail = (problem: string): never => {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} ${problem}`);
  };
  if (typeof value !== 'string' || !/^[A-Z][A-Z-]{0,31}$/.test(value)) {
    return fail('must be the name of a method in upper case, such as "PUT"');
  }
  // TRACE hands back what a script may not read; CONNECT and TRACK have no place in an application.
  if (['TRACE', 'TRACK', 'CONNECT'].includes(value)) return fail(`: ${value} is never let in`);
  return value;
};

const headerName: OptionReader<string> = (value, owner, path) => {
  const name = option.string({ max: 128, pattern: /^[A-Za-z0-9-]+$/ })(value, owner, path);
  return name.toLowerCase();
};
