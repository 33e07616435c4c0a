import {
  ALLOW,
  ensureContext,
  guard,
  isAuthenticated,
  isSecurityError,
  type Clock,
  type Events,
  type Middleware,
  type Principal,
  type Random,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type { Sessions } from './sessions/sessions.js';
import { faultOf } from './tokens/token-errors.js';
import type { Tokens } from './tokens/tokens.js';
import { bearerToken } from './transport/bearer.js';
import type { AuthCookies } from './transport/cookies.js';
import { assertSameSite } from './transport/cross-site.js';

export interface IdentifyDeps {
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly bearer: boolean;
  /** Undefined: cookies are off. */
  readonly cookies: AuthCookies | undefined;
  readonly renew: boolean;
  readonly trustedOrigins: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
}

/** Stage 6 of the way: a good credential becomes the principal, a bad one a 401, none leaves the request anonymous. */
export function createAuthenticate(deps: IdentifyDeps): Middleware {
  const { tokens, sessions, bearer, cookies, events } = deps;
  const detail = [bearer && 'bearer', cookies && 'cookie'].filter(Boolean).join(' or ');

  return guard('authenticate', { stage: 'identify', detail, events }, async (req, res) => {
    const security = ensureContext(req, deps);
    // Written once: who identified somebody first (an outer app, a test) is not overruled.
    if (isAuthenticated(security.principal)) return ALLOW;
    try {
      const token = bearer ? bearerToken(req) : undefined;
      const principal =
        token === undefined
          ? cookies && (await fromCookies(req, res, cookies, deps))
          : await sessions.check(tokens.verify(token));
      if (principal) security.principal = principal;
      return ALLOW;
    } catch (error) {
      if (isSecurityError(error) && error.status === 401) {
        const reason = error.code === 'E_TOKEN_INVALID' ? faultOf(error) : error.code;
        events.emit({ type: 'auth.token-refused', reason, ...ipOf(req) });
      }
      throw error;
    }
  });
}

/** Refuses anonymous requests with a challenge. */
export function createRequired(events: Events): Middleware {
  return guard('required', { stage: 'authorize', detail: 'signed in', events }, (req) => {
    principalOf(req);
    return ALLOW;
  });
}

/** @throws E_AUTHENTICATION_REQUIRED (401) */
export function principalOf(req: SecurityRequest): Principal {
  const principal = req.security?.principal;
  if (isAuthenticated(principal)) return principal;
  // RFC 6750 section 3.1: without a credential the challenge carries no error code.
  throw errors.E_AUTHENTICATION_REQUIRED({ headers: { 'WWW-Authenticate': 'Bearer' } });
}

async function fromCookies(
  req: SecurityRequest,
  res: SecurityResponse,
  cookies: AuthCookies,
  deps: IdentifyDeps,
): Promise<Principal | undefined> {
  const { access, refresh } = cookies.read(req);
  if (access === undefined && (refresh === undefined || !deps.renew)) return undefined;
  assertSameSite(req, deps.trustedOrigins);
  try {
    try {
      if (access !== undefined) return await deps.sessions.check(deps.tokens.verify(access));
    } catch (error) {
      if (refresh === undefined || !deps.renew || !isTokenFault(error)) throw error;
    }
    // Requests of one page arrive together; all of them get the same pair.
    const pair = await deps.sessions.refresh(refresh, { ...ipOf(req), ...userAgentOf(req) });
    const principal = await deps.sessions.check(deps.tokens.verify(pair.accessToken));
    cookies.write(res, pair);
    return principal;
  } catch (error) {
    // The browser would bring the dead cookie again for ever, to the sign-in page too.
    if (isSecurityError(error) && error.status === 401) cookies.clear(res);
    throw error;
  }
}

function isTokenFault(error: unknown): boolean {
  return isSecurityError(error) && (error.code === 'E_TOKEN_EXPIRED' || error.code === 'E_TOKEN_INVALID');
}

export function userAgentOf(req: SecurityRequest): { userAgent?: string } {
  const userAgent = req.headers['user-agent'];
  return userAgent === undefined ? {} : { userAgent };
}

/** The client's address where it is known; identification alone does not need it. */
function ipOf(req: SecurityRequest): { ip?: string } {
  try {
    return { ip: req.security!.address.ip };
  } catch {
    return {};
  }
}
