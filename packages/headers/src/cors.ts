import {
  ALLOW,
  appendVary,
  guard,
  noEvents,
  option,
  optionConflict,
  parseOrigin,
  readOptions,
  type Duration,
  type Events,
  type Logger,
  type Middleware,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { explainTo, type CorsReason } from './cors-debug.js';
import { allowedHeaderName, exposedHeaderName, methodName, originsReader } from './cors-options.js';
import { recordCors, type CorsRecording } from './cors-rendering.js';
import { errors } from './error-codes.js';
import type { RefusalGuard } from './events.js';

export interface CorsOptions {
  /**
   * Origins whose pages may read answers: exact ones, subdomains (`'https://*.example.com'`), any port
   * (`'http://localhost:*'`); no regular expressions. `'*'` alone is everybody, for public data without credentials.
   */
  readonly origins: '*' | readonly string[];
  /** @default ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] (and HEAD, which browsers never ask about) */
  readonly methods?: readonly string[];
  /** Request headers that pages may set. @default ['Content-Type', 'Authorization'] */
  readonly allowedHeaders?: readonly string[];
  /** Response headers that pages may read beyond the safelisted ones. @default [] */
  readonly exposedHeaders?: readonly string[];
  /** Let browsers send cookies along. @default false */
  readonly credentials?: boolean;
  /** How long browsers may remember a preflight, 0 to 24 hours. @default '10m' */
  readonly maxAge?: Duration;
  /**
   * Let public sites among `origins` reach this service where it has a private address (Private Network Access): a preflight that asks
   * for it is answered with permission instead of 403. @default false
   */
  readonly privateNetwork?: boolean;
  /**
   * For development: says in the log why a request got no permission, and what came nearest. Clients never learn it.
   * @default false
   */
  readonly debug?: Logger | false;
  /** Accept `http:` origins off the loopback: anyone on the network path can act as them. @default false */
  readonly dangerouslyAllowInsecureOrigins?: boolean;
  /** Accept patterns such as `https://*.github.io`, under which anybody can register. @default false */
  readonly dangerouslyAllowPublicSuffixes?: boolean;
  readonly events?: Events;
}

const ON_ACTUAL = ['Origin'];
const ON_OPTIONS = [
  'Origin',
  'Access-Control-Request-Method',
  'Access-Control-Request-Headers',
  'Access-Control-Request-Private-Network',
];
// Browsers never ask about these three (Fetch, "CORS-safelisted method"): refusing the question would change nothing.
const SAFELISTED_METHODS = ['GET', 'HEAD', 'POST'];
// The longest list a browser can mean is the configured one; the slack is for names that are then refused (GHSA-vhxv-fg4m-p2w8).
const MAX_REQUEST_HEADERS = 4096;

/**
 * Lets pages of other origins read answers, by an allow-list that is checked when the app starts. A preflight that fails is
 * answered with 403 and tells nothing about what would be allowed; `Vary` is right on every answer, with or without `Origin`.
 * An origin that is not listed may still *send* simple requests, as the Fetch standard has it: refusing these is `csrf()`'s part.
 * The `cors` library renders the headers, once, while this is built.
 * @throws OptionError
 * @throws E_CORS_REFUSED 403, into the error handler
 * @see Fetch Standard section 3.3
 */
export function cors(options: CorsOptions): Middleware {
  const { events, anyOrigin, isAllowed, methods, headers, privateNetwork, explain, actual, preflight } =
    read(options);

  const refuse = (req: SecurityRequest, reason: CorsReason, value: string): never => {
    explain?.(req, reason, value);
    const origin = parseOrigin(req.headers.origin ?? '')?.text;
    const requestId = req.security?.requestId;
    const by: RefusalGuard = 'cors';
    events.emit({
      type: 'headers.refused',
      guard: by,
      reason,
      ...(origin === undefined ? {} : { origin }),
      ...(requestId === undefined ? {} : { requestId }),
    });
    throw errors.E_CORS_REFUSED({ details: { reason, origin } });
  };

  return guard('cors', { stage: 'posture', detail: describe(options), events }, (req, res) => {
    const { origin } = req.headers;
    const isOptions = req.method === 'OPTIONS';
    const wanted = isOptions ? req.headers['access-control-request-method'] : undefined;
    // Caches must keep apart even the answers to requests that carry no Origin (expressjs/cors#332); where every origin gets the
    // same header, it is written for all and nothing varies.
    if (!anyOrigin || isOptions) appendVary(res, isOptions ? ON_OPTIONS : ON_ACTUAL);
    if (origin === undefined || wanted === undefined) {
      if (anyOrigin || (origin !== undefined && isAllowed(origin))) write(res, actual, origin);
      else if (origin !== undefined) explain?.(req, 'origin', origin);
      return ALLOW;
    }
    if (!isAllowed(origin)) return refuse(req, 'origin', origin);
    if (!methods.has(wanted)) return refuse(req, 'method', wanted);
    const asked = req.headers['access-control-request-headers'] ?? '';
    if (asked.length > MAX_REQUEST_HEADERS) return refuse(req, 'malformed', '');
    for (const name of asked === '' ? [] : asked.split(',')) {
      if (!headers.has(name.trim().toLowerCase())) return refuse(req, 'header', name.trim());
    }
    if (req.headers['access-control-request-private-network'] !== undefined) {
      if (!privateNetwork) return refuse(req, 'private-network', '');
      res.setHeader('Access-Control-Allow-Private-Network', 'true');
    }
    write(res, preflight, origin);
    res.statusCode = preflight.status;
    res.end();
    return undefined;
  });
}

function write(
  res: SecurityResponse,
  { lines, originName }: CorsRecording,
  origin: string | undefined,
): void {
  if (originName !== undefined && origin !== undefined) res.setHeader(originName, origin);
  for (const line of lines) res.setHeader(line[0], line[1]);
}

function describe({ origins, credentials }: CorsOptions): string {
  const who = origins === '*' ? 'any origin' : `${origins.length} origin${origins.length === 1 ? '' : 's'}`;
  return credentials ? `${who}, credentials` : who;
}

function read(options: CorsOptions) {
  const owner = 'cors';
  const values = readOptions(owner, options, {
    origins: originsReader({
      insecure: options?.dangerouslyAllowInsecureOrigins === true,
      publicSuffixes: options?.dangerouslyAllowPublicSuffixes === true,
    }),
    methods: option.array(methodName, {
      min: 1,
      default: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    }),
    allowedHeaders: option.array(allowedHeaderName, { default: ['Content-Type', 'Authorization'] }),
    exposedHeaders: option.array(exposedHeaderName, { default: [] }),
    credentials: option.boolean(false),
    maxAge: option.duration({ maxMs: 86_400_000, default: '10m' }),
    privateNetwork: option.boolean(false),
    debug: option.orFalse(option.optional(option.port<Logger>(['info']))),
    dangerouslyAllowInsecureOrigins: option.boolean(false),
    dangerouslyAllowPublicSuffixes: option.boolean(false),
    events: option.port<Events>(['emit'], noEvents),
  });
  if (values.origins === '*' && values.credentials) {
    optionConflict(
      owner,
      'credentials',
      'credentials cannot be combined with origins "*": any page could act as the signed-in user',
    );
  }
  if (values.origins === '*' && values.privateNetwork) {
    optionConflict(
      owner,
      'privateNetwork',
      'privateNetwork cannot be combined with origins "*": any public site could reach into the private network; list the origins',
    );
  }
  return {
    events: values.events,
    privateNetwork: values.privateNetwork,
    explain: values.debug ? explainTo(values.debug, { ...values, origins: options.origins }) : undefined,
    anyOrigin: values.origins === '*',
    isAllowed: values.origins === '*' ? () => true : values.origins,
    methods: new Set([...values.methods, ...SAFELISTED_METHODS]),
    headers: new Set(values.allowedHeaders.map((name) => name.toLowerCase())),
    ...recordCors({
      anyOrigin: values.origins === '*',
      methods: values.methods,
      allowedHeaders: values.allowedHeaders,
      exposedHeaders: values.exposedHeaders,
      credentials: values.credentials,
      maxAgeSeconds: Math.floor(values.maxAge / 1000),
    }),
  };
}
