import {
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemClock,
  systemRandom,
  type Clock,
  type Events,
  type KeyValueStore,
  type OptionReader,
  type Random,
} from '@portcullis/core';
import { storeOption } from './checked-store.js';
import type { AuthOptions, SessionsSettings } from './auth-options.js';
import { inProduction } from './environment.js';
import type { External } from './external/external.js';
import type { FactorKey } from './factors/factor-record.js';
import { emailLogin } from './flows/login.js';
import type { Notify } from './flows/messages.js';
import type { DevicesOptions } from './guesses/devices.js';
import type { ImpersonationOptions } from './impersonation.js';
import type { Passkeys } from './passkeys/ceremonies.js';
import type { PasskeyPort } from './passkeys/passkey-port.js';
import { TEST_HASHER } from './passwords/hasher.js';
import type { PasswordsOptions } from './passwords/passwords.js';
import type { KeysInput } from './tokens/keys.js';
import type { MutualTlsOptions } from './transport/mutual-tls.js';
import type { UserPort } from './users.js';

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

/** Settings alone can do nothing: what verifies comes from the subpath, so that only those who use it need its peer. */
const madeByPasskeys: OptionReader<Passkeys> = (value, owner, path) => {
  const made = value as Partial<Passkeys> | null;
  if (typeof made?.verifyRegistration !== 'function' || typeof made.verifyAuthentication !== 'function')
    optionConflict(
      owner,
      path,
      `${path} is not what it takes: make it with passkeys() of "@portcullis/auth/passkeys", which needs @simplewebauthn/server`,
    );
  return value as Passkeys;
};

const readers = {
  issuer: asGiven<string>(),
  audience: asGiven<string>(),
  keys: asGiven<KeysInput>(),
  users: option.port<UserPort>(['findByLogin', 'findById', 'saveCredential']),
  store: storeOption<KeyValueStore>(['get', 'set', 'take', 'swap', 'increment', 'delete']),
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
      drift: option.oneOf([0, 1], 1),
    }),
  ),
  passkeys: option.optional(madeByPasskeys),
  links: option.group({
    registration: option.duration({ minMs: 5 * MINUTE, maxMs: 7 * DAY, default: '1d' }),
    reset: option.duration({ minMs: 5 * MINUTE, maxMs: DAY, default: '30m' }),
  }),
  login: option.fn(emailLogin),
  clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  events: option.port<Events>(['emit'], noEvents),
};

/** What is on, and how; parts read their own options. */
export type AuthSettings = ReturnType<typeof readAuthOptions>;

/** @throws OptionError */
export function readAuthOptions(options: AuthOptions) {
  const { production, sessions, transport, ...given } = readOptions('createAuth', options, {
    ...readers,
    production: option.boolean(inProduction()),
  });
  const settings = {
    ...given,
    registration: registrationOf(given),
    sessions: sessionsOf(sessions, given.impersonation !== undefined),
    transport: transportOf(transport, production),
  };
  if (production && given.passwords?.hash?.name === TEST_HASHER)
    conflict('passwords.hash', 'passwords.hash is testHasher(), which protects nothing. Leave it out');
  if (given.factors && !given.users.saveFactors)
    conflict('factors', 'factors needs users.saveFactors(), which stores them');
  if (given.passkeys) passkeyPort(given.users);
  if (given.apiKeys?.freshness && !given.apiKeys.store)
    conflict(
      'apiKeys.freshness',
      'apiKeys.freshness needs apiKeys.store with the same feed, such as keyValueApiKeys({ store, feed }), or ends would never be announced',
    );
  return settings;
}

function passkeyPort({ passkeys }: UserPort): void {
  if (!passkeys) conflict('passkeys', 'passkeys needs users.passkeys, which stores them');
  option.port<PasskeyPort>(['find', 'list', 'add', 'use', 'rename', 'remove'])(
    passkeys,
    'createAuth',
    'users.passkeys',
  );
}

function registrationOf({
  registration,
  users,
  notify,
}: {
  readonly registration: 'by-mail' | 'open' | false | undefined;
  readonly users: UserPort;
  readonly notify: Notify | undefined;
}): 'by-mail' | 'open' | false {
  const chosen = registration ?? (users.create ? (notify ? 'by-mail' : 'open') : false);
  if (chosen && !users.create) conflict('registration', 'registration needs users.create()');
  if (chosen === 'by-mail' && !notify)
    conflict('registration', 'registration "by-mail" needs notify(), which sends the mail');
  return chosen;
}

function sessionsOf(given: SessionsSettings | false | undefined, impersonates: boolean): SessionsSettings {
  const settings: SessionsSettings = given === false ? { stateless: true } : (given ?? {});
  if (settings.stateless) {
    for (const name of ['store', 'freshness', 'max', 'grace'] as const) {
      if (settings[name] === undefined) continue;
      conflict(
        `sessions.${name}`,
        `sessions.${name} has no meaning with sessions.stateless, which keeps nothing. Leave one of them out`,
      );
    }
    if (impersonates)
      conflict('impersonation', 'impersonation needs sessions that can be ended. Leave out sessions: false');
    const { store: _store, freshness: _freshness, max: _max, grace: _grace, ...rest } = settings;
    return rest;
  }
  if (settings.freshness && !settings.store) {
    conflict(
      'sessions.freshness',
      'sessions.freshness needs sessions.store with the same feed, such as keyValueSessions({ store, feed }), or ends would never be announced',
    );
  }
  return settings;
}

function transportOf<T extends ReturnType<typeof readers.transport>>(given: T, production: boolean) {
  const { bearer } = given;
  const cookies = given.cookies || undefined;
  const dpop = given.dpop || undefined;
  const mutualTls = given.mutualTls || undefined;
  if (!bearer && !cookies) conflict('transport', 'transport has neither bearer nor cookies on');
  if (cookies?.profile === 'development' && production)
    conflict(
      'transport.cookies.profile',
      'transport.cookies.profile "development" sends tokens over plain HTTP and is refused in production. Leave it out',
    );
  if (!bearer && (dpop || mutualTls))
    conflict(
      'transport.bearer',
      'transport.dpop and transport.mutualTls bind tokens of the Authorization header, and transport.bearer switches it off',
    );
  return { bearer, cookies, dpop, mutualTls };
}

function conflict(path: string, problem: string): never {
  return optionConflict('createAuth', path, problem);
}
