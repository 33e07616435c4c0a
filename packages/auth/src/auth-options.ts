import type { Clock, Duration, Events, Freshness, KeyValueStore, Random } from '@portcullis/core';
import type { ApiKeyStore } from './api-keys/api-key-store.js';
import type { ApiKeysOptions } from './api-keys/api-keys.js';
import type { External } from './external/external.js';
import type { FactorKey } from './factors/factor-record.js';
import type { Notify } from './flows/messages.js';
import type { DevicesOptions } from './guesses/devices.js';
import type { LockoutOptions } from './guesses/lockout.js';
import type { GuessStore } from './guesses/ladder.js';
import type { ImpersonationOptions } from './impersonation.js';
import type { Passkeys } from './passkeys/ceremonies.js';
import type { PasswordsOptions } from './passwords/passwords.js';
import type { SessionStore } from './sessions/session-store.js';
import type { SessionLifetimes } from './sessions/sessions.js';
import type { KeysInput } from './tokens/keys.js';
import type { DpopOptions } from './transport/dpop.js';
import type { MutualTlsOptions } from './transport/mutual-tls.js';
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
  readonly guesses?: Omit<LockoutOptions, 'store'> & {
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
   * the database: the first seals, all open. `issuer`: the name that apps show. `drift`: steps of 30 s beside the current one in which a code
   * counts, for clocks that differ; 0 holds to ASVS V6.5.5, 1 is the default. @default none
   */
  readonly factors?: {
    readonly keys: readonly FactorKey[];
    readonly issuer: string;
    readonly drift?: 0 | 1;
  };
  /**
   * `passkeys({ rpId, rpName, origins })` of `@portcullis/auth/passkeys`: sign-in without a name or password, second factor and
   * step-up by WebAuthn. Needs `users.passkeys`. @default none
   */
  readonly passkeys?: Passkeys;
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
