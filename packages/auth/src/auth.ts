import { ensureContext, type KeyValueStore, type Middleware, type SecurityRequest } from '@portcullis/core';
import {
  noCookies,
  noImpersonation,
  withoutNotify,
  withoutPasskeyAccounts,
  withoutPasskeys,
} from './absent.js';
import { createApiKeys, type ApiKeys } from './api-keys/api-keys.js';
import { keyValueApiKeys } from './api-keys/key-value-api-keys.js';
import type { AuthOptions } from './auth-options.js';
import { createSealer } from './factors/factor-record.js';
import { createFactors, type Factors, type FactorDeps } from './factors/factors.js';
import { checkedUsers } from './flows/checked-users.js';
import { createFactorFlows, type FactorFlows } from './flows/factor-flows.js';
import { createFlows, type Flows, type RequestMeta } from './flows/flows.js';
import { createMailFlows, type MailFlows } from './flows/mail-flows.js';
import { createNotifier } from './flows/notifier.js';
import { createOneTimeTokens } from './flows/one-time-tokens.js';
import { createOutbox } from './flows/outbox.js';
import { createDeviceCookie } from './guesses/device-cookie.js';
import { createDevices } from './guesses/devices.js';
import { createLockout, type Lockout } from './guesses/lockout.js';
import { createLadder, type Ladder } from './guesses/ladder.js';
import {
  createAuthenticate,
  createInPerson,
  createRequired,
  schemeOf,
  userAgentOf,
  type RequiredOptions,
} from './identify.js';
import { createImpersonation, type Impersonate } from './impersonation.js';
import { createCeremonyBook } from './passkeys/ceremony-book.js';
import { createOwnAccount } from './passkeys/own-account.js';
import { createPasskeyAccounts, type PasskeyAccountFlows } from './passkeys/passkey-accounts.js';
import { createPasskeyFlows, type PasskeyFlows } from './passkeys/passkey-flows.js';
import { createPasswords, type Passwords } from './passwords/passwords.js';
import { readAuthOptions, type AuthSettings } from './read-auth-options.js';
import { createRouter, type AuthRouterOptions } from './routes/router.js';
import { keyValueSessions } from './sessions/key-value-sessions.js';
import { createSessions, type EndOptions, type Sessions } from './sessions/sessions.js';
import { createStatelessSessions } from './sessions/stateless-sessions.js';
import { publishKeys } from './tokens/publish-keys.js';
import { createTokens, type Tokens } from './tokens/tokens.js';
import { createCeremonyCookie } from './transport/ceremony-cookie.js';
import { cookieNames, createCookies, type AuthCookies } from './transport/cookies.js';
import { createDpop, type DpopOptions } from './transport/dpop.js';
import { createMutualTls } from './transport/mutual-tls.js';
import { keyValueReplays } from './transport/replay-store.js';
import { challengeOf, type SenderConstraints } from './transport/sender.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

export interface Auth extends Flows, MailFlows, FactorFlows, PasskeyFlows, PasskeyAccountFlows {
  /**
   * Stage 6: a good credential sets the frozen `req.security.principal`, none leaves it anonymous.
   * Refuses a bad one with 401 (E_TOKEN_INVALID, E_TOKEN_EXPIRED, E_TOKEN_REUSED, E_SESSION_ENDED) and with 503 when the
   * session cannot be looked up.
   */
  authenticate(): Middleware;
  /** Refuses API keys and people who act for others: 403 E_NOT_IN_PERSON. For routes that change credentials. */
  inPerson(): Middleware;
  /**
   * Begins a session in which `actor` acts for a user: marked with both names, minutes long, without right to change credentials.
   * @throws E_IMPERSONATION_REFUSED (403), E_VALIDATION (400), what `impersonation.record` throws
   */
  readonly impersonate: Impersonate;
  /**
   * Closes an account and ends everything of it: sessions, those in which it acts for others, and API keys. Other processes follow within
   * the lease, and with `strict` they have followed when it resolves. Returns whether there was such an account.
   */
  deactivate(userId: string, options?: EndOptions): Promise<boolean>;
  /**
   * Refuses anonymous requests: 401 E_AUTHENTICATION_REQUIRED with `WWW-Authenticate`; and with `{ aal: 2, fresh: '5m' }` those that
   * are not strong or fresh enough: 401 E_STEP_UP_REQUIRED with the challenge of RFC 9470, to be answered by `stepUp()`.
   * @throws OptionError
   */
  required(options?: RequiredOptions): Middleware;
  /**
   * All flows as JSON routes: `POST /register`, with `notify` `/register/complete`, `/reset`, `/reset/complete`, `/login`,
   * `/login/complete`; `/sign-in`, `/refresh`, `/sign-out`, `/password`, `GET /sessions`,
   * `DELETE /sessions` (the others), `DELETE /sessions/:id`, with `passkeys` `/passkeys` and below (by mail also `/register/passkey`), `GET /jwks.json`, and `GET /openapi.json`, which describes them (OpenAPI 3.1). Mount it behind `context()`,
   * `express.json()` and `authenticate()`.
   * @throws OptionError
   */
  router(options?: AuthRouterOptions): Middleware;
  /** Answers `GET /.well-known/jwks.json`, for other services that verify our tokens. Mount it at the root. */
  wellKnown(): Middleware;
  /** Where a request comes from. @throws E_CONTEXT_MISSING without `context()` */
  metaOf(req: SecurityRequest): RequestMeta;
  /** Sends what waits at once, and resolves when nothing does: for tests, and before the process ends. */
  settled(): Promise<void>;
  readonly cookies: AuthCookies;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly tokens: Tokens;
  readonly guesses: Lockout;
  /** Undefined where `apiKeys` is not set. */
  readonly apiKeys: ApiKeys | undefined;
}

/**
 * Everything about who someone is, from one set of options.
 * @throws OptionError
 */
export function createAuth(options: AuthOptions): Auth {
  const given = readAuthOptions(options);
  const { issuer, audience, store, notify, clock, random, events } = given;
  const { bearer, cookies: cookieOptions } = given.transport;
  const users = checkedUsers(given.users);
  const isActive = async (userId: string) => (await users.findById(userId))?.active === true;
  const parts = { clock, random, events, isActive };

  const signing = { issuer, audience, keys: given.keys };
  const { accessTtl, stateless, store: sessionStore, ...lifetimes } = given.sessions;
  const tokens = createTokens({
    ...signing,
    clock,
    random,
    ...(accessTtl === undefined ? {} : { accessTtl }),
  });
  const sessions = stateless
    ? createStatelessSessions({ ...lifetimes, ...parts, tokens, signing })
    : createSessions({ ...lifetimes, ...parts, tokens, store: sessionStore ?? keyValueSessions({ store }) });
  const apiKeys =
    given.apiKeys &&
    createApiKeys({ ...given.apiKeys, ...parts, store: given.apiKeys.store ?? keyValueApiKeys({ store }) });

  const passwords = createPasswords({ ...given.passwords, clock, events });
  const guesses = createLockout({ store, ...given.guesses }, 'guesses');
  const devices = given.devices && createDevices(given.devices, { clock, random }, 'createAuth', 'devices');
  const oneTimeTokens = createOneTimeTokens(store, clock, random);
  const outbox = createOutbox({ events, random });
  const shared = {
    users,
    sessions,
    passwords,
    devices,
    tokens: oneTimeTokens,
    notifier: createNotifier(notify, outbox),
    login: given.login,
    clock,
    events,
  };
  const factors =
    given.factors && factorsOf(given.factors, { ...shared, store, random, guesses: given.guesses });
  const { passkeys } = given;
  const constraints = constraintsOf(given);
  const scheme = schemeOf(challengeOf(constraints));
  const own = passkeys && createOwnAccount({ passkeys, port: users.passkeys!, factors, scheme, clock });
  const { confirm, confirmOwner, begin, guess, askSecond, ...flows } = createFlows({
    ...shared,
    guesses,
    factors,
    passkeys,
    own,
  });
  const ceremonies = passkeys && {
    ...shared,
    passkeys,
    port: users.passkeys!,
    book: createCeremonyBook({ passkeys, tokens: oneTimeTokens, clock, random }),
  };
  const { assertStrong, ...passkeyFlows } = ceremonies
    ? createPasskeyFlows({
        ...ceremonies,
        factors,
        guess,
        askSecond,
        begin,
        own: own!,
        scheme,
      })
    : { ...withoutPasskeys(), assertStrong: undefined };
  const passkeyAccounts =
    ceremonies && given.registration === 'by-mail' && users.markVerified
      ? createPasskeyAccounts(ceremonies)
      : undefined;
  const factorFlows = createFactorFlows({ ...shared, factors, confirm, begin, assertStrong });
  const mailFlows = createMailFlows({
    ...shared,
    mails: mailLadder(store),
    confirmOwner,
    lifetimes: { registrationMs: given.links.registration, resetMs: given.links.reset },
  });

  const device = devices && cookieOptions && createDeviceCookie(cookieOptions.profile, devices.ttlMs);
  const cookies = cookieOptions && createCookies({ ...cookieOptions, clock, device });
  const metaOf = (req: SecurityRequest): RequestMeta => ({
    address: ensureContext(req, { clock, random }).address,
    ...userAgentOf(req),
    ...(device ? { devices: device.read(req) } : {}),
  });
  const transport = { bearer, cookies, trustedOrigins: cookieOptions?.trustedOrigins ?? [] };
  const authenticate = createAuthenticate({
    ...transport,
    tokens,
    sessions,
    external: given.external,
    apiKeys,
    constraints,
    renew: cookieOptions?.renew ?? false,
    clock,
    random,
    events,
  });
  const inPerson = createInPerson(events);
  const routeDeps = {
    ...transport,
    flows,
    factorFlows,
    factors: factors !== undefined,
    secondSteps: factors !== undefined || passkeys?.secondFactor === true,
    codeAfterPasskey: factors !== undefined && passkeys?.verifiesUser === false,
    passkeyFlows: passkeys && passkeyFlows,
    passkeyAccounts,
    ceremonies: cookieOptions && createCeremonyCookie(cookieOptions.profile),
    mailFlows: notify ? mailFlows : undefined,
    changesLogin: users.changeLogin !== undefined,
    sessions,
    tokens,
    apiKeys,
    registration: given.registration,
    cookieName: cookieOptions && cookieNames(cookieOptions.profile).access,
    dpop: constraints.dpop,
    mutualTls: constraints.mutualTls !== undefined,
    external: given.external !== undefined,
    renews: cookieOptions?.renew ?? false,
    metaOf,
    now: () => clock.now(),
    events,
  };

  return {
    ...flows,
    ...factorFlows,
    ...passkeyFlows,
    ...(passkeyAccounts ?? withoutPasskeyAccounts()),
    ...(notify ? mailFlows : withoutNotify(mailFlows)),
    settled: () => outbox.settled(),
    authenticate: () => authenticate,
    required: (requiredOptions) => createRequired(events, constraints, clock, requiredOptions),
    inPerson: () => inPerson,
    impersonate: given.impersonation
      ? createImpersonation(given.impersonation, { users, sessions, events, now: () => clock.now() })
      : noImpersonation,
    async deactivate(userId, endOptions = {}) {
      if (!users.deactivate) throw new TypeError('deactivate() needs users.deactivate().');
      const found = await users.deactivate(userId);
      // Also if there is no such account any more: a caller that tries again after a fault expects that all is ended.
      await sessions.revokeAll(userId, 'deactivated', endOptions);
      await apiKeys?.revokeAll(userId, endOptions);
      if (found) events.emit({ type: 'auth.deactivated', userId });
      return found;
    },
    router: (routerOptions) => createRouter(routeDeps, routerOptions),
    wellKnown: () => publishKeys(tokens),
    metaOf,
    cookies: cookies ?? noCookies,
    sessions,
    passwords,
    tokens,
    guesses,
    apiKeys,
  };
}

/** From one network five wrong codes at once, then waits that double up to a day: some 17 of a million a day, 32 from all networks. */
function factorsOf(
  { keys, issuer, drift }: NonNullable<AuthSettings['factors']>,
  {
    guesses,
    ...deps
  }: Omit<FactorDeps, 'sealer' | 'lockout' | 'issuer' | 'drift'> & Pick<AuthSettings, 'guesses'>,
): Factors {
  return createFactors({
    ...deps,
    issuer,
    drift,
    sealer: createSealer(keys, deps.random, 'createAuth', 'factors.keys'),
    lockout: createLockout({
      store: deps.store,
      ...guesses,
      free: 5,
      perAccount: 20,
      rest: MINUTE / 2,
      maxRest: DAY,
      most: 100,
      window: DAY,
    }),
  });
}

/** One mailbox gets three messages at once, then one after 5, 10, 20 minutes, ... */
function mailLadder(store: KeyValueStore): Ladder {
  return createLadder(store, 'mail', {
    free: 3,
    restMs: 5 * MINUTE,
    maxRestMs: 60 * MINUTE,
    most: 50,
    windowMs: DAY,
  });
}

function constraintsOf({ store, clock, transport: { dpop, mutualTls } }: AuthSettings): SenderConstraints {
  return {
    dpop: dpop && createDpop({ replays: keyValueReplays({ store }), ...dpop } as DpopOptions, { clock }),
    mutualTls: mutualTls && createMutualTls(mutualTls),
  };
}
