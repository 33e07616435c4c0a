import {
  ensureContext,
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemClock,
  systemRandom,
  type Clock,
  type Duration,
  type Events,
  type Freshness,
  type KeyValueStore,
  type Middleware,
  type OptionReader,
  type Random,
  type SecurityRequest,
} from '@portcullis/core';
import { inProduction } from './environment.js';
import { checkedUsers } from './flows/checked-users.js';
import { createFlows, type Flows, type RequestMeta } from './flows/flows.js';
import { emailLogin } from './flows/login.js';
import { createFactorFlows, type FactorFlows } from './flows/factor-flows.js';
import { createMailFlows, type MailFlows } from './flows/mail-flows.js';
import type { Notify } from './flows/messages.js';
import { createNotifier } from './flows/notifier.js';
import { createOneTimeTokens } from './flows/one-time-tokens.js';
import { createOutbox } from './flows/outbox.js';
import { createSealer, type FactorKey } from './factors/factor-record.js';
import { createFactors } from './factors/factors.js';
import { createDeviceCookie } from './guesses/device-cookie.js';
import { createDevices, type DevicesOptions } from './guesses/devices.js';
import { createGuessBudget, type GuessBudget, type GuessBudgetOptions } from './guesses/guess-budget.js';
import { createApiKeys, type ApiKeys, type ApiKeysOptions } from './api-keys/api-keys.js';
import type { ApiKeyStore } from './api-keys/api-key-store.js';
import { keyValueApiKeys } from './api-keys/key-value-api-keys.js';
import { createImpersonation, type Impersonate, type ImpersonationOptions } from './impersonation.js';
import { createLadder, type GuessStore } from './guesses/ladder.js';
import {
  createAuthenticate,
  createInPerson,
  createRequired,
  userAgentOf,
  type RequiredOptions,
} from './identify.js';
import { createPasswords, type Passwords, type PasswordsOptions } from './passwords/passwords.js';
import { createRouter, type AuthRouterOptions } from './router.js';
import { keyValueSessions } from './sessions/key-value-sessions.js';
import type { SessionStore } from './sessions/session-store.js';
import {
  createSessions,
  type EndOptions,
  type SessionLifetimes,
  type Sessions,
} from './sessions/sessions.js';
import { createStatelessSessions } from './sessions/stateless-sessions.js';
import type { KeysInput } from './tokens/keys.js';
import { publishKeys } from './tokens/publish-keys.js';
import { createTokens, type Tokens } from './tokens/tokens.js';
import { createCookies, type AuthCookies } from './transport/cookies.js';
import { createDpop, type DpopOptions } from './transport/dpop.js';
import { createMutualTls, type MutualTlsOptions } from './transport/mutual-tls.js';
import { keyValueReplays } from './transport/replay-store.js';
import type { SenderConstraints } from './transport/sender.js';
import type { External } from './external/external.js';
import type { UserPort } from './users.js';

export interface AuthOptions {
  /** Who makes the tokens, usually the service's URL. */
  readonly issuer: string;
  /** For whom they are, usually the API's URL. */
  readonly audience: string;
  /** A private JWK Set; the first key signs, all verify. `generateKeys()` makes one. */
  readonly keys: KeysInput;
  readonly users: UserPort;
  /** Counts guesses, and keeps the sessions unless `sessions.store` does. One process: `createMemoryStore()`. */
  readonly store: KeyValueStore;
  /**
   * `false`, or `{ stateless: true }` with other lifetimes: the server keeps nothing of a session, and none can be ended; see
   * `createStatelessSessions()` for what that loses.
   */
  readonly sessions?: false | SessionsSettings;
  readonly transport?: {
    /** `Authorization: Bearer ...`. @default true */
    readonly bearer?: boolean;
    /** @default false */
    readonly cookies?: false | CookieOptions;
    /**
     * Bind tokens to a key of the client (RFC 9449): a sign-in with a proof begins a bound session, and its tokens count only with
     * proofs of the same key. `replays` defaults to `keyValueReplays({ store })`. @default false: bound tokens are refused
     */
    readonly dpop?: false | (Omit<DpopOptions, 'replays'> & Partial<Pick<DpopOptions, 'replays'>>);
    /** Take tokens that are bound to the client's certificate (RFC 8705). @default false: such tokens are refused */
    readonly mutualTls?: false | MutualTlsOptions;
  };
  /** Takes access tokens of other providers too: `external([...])`. @default none */
  readonly external?: External;
  /** Keys for programs, `Authorization: Bearer <prefix>_...`. @default none */
  readonly apiKeys?: Omit<ApiKeysOptions, 'store' | 'isActive' | 'clock' | 'random' | 'events'> & {
    /** @default keyValueApiKeys({ store }) */
    readonly store?: ApiKeyStore;
  };
  /** Lets staff act for others. @default nobody */
  readonly impersonation?: ImpersonationOptions;
  readonly passwords?: Omit<PasswordsOptions, 'clock' | 'events'>;
  readonly guesses?: Omit<GuessBudgetOptions, 'store'> & {
    /** @default the `store` of everything */
    readonly store?: GuessStore;
  };
  /**
   * Known devices: after a sign-in a device gets a signed token (a cookie with `transport.cookies`, else `deviceToken`), and
   * its guesses count apart, so that strangers cannot lock the owner out. @default none is known
   */
  readonly devices?: DevicesOptions;
  /**
   * Offer registration. `by-mail`: the answer does not tell whether there is an account, and the mailbox is shown to be theirs.
   * `open`: at once, for those who cannot send mail. @default 'by-mail' with `users.create` and `notify`, 'open' without `notify`
   */
  readonly registration?: 'by-mail' | 'open' | false;
  /**
   * Tells people something in a mailbox: a link to finish a registration or to reset a password, a warning. Called after the
   * answer, up to three times if it rejects. @default none: no registration by mail, no reset
   */
  readonly notify?: Notify;
  /**
   * Second factors: codes of authenticator apps (TOTP) and recovery codes. Needs `users.saveFactors()`. `keys` seal the secrets in
   * the database: the first seals, all open. `issuer`: the name that apps show. @default none
   */
  readonly factors?: { readonly keys: readonly FactorKey[]; readonly issuer: string };
  readonly links?: {
    /** How long a link to finish a registration counts, 5 min to 7 d. @default '1d' */
    readonly registration?: Duration;
    /** How long a link to reset a password or change an e-mail counts, 5 min to 1 d. @default '30m' */
    readonly reset?: Duration;
  };
  /** Canonical spelling of a login, or undefined for what is none. @default emailLogin */
  readonly login?: (typed: string) => string | undefined;
  /** Refuses what is meant for development. @default NODE_ENV is "production" */
  readonly production?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

export interface SessionsSettings extends SessionLifetimes {
  /** Keep nothing of a session: no store, no bound, no grace window, no revocation. @default false */
  readonly stateless?: boolean;
  /** @default keyValueSessions({ store }) */
  readonly store?: SessionStore;
  /** Lifetime of an access token, 1 s to 24 h. @default '10m' */
  readonly accessTtl?: Duration;
  /** Keeps live sessions in memory under this lease; needs a `store` that announces to the same feed. @default none: every request asks the store */
  readonly freshness?: Freshness;
}

export interface CookieOptions {
  /** `development`: without Secure and `__Host-`, for http://localhost; refused in production. @default 'host' */
  readonly profile?: 'host' | 'development';
  /** `refresh`: as long as the refresh token. `session`: until the browser closes. @default 'refresh' */
  readonly lifetime?: 'refresh' | 'session';
  /** Renew an expired access token in `authenticate()`; otherwise the client calls `POST /refresh`. @default true */
  readonly renew?: boolean;
  /** Other origins (`https://app.example`) that may send state-changing requests with cookies. @default [] */
  readonly trustedOrigins?: readonly string[];
}

export interface Auth extends Flows, MailFlows, FactorFlows {
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
   * `DELETE /sessions` (the others), `DELETE /sessions/:id`, `GET /jwks.json`. Mount it behind `context()`,
   * `express.json()` and `authenticate()`.
   * @throws OptionError
   */
  router(options?: AuthRouterOptions): Middleware;
  /** Answers `GET /.well-known/jwks.json`, for other services that verify our tokens. Mount it at the root. */
  wellKnown(): Middleware;
  /** Where a request comes from. @throws E_CONTEXT_MISSING without `context()` */
  metaOf(req: SecurityRequest): RequestMeta;
  /** Resolves when no message waits to be sent: for tests, and before the process ends. */
  settled(): Promise<void>;
  readonly cookies: AuthCookies;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly tokens: Tokens;
  readonly guesses: GuessBudget;
  /** Undefined where `apiKeys` is not set. */
  readonly apiKeys: ApiKeys | undefined;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Checked by the part that it is for. */
const asGiven =
  <T>(): OptionReader<T> =>
  (value) =>
    value as T;

/** An options object of a part, which checks what is in it; here only that it is one. */
const optionsOf =
  <T extends object>(): OptionReader<T | undefined> =>
  (value, owner, path) =>
    value === undefined ? undefined : option.port<T>([])(value, owner, path);

/**
 * Everything about who someone is, from one set of options.
 * @throws OptionError
 */
export function createAuth(options: AuthOptions): Auth {
  const given = readOptions('createAuth', options, {
    issuer: asGiven<string>(),
    audience: asGiven<string>(),
    keys: asGiven<KeysInput>(),
    users: option.port<UserPort>(['findByLogin', 'findById', 'saveCredential']),
    store: option.port<KeyValueStore>(['get', 'set', 'swap', 'increment', 'delete']),
    sessions: option.orFalse(optionsOf<SessionsSettings>()),
    apiKeys: optionsOf<NonNullable<AuthOptions['apiKeys']>>(),
    impersonation: optionsOf<ImpersonationOptions>(),
    transport: option.group({
      bearer: option.boolean(true),
      dpop: option.orFalse(option.optional(option.port<object>([]))),
      mutualTls: option.orFalse(option.optional(option.port<MutualTlsOptions>([]))),
      cookies: option.orFalse(
        option.optional(
          option.group({
            profile: option.oneOf(['host', 'development'], 'host'),
            lifetime: option.oneOf(['refresh', 'session'], 'refresh'),
            renew: option.boolean(true),
            trustedOrigins: option.array(option.string({ pattern: /^https?:\/\/[^/\s]+$/ }), { default: [] }),
          }),
        ),
      ),
    }),
    external: option.optional(option.port<External>(['claims', 'verify'])),
    passwords: optionsOf<Omit<PasswordsOptions, 'clock' | 'events'>>(),
    guesses: optionsOf<NonNullable<AuthOptions['guesses']>>(),
    devices: optionsOf<DevicesOptions>(),
    registration: option.orFalse(option.optional(option.oneOf(['by-mail', 'open']))),
    notify: option.optional(option.fn<Notify>()),
    factors: option.optional(
      option.group({
        keys: option.array((value) => value as FactorKey, { min: 1, max: 16 }),
        issuer: option.string({ max: 64, pattern: /^[^:]+$/ }),
      }),
    ),
    links: option.group({
      registration: option.duration({ minMs: 5 * MINUTE, maxMs: 7 * DAY, default: '1d' }),
      reset: option.duration({ minMs: 5 * MINUTE, maxMs: DAY, default: '30m' }),
    }),
    login: option.fn(emailLogin),
    production: option.boolean(inProduction()),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { store, clock, random, events, login } = given;
  const users = checkedUsers(given.users);
  const { notify } = given;
  const registration = given.registration ?? (users.create ? (notify ? 'by-mail' : 'open') : false);
  if (registration && !users.create)
    optionConflict('createAuth', 'registration', 'registration needs users.create()');
  if (registration === 'by-mail' && !notify)
    optionConflict(
      'createAuth',
      'registration',
      'registration "by-mail" needs notify(), which sends the mail',
    );
  const { bearer } = given.transport;
  const cookieOptions = given.transport.cookies || undefined;
  if (!bearer && !cookieOptions)
    optionConflict('createAuth', 'transport', 'transport has neither bearer nor cookies on');
  if (cookieOptions?.profile === 'development' && given.production) {
    optionConflict(
      'createAuth',
      'transport.cookies.profile',
      'transport.cookies.profile "development" sends tokens over plain HTTP and is refused in production. Leave it out',
    );
  }

  const { dpop: dpopOptions, mutualTls: mutualTlsOptions } = given.transport;
  if (!bearer && (dpopOptions || mutualTlsOptions))
    optionConflict(
      'createAuth',
      'transport.bearer',
      'transport.dpop and transport.mutualTls bind tokens of the Authorization header, and transport.bearer switches it off',
    );
  const constraints: SenderConstraints = {
    dpop: dpopOptions
      ? createDpop({ replays: keyValueReplays({ store }), ...dpopOptions } as DpopOptions, { clock })
      : undefined,
    mutualTls: mutualTlsOptions ? createMutualTls(mutualTlsOptions) : undefined,
  };

  const sessionsGiven: SessionsSettings =
    given.sessions === false ? { stateless: true } : (given.sessions ?? {});
  const { accessTtl, stateless = false, ...settings } = sessionsGiven;
  const { issuer, audience, keys } = given;
  const signing = { issuer, audience, keys };
  const tokens = createTokens({
    ...signing,
    clock,
    random,
    ...(accessTtl === undefined ? {} : { accessTtl }),
  });
  const isActive = async (userId: string) => (await users.findById(userId))?.active === true;
  const parts = { clock, random, events, isActive };
  const sessions = stateless
    ? createStatelessSessions({ ...statelessOnly(settings), ...parts, tokens, signing })
    : createSessions({ ...storedOnly(settings, store), ...parts, tokens });
  if (stateless && given.impersonation)
    optionConflict(
      'createAuth',
      'impersonation',
      'impersonation needs sessions that can be ended. Leave out sessions: false',
    );
  const apiKeys = given.apiKeys && createApiKeys({ ...keysOnly(given.apiKeys, store), ...parts });
  const passwords = createPasswords({ ...given.passwords, clock, events });
  const guesses = createGuessBudget({ store, ...given.guesses }, 'guesses');
  const devices = given.devices && createDevices(given.devices, { clock, random }, 'createAuth', 'devices');
  const outbox = createOutbox({ events });
  const notifier = createNotifier(notify, outbox);
  const oneTimeTokens = createOneTimeTokens(store, clock, random);
  if (given.factors && !users.saveFactors)
    optionConflict('createAuth', 'factors', 'factors needs users.saveFactors(), which stores them');
  const factors =
    given.factors &&
    createFactors({
      users,
      store,
      sealer: createSealer(given.factors.keys, random, 'createAuth', 'factors.keys'),
      tokens: oneTimeTokens,
      // Five wrong codes at once, then waits that double up to a day: some 16 of a million a day.
      attempts: createLadder(store, 'factor', {
        free: 5,
        restMs: MINUTE / 2,
        maxRestMs: DAY,
        most: 100,
        windowMs: DAY,
      }),
      issuer: given.factors.issuer,
      clock,
      random,
      events,
    });
  const { confirm, begin, ...flows } = createFlows({
    users,
    sessions,
    passwords,
    guesses,
    devices,
    notifier,
    factors,
    tokens: oneTimeTokens,
    login,
    events,
    clock,
  });
  const factorFlows = createFactorFlows({
    users,
    sessions,
    factors,
    tokens: oneTimeTokens,
    notifier,
    confirm,
    begin,
    clock,
  });
  const mailFlows = createMailFlows({
    users,
    sessions,
    passwords,
    devices,
    tokens: oneTimeTokens,
    notifier,
    // One mailbox gets three messages at once, then one after 5, 10, 20 minutes, ...
    mails: createLadder(store, 'mail', {
      free: 3,
      restMs: 5 * MINUTE,
      maxRestMs: 60 * MINUTE,
      most: 50,
      windowMs: DAY,
    }),
    confirm,
    login,
    lifetimes: { registrationMs: given.links.registration, resetMs: given.links.reset },
    clock,
    events,
  });
  const deviceCookie = devices && cookieOptions && createDeviceCookie(cookieOptions.profile, devices.ttlMs);
  const cookies = cookieOptions && createCookies({ ...cookieOptions, clock, device: deviceCookie });
  const trustedOrigins = cookieOptions?.trustedOrigins ?? [];
  const renew = cookieOptions?.renew ?? false;

  const metaOf = (req: SecurityRequest): RequestMeta => ({
    address: ensureContext(req, { clock, random }).address,
    ...userAgentOf(req),
    ...(deviceCookie ? { devices: deviceCookie.read(req) } : {}),
  });
  const authenticate = createAuthenticate({
    tokens,
    sessions,
    external: given.external,
    apiKeys,
    constraints,
    bearer,
    cookies,
    renew,
    trustedOrigins,
    clock,
    random,
    events,
  });
  const inPerson = createInPerson(events);
  const required = (requiredOptions?: RequiredOptions) =>
    createRequired(events, constraints, clock, requiredOptions);
  const routerDeps = {
    flows,
    factorFlows,
    factors: factors !== undefined,
    mailFlows: notify ? mailFlows : undefined,
    changesLogin: users.changeLogin !== undefined,
    sessions,
    tokens,
    apiKeys,
    registration,
    bearer,
    cookies,
    dpop: constraints.dpop,
    trustedOrigins,
    metaOf,
    now: () => clock.now(),
    events,
  };

  return {
    ...flows,
    ...factorFlows,
    ...(notify ? mailFlows : withoutNotify(mailFlows)),
    settled: () => outbox.settled(),
    authenticate: () => authenticate,
    required,
    inPerson: () => inPerson,
    impersonate: given.impersonation
      ? createImpersonation(given.impersonation, { users, sessions, events, now: () => clock.now() })
      : async () => notAllowed(),
    async deactivate(userId, endOptions = {}) {
      if (!users.deactivate) throw new TypeError('deactivate() needs users.deactivate().');
      const found = await users.deactivate(userId);
      // Also if there is no such account any more: a caller that tries again after a fault expects that all is ended.
      await sessions.revokeAll(userId, 'deactivated', endOptions);
      await apiKeys?.revokeAll(userId, endOptions);
      if (found) events.emit({ type: 'auth.deactivated', userId });
      return found;
    },
    router: (routerOptions) => createRouter(routerDeps, routerOptions),
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

function statelessOnly(
  settings: Omit<SessionsSettings, 'accessTtl' | 'stateless'>,
): Pick<SessionLifetimes, 'refreshTtl' | 'absolute'> {
  const { store, freshness, max, grace, ...rest } = settings;
  for (const [name, value] of Object.entries({ store, freshness, max, grace })) {
    if (value !== undefined)
      optionConflict(
        'createAuth',
        `sessions.${name}`,
        `sessions.${name} has no meaning with sessions.stateless, which keeps nothing. Leave one of them out`,
      );
  }
  return rest;
}

function storedOnly(
  settings: Omit<SessionsSettings, 'accessTtl' | 'stateless'>,
  store: KeyValueStore,
): SessionLifetimes & { readonly store: SessionStore; readonly freshness?: Freshness } {
  if (settings.freshness && !settings.store) {
    optionConflict(
      'createAuth',
      'sessions.freshness',
      'sessions.freshness needs sessions.store with the same feed, such as keyValueSessions({ store, feed }), or ends would never be announced',
    );
  }
  return { ...settings, store: settings.store ?? keyValueSessions({ store }) };
}

function keysOnly(
  settings: NonNullable<AuthOptions['apiKeys']>,
  store: KeyValueStore,
): Omit<ApiKeysOptions, 'isActive' | 'clock' | 'random' | 'events'> {
  if (settings.freshness && !settings.store) {
    optionConflict(
      'createAuth',
      'apiKeys.freshness',
      'apiKeys.freshness needs apiKeys.store with the same feed, such as keyValueApiKeys({ store, feed }), or ends would never be announced',
    );
  }
  return { ...settings, store: settings.store ?? keyValueApiKeys({ store }) };
}

function notAllowed(): never {
  throw new TypeError(
    'Nobody may act for others. Say who may with createAuth({ impersonation: { allow, record } }).',
  );
}

/** The same functions, each refusing. */
function withoutNotify(flows: MailFlows): MailFlows {
  const refuse = () => Promise.reject(new TypeError('This flow sends mail. Give createAuth({ notify }).'));
  return Object.fromEntries(Object.keys(flows).map((name) => [name, refuse])) as unknown as MailFlows;
}

function off(): never {
  throw new TypeError('Cookies are off. Turn them on with createAuth({ transport: { cookies: {} } }).');
}

const noCookies: AuthCookies = Object.freeze({ write: off, clear: off, remember: off, read: off });
