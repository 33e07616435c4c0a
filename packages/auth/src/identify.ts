import {
  ALLOW,
  ensureContext,
  guard,
  hasCode,
  isAuthenticated,
  isSecurityError,
  option,
  readOptions,
  type Clock,
  type Duration,
  type Events,
  type Middleware,
  type Principal,
  type Random,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type { Sessions } from './sessions/sessions.js';
import type { AccessClaims } from './tokens/claims.js';
import { faultOf } from './tokens/token-errors.js';
import type { Tokens } from './tokens/tokens.js';
import type { ApiKeys } from './api-keys/api-keys.js';
import type { External } from './external/external.js';
import { authorizationOf, type Authorization } from './transport/authorization.js';
import type { AuthCookies } from './transport/cookies.js';
import { assertSameSite } from './transport/cross-site.js';
import {
  assertSender,
  challengeOf,
  rechallenge,
  schemesOf,
  type SenderConstraints,
} from './transport/sender.js';

export interface IdentifyDeps {
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly bearer: boolean;
  /** Takes the tokens of other issuers. */
  readonly external: External | undefined;
  readonly apiKeys: ApiKeys | undefined;
  readonly constraints: SenderConstraints;
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
  const { bearer, cookies, constraints, apiKeys, sessions, events } = deps;
  const schemes = schemesOf(constraints);
  const ways = [
    bearer && 'bearer',
    constraints.dpop && 'dpop',
    constraints.mutualTls && 'mtls',
    apiKeys && 'api key',
    cookies && 'cookie',
  ].filter(Boolean);
  const detail = ways.join(' or ') + (sessions.stateless ? ', stateless: no session can be ended' : '');

  return guard('authenticate', { stage: 'identify', detail, events }, async (req, res) => {
    const security = ensureContext(req, deps);
    // Written once: who identified somebody first (an outer app, a test) is not overruled.
    if (isAuthenticated(security.principal)) return ALLOW;
    let credential: Authorization | undefined;
    try {
      credential = bearer ? authorizationOf(req, schemes) : undefined;
      const principal = credential
        ? await fromToken(credential, { req, res }, deps)
        : cookies && (await fromCookies(req, res, cookies, deps));
      if (principal) security.principal = principal;
      return ALLOW;
    } catch (error) {
      if (isSecurityError(error) && error.status === 401) {
        const reason = /^E_(?:TOKEN|DPOP_PROOF)_INVALID$/.test(error.code) ? faultOf(error) : error.code;
        events.emit({ type: 'auth.token-refused', reason, ...ipOf(req) });
      }
      throw rechallenge(error, credential, constraints);
    }
  });
}

async function fromToken(
  credential: Authorization,
  exchange: { readonly req: SecurityRequest; readonly res: SecurityResponse },
  { tokens, sessions, external, apiKeys, constraints }: IdentifyDeps,
): Promise<Principal> {
  const { token } = credential;
  if (apiKeys?.recognises(token)) {
    // A key is bound to nothing, and comes as what it is: a bearer's.
    await assertSender({} as AccessClaims, credential, exchange, constraints);
    return apiKeys.check(token);
  }
  if (external?.claims(token)) {
    const { claims, principal } = await external.verify(token, { bound: true });
    await assertSender(claims, credential, exchange, constraints);
    return principal;
  }
  const claims = tokens.verify(token, { bound: true });
  await assertSender(claims, credential, exchange, constraints);
  return sessions.check(claims);
}

export interface RequiredOptions {
  /** Authenticator assurance level (NIST SP 800-63B): 2 for a password and a second factor. @default 1 */
  readonly aal?: 1 | 2 | 3;
  /** The longest time since the person last showed who they are, 1 s to 30 d. @default as long as the session lives */
  readonly fresh?: Duration;
}

/**
 * Refuses anonymous requests with a challenge, and those that are not strong or fresh enough with one that says what is asked for
 * (RFC 9470 section 3).
 * @throws OptionError
 */
export function createRequired(
  events: Events,
  constraints: SenderConstraints,
  clock: Clock,
  options: RequiredOptions = {},
): Middleware {
  const { aal, fresh } = readOptions('required', options, {
    aal: option.oneOf([1, 2, 3], 1),
    fresh: option.optional(option.duration({ minMs: 1_000, maxMs: 30 * 86_400_000 })),
  });
  const challenge = challengeOf(constraints);
  const scheme = schemeOf(challenge);
  const detail = ['signed in', aal > 1 && `aal ${aal}`, fresh !== undefined && `within ${fresh} ms`];

  return guard(
    'required',
    { stage: 'authorize', detail: detail.filter(Boolean).join(', '), events },
    (req) => {
      const principal = principalOf(req, challenge);
      const age = clock.now() - (principal.authenticatedAt ?? Number.NEGATIVE_INFINITY);
      if ((principal.aal ?? 1) < aal || (fresh !== undefined && age > fresh)) {
        throw stepUpRequired(scheme, aal, fresh);
      }
      return ALLOW;
    },
  );
}

/** The scheme that a challenge begins with. */
export function schemeOf(challenge: string): string {
  return /^\w+/.exec(challenge)?.[0] ?? 'Bearer';
}

/** E_STEP_UP_REQUIRED with what is asked for (RFC 9470 section 3). */
export function stepUpRequired(scheme: string, aal: 1 | 2 | 3, freshMs: number | undefined): Error {
  const seconds = freshMs === undefined ? undefined : Math.floor(freshMs / 1000);
  const asked = [
    `${scheme} error="insufficient_user_authentication"`,
    'error_description="A stronger or more recent authentication is required"',
    ...(aal > 1 ? [`acr_values="urn:portcullis:aal:${aal}"`] : []),
    ...(seconds === undefined ? [] : [`max_age="${seconds}"`]),
  ].join(', ');
  return errors.E_STEP_UP_REQUIRED({
    headers: { 'WWW-Authenticate': asked },
    problem: { aal, ...(seconds === undefined ? {} : { max_age: seconds }) },
  });
}

/** Refuses API keys, and people who act for others: what is behind it is done by the owner of the account only. */
export function createInPerson(events: Events): Middleware {
  return guard('inPerson', { stage: 'authorize', detail: 'in person', events }, (req) => {
    personOf(req);
    return ALLOW;
  });
}

/** @throws E_AUTHENTICATION_REQUIRED (401), E_NOT_IN_PERSON (403) */
export function personOf(req: SecurityRequest): Principal {
  const principal = principalOf(req);
  if (principal.kind !== 'user' || principal.actor) throw errors.E_NOT_IN_PERSON();
  return principal;
}

/** @throws E_AUTHENTICATION_REQUIRED (401) */
export function principalOf(req: SecurityRequest, challenge = 'Bearer'): Principal {
  const principal = req.security?.principal;
  if (isAuthenticated(principal)) return principal;
  // RFC 6750 section 3.1: without a credential the challenge carries no error code.
  throw errors.E_AUTHENTICATION_REQUIRED({ headers: { 'WWW-Authenticate': challenge } });
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
      // The same as if the browser had dropped it in time: nobody yet, and the way to `/refresh` stays open.
      if (refresh !== undefined && !deps.renew && hasCode(error, 'E_TOKEN_EXPIRED')) return undefined;
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
