import {
  freezePrincipal,
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemClock,
  systemRandom,
  toMs,
  type AuthenticationMethod,
  type Clock,
  type Duration,
  type Events,
  type Principal,
  type Random,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { AccessClaims } from '../tokens/claims.js';
import { createTypedTokens, type Tokens, type TokensOptions } from '../tokens/tokens.js';
import type { ClientMeta, Sessions, TokenPair } from './sessions.js';

export interface StatelessSessionsOptions {
  /** Signs and verifies access tokens. */
  readonly tokens: Tokens;
  /** Of the same issuer, for the refresh tokens, which are of another type (`rt+jwt`). */
  readonly signing: Pick<TokensOptions, 'issuer' | 'audience' | 'keys'>;
  /** Lifetime of a refresh token. 1 min to 365 d. @default '1d' */
  readonly refreshTtl?: Duration;
  /** When a session ends whatever happens. 1 min to 400 d. @default '30d' */
  readonly absolute?: Duration;
  /** Asked at every refresh, which is the only moment at which a closed account is noticed. @default nobody is inactive */
  readonly isActive?: (userId: string) => Promise<boolean>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

/** RFC 8725 section 3.11: of another type, so that one is never taken for the other. */
const REFRESH_TYPE = 'rt+jwt';
const MINUTE = 60_000;
const DAY = 86_400_000;

/**
 * Sessions of which the server keeps nothing: everything stands in the two signed tokens. For services that must not keep session
 * information. **What that loses:** a session cannot be ended. Sign-out and `revoke()` end nothing (they answer `false` and `0`): an access
 * token counts until its `exp`, a refresh token until the account is closed or its own end, a stolen one too, and nobody notices its second use.
 * There is no list of sessions and no bound on them, a changed password signs nobody out, and nobody can act for somebody else.
 * @throws OptionError
 */
export function createStatelessSessions(options: StatelessSessionsOptions): Sessions {
  const { tokens, signing, refreshTtl, absolute, isActive, clock, random, events } = readOptions(
    'createStatelessSessions',
    options,
    {
      tokens: option.port<Tokens>(['issue', 'verify']),
      signing: option.port<StatelessSessionsOptions['signing']>([]),
      refreshTtl: option.duration({ minMs: MINUTE, maxMs: 365 * DAY, default: '1d' }),
      absolute: option.duration({ minMs: MINUTE, maxMs: 400 * DAY, default: '30d' }),
      isActive: option.fn<(userId: string) => Promise<boolean>>(async () => true),
      clock: option.port<Clock>(['now', 'monotonic'], systemClock),
      random: option.port<Random>(['bytes', 'uuid'], systemRandom),
      events: option.port<Events>(['emit'], noEvents),
    },
  );
  if (refreshTtl <= tokens.accessTtlMs)
    optionConflict(
      'createStatelessSessions',
      'refreshTtl',
      'refreshTtl must be longer than the lifetime of an access token',
    );
  if (absolute < refreshTtl)
    optionConflict('createStatelessSessions', 'absolute', 'absolute must be at least refreshTtl');
  const refreshTokens = createTypedTokens(
    { ...signing, accessTtl: refreshTtl, cacheSize: 0, clock, random },
    { owner: 'createStatelessSessions', type: REFRESH_TYPE, maxTtlMs: 365 * DAY },
  );

  function pairOf(userId: string, sessionId: string, facts: Facts): TokenPair {
    const until = facts.session_end * 1000;
    const access = tokens.issue({ userId, sessionId }, facts, until);
    const refresh = refreshTokens.issue({ userId, sessionId }, facts, until);
    return {
      sessionId,
      userId,
      accessToken: access.token,
      accessExpiresAt: access.expiresAt,
      refreshToken: refresh.token,
      refreshExpiresAt: refresh.expiresAt,
      tokenType: facts.cnf ? 'DPoP' : 'Bearer',
    };
  }

  return {
    stateless: true,
    epoch: async () => 0,

    async create({ userId, methods = [], aal = 1, actor, lifetime }, { binding } = {}) {
      if (actor) throw new TypeError('Nobody can act for somebody else in sessions that cannot be ended.');
      const now = clock.now();
      const facts: Facts = {
        auth_time: Math.floor(now / 1000),
        session_end: Math.floor((now + (lifetime === undefined ? absolute : toMs(lifetime)!)) / 1000),
        aal,
        methods,
        ...(binding && { cnf: binding }),
      };
      return pairOf(userId, random.uuid(), facts);
    },

    async refresh(refreshToken, { binding }: ClientMeta = {}) {
      const claims = refreshTokens.verify(refreshToken, { bound: true });
      const { sub, sid } = claims;
      const facts = factsOf(claims);
      if (facts.cnf?.jkt !== undefined && facts.cnf.jkt !== binding?.jkt)
        throw errors.E_TOKEN_INVALID({ details: { fault: 'claim-cnf' } });
      if (sid === undefined || !(await isActive(sub))) throw errors.E_SESSION_ENDED();
      events.emit({ type: 'auth.refreshed', userId: sub, sessionId: sid, replayed: false });
      return pairOf(sub, sid, facts);
    },

    async check(claims): Promise<Principal> {
      const { sub, sid } = claims;
      const { auth_time: at, aal, methods } = factsOf(claims);
      return freezePrincipal({
        id: sub,
        kind: 'user',
        ...(sid !== undefined && { sessionId: sid }),
        methods,
        aal,
        authenticatedAt: at * 1000,
      });
    },

    list: async () => [],
    revoke: async () => false,
    revokeOthers: async () => 0,
    revokeAll: async () => 0,
    end: async () => undefined,
  };
}

/** What a session record would hold, in both tokens. Seconds since 1970, as everything in a JWT. */
interface Facts {
  readonly auth_time: number;
  readonly session_end: number;
  readonly aal: 1 | 2 | 3;
  readonly methods: readonly AuthenticationMethod[];
  readonly cnf?: AccessClaims['cnf'];
}

/** Of a token that we have signed: what stands there is what `create()` wrote. */
function factsOf({ auth_time, session_end, aal, methods, cnf }: AccessClaims): Facts {
  const facts = { auth_time, session_end, aal, methods } as Omit<Facts, 'cnf'>;
  // A key set that also signs for something else must not make sessions of it.
  if (typeof auth_time !== 'number' || typeof session_end !== 'number' || !Array.isArray(methods))
    throw errors.E_TOKEN_INVALID({ details: { fault: 'payload' } });
  return { ...facts, ...(cnf && { cnf }) };
}
