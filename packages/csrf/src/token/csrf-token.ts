import {
  ALLOW,
  guard,
  isAuthenticated,
  keepOutOfCaches,
  option,
  optionConflict,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  type Clock,
  type Duration,
  type Middleware,
  type OptionReader,
  type Random,
  type Secret,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { checkOptions, compileCheck, isProvenByBrowser, isSafe, type CsrfOptions } from '../check.js';
import { inProduction } from '../environment.js';
import { errors } from '../error-codes.js';
import { refuseCrossSite, tellRefusal } from '../refusal.js';
import { dropField, findToken } from './find-token.js';
import { createNonceCookie } from './nonce-cookie.js';
import { createSeal, type SealFault } from './seal.js';

export interface CsrfTokenOptions extends CsrfOptions {
  /**
   * What signs the tokens, at least 32 bytes each, one to eight. The first signs, all verify: put a new one in front, and take
   * the old one out after `lifetime`.
   */
  readonly keys: string | Secret<string> | readonly (string | Secret<string>)[];
  /**
   * The id of the request's session, undefined if it has none. A token is good for this session only. Must change at sign-in.
   * @default the `sessionId` of the request's principal
   */
  readonly session?: (req: SecurityRequest) => string | undefined;
  /** Request header in which scripts send the token. @default 'x-csrf-token' */
  readonly header?: string;
  /** Field of the parsed body in which forms send the token; taken off the body once it is judged. @default '_csrf' */
  readonly field?: string;
  /** How long a token is good for, 1 minute to 30 days. @default '24h' */
  readonly lifetime?: Duration;
  /**
   * `'unproven'`: a token is asked for only where no `Sec-Fetch-Site` has said that the request is our own page's: old browsers,
   * plain http, clients that are no browsers. @default 'always'
   */
  readonly require?: 'always' | 'unproven';
  /** `'development'`: without Secure and `__Host-`, for http://localhost; refused in production. @default 'host' */
  readonly cookie?: 'host' | 'development';
  /** Refuses what is meant for development. @default NODE_ENV is "production" */
  readonly production?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

export type CsrfTokenRefusalReason =
  | 'token-missing'
  | 'token-ambiguous'
  /** Neither a session nor the pre-session cookie has come with the request. */
  | 'token-unbound'
  /** Two pre-session cookies: one may have been planted. */
  | 'cookie-ambiguous'
  /** Another session, another browser, another key, or made up: the signature cannot tell which. */
  | SealFault;

export type CsrfTokenDecision =
  { readonly allowed: true } | { readonly allowed: false; readonly reason: CsrfTokenRefusalReason };

/** Middleware that asks for a token, and what hands tokens out. */
export interface CsrfToken extends Middleware {
  /** What the middleware would say of the token of this request, without enforcing it. Safe methods are allowed. */
  decide(req: SecurityRequest): CsrfTokenDecision;
  /**
   * A new token for this request's session, or for its browser if it has none (which then gets the pre-session cookie).
   * `res.locals.csrfToken` is the same. The answer is kept out of caches.
   * @throws E_CSRF_TOKEN_LATE once the answer has begun
   * @throws E_CSRF_DEVELOPMENT_COOKIE away from the loopback
   */
  issue(req: SecurityRequest, res: SecurityResponse): string;
  /** Answers `{ csrfToken, header }` for clients that fetch; refuses pages of other sites. Mount it on a GET route. */
  endpoint(): Middleware;
  /**
   * Gives the browser a new pre-session nonce, so that tokens from before are worth nothing. Call it where a session begins or
   * ends, in the same answer. A token for the new session is issued by the next request.
   */
  rotate(req: SecurityRequest, res: SecurityResponse): void;
}

const ALLOWED: CsrfTokenDecision = Object.freeze({ allowed: true });
const TOKEN_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * The second line behind `csrf()`, and the first for browsers that are too old for its headers: state changes have to bring a
 * token that only our own pages can read. Bound to the session; before sign-in to a random cookie, so that nobody can be signed in as somebody
 * else (login CSRF). Nothing is stored. Mount it after the body parsers and after the middleware that identifies; hand it the
 * options of `csrf()`, whose check it repeats. Requests with `Authorization: Bearer` or `DPoP` pass without a token: no browser adds those by
 * itself. Not with Basic or client certificates, which browsers do add.
 * @throws OptionError
 * @throws E_CSRF_TOKEN | E_CSRF_CROSS_SITE 403, into the error handler
 * @see OWASP CSRF Prevention Cheat Sheet, "Signed Double-Submit Cookie", "Login CSRF"
 */
export function csrfToken(options: CsrfTokenOptions): CsrfToken {
  const read = readOptions('csrf.token', options, {
    ...checkOptions(options),
    keys: keyRing,
    session: option.fn<(req: SecurityRequest) => string | undefined>(sessionOfPrincipal),
    header: option.string({ pattern: TOKEN_NAME, default: 'x-csrf-token' }),
    field: option.string({ pattern: TOKEN_NAME, default: '_csrf' }),
    lifetime: option.duration({ minMs: 60_000, maxMs: 30 * 86_400_000, default: '24h' }),
    require: option.oneOf(['always', 'unproven'], 'always'),
    cookie: option.oneOf(['host', 'development'], 'host'),
    production: option.boolean(inProduction()),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes'], systemRandom),
  });
  const check = compileCheck('csrf.token', read);
  const { keys, session, field, lifetime, require, clock, random, events } = read;
  if (read.cookie === 'development' && read.production) {
    optionConflict(
      'csrf.token',
      'cookie',
      'cookie "development" travels over plain HTTP and is refused in production. Leave it out',
    );
  }
  const header = read.header.toLowerCase();
  const seal = createSeal({ keys, lifetimeMs: lifetime, clock, random });
  const cookie = createNonceCookie(read.cookie, random);
  /** Nonces that this answer sets, which the request could not bring. */
  const renewed = new WeakMap<SecurityRequest, string>();

  function sessionOf(req: SecurityRequest): string | undefined {
    const id: unknown = session(req);
    if (id === undefined || (typeof id === 'string' && id !== '')) return id;
    throw new TypeError('csrf.token: session() must return a non-empty string or undefined');
  }

  function bindingOf(req: SecurityRequest, sessionId: string | undefined, nonce: string | null): string {
    const principal = req.security?.principal;
    // Who signs in without getting a session id gets another binding all the same.
    return JSON.stringify([isAuthenticated(principal) ? principal.id : null, sessionId ?? null, nonce]);
  }

  function judge(req: SecurityRequest): CsrfTokenDecision {
    if (require === 'unproven' && isProvenByBrowser(req)) return ALLOWED;
    if (bringsOwnCredential(req)) return ALLOWED;
    const found = findToken(req, header, field);
    if ('fault' in found) return { allowed: false, reason: found.fault };
    const sessionId = sessionOf(req);
    let nonce: string | null = null;
    if (sessionId === undefined) {
      const cookies = cookie.read(req);
      if (cookies.kind === 'several') return { allowed: false, reason: 'cookie-ambiguous' };
      if (cookies.kind === 'none') return { allowed: false, reason: 'token-unbound' };
      nonce = cookies.nonce;
    }
    const fault = seal.faultOf(found.token, bindingOf(req, sessionId, nonce));
    return fault ? { allowed: false, reason: fault } : ALLOWED;
  }

  function issue(req: SecurityRequest, res: SecurityResponse): string {
    const sessionId = sessionOf(req);
    if (sessionId !== undefined) {
      if (res.headersSent) throw errors.E_CSRF_TOKEN_LATE();
      keepOutOfCaches(res);
      return seal.sign(bindingOf(req, sessionId, null));
    }
    return seal.sign(bindingOf(req, undefined, nonceFor(req, res)));
  }

  function nonceFor(req: SecurityRequest, res: SecurityResponse): string {
    const fresh = renewed.get(req);
    if (fresh !== undefined) return fresh;
    const cookies = cookie.read(req);
    if (cookies.kind !== 'one') return rotate(req, res);
    if (res.headersSent) throw errors.E_CSRF_TOKEN_LATE();
    keepOutOfCaches(res);
    return cookies.nonce;
  }

  function rotate(req: SecurityRequest, res: SecurityResponse): string {
    const nonce = cookie.renew(req, res);
    renewed.set(req, nonce);
    return nonce;
  }

  function decide(req: SecurityRequest): CsrfTokenDecision {
    return isSafe(req) || check.isExempt(req) ? ALLOWED : judge(req);
  }

  const middleware = guard('csrf.token', { stage: 'posture', detail: 'token', events }, (req, res) => {
    refuseCrossSite(check.decide(req), req, events);
    const decision = decide(req);
    if (!decision.allowed) {
      tellRefusal(events, req, decision.reason, undefined);
      throw errors.E_CSRF_TOKEN({ details: { reason: decision.reason, method: req.method } });
    }
    dropField(req, field);
    // Read by templates and handlers; until then nothing is signed and no cookie is set.
    if (res.locals) {
      Object.defineProperty(res.locals, 'csrfToken', {
        configurable: true,
        enumerable: true,
        get: () => issue(req, res),
      });
    }
    return ALLOW;
  });

  return Object.assign(middleware, {
    decide,
    issue,
    endpoint: () =>
      guard('csrf.token.endpoint', { stage: 'posture', detail: 'hands out tokens', events }, (req, res) => {
        // No other site has any business here; what CORS says about reading is not relied on.
        refuseCrossSite(check.decideUpgrade(req), req, events);
        const body = JSON.stringify({ csrfToken: issue(req, res), header: read.header });
        res.setHeader('Content-Type', 'application/json; charset=utf-8');
        res.setHeader('X-Content-Type-Options', 'nosniff');
        res.end(body);
      }),
    rotate: (req: SecurityRequest, res: SecurityResponse) => void rotate(req, res),
  });
}

/** No browser adds these by itself, so no other site can make it add them (RFC 6750, RFC 9449). Basic it does add. */
function bringsOwnCredential(req: SecurityRequest): boolean {
  return /^(?:Bearer|DPoP) +[^ ]/i.test(req.headers.authorization ?? '');
}

function sessionOfPrincipal(req: SecurityRequest): string | undefined {
  const principal = req.security?.principal;
  return isAuthenticated(principal) ? principal.sessionId : undefined;
}

const MAX_KEYS = 8;
const MIN_KEY_BYTES = 32;
/** Fewer different characters are a placeholder or a pattern, never a random key. */
const MIN_DIFFERENT = 8;

const keyRing: OptionReader<readonly Secret<string>[]> = (value, owner, path) => {
  const secret = option.secret({ minBytes: MIN_KEY_BYTES });
  const ring = Array.isArray(value)
    ? option.array(secret, { min: 1, max: MAX_KEYS })(value, owner, path)
    : [secret(value, owner, path)];
  const texts = ring.map((key) => key.reveal());
  if (new Set(texts).size !== texts.length) {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} holds the same key twice`);
  }
  if (texts.some((text) => new Set(text).size < MIN_DIFFERENT)) {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be random, such as randomBytes(32)`);
  }
  return ring;
};
