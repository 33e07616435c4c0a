import {
  hasCode,
  isSecurityError,
  type AuthenticationMethod,
  type ClientAddress,
  type Clock,
  type Events,
  type Principal,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { SignInFault } from '../events.js';
import type { Factors } from '../factors/factors.js';
import { accountKey } from '../guesses/account-key.js';
import type { Devices } from '../guesses/devices.js';
import type { Guess, Lockout } from '../guesses/lockout.js';
import { takeGuess } from '../guesses/take-guess.js';
import type { Passkeys } from '../passkeys/ceremonies.js';
import type { AccountOwner, OwnAccount } from '../passkeys/own-account.js';
import type { Passwords } from '../passwords/passwords.js';
import type { SenderBinding } from '../sessions/session-store.js';
import type { ClientMeta, Sessions, TokenPair } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import { inputFault, readInput } from './input.js';
import { inputs } from './inputs.js';
import type { AuthMessage } from './messages.js';
import type { Notifier } from './notifier.js';
import type { OneTimeTokens } from './one-time-tokens.js';

/** Who is asking; `auth.metaOf(req)` reads it from a request. */
export interface RequestMeta {
  /** Counts against the network's budget of guesses; undefined only for calls that come from no network. */
  readonly address: ClientAddress | undefined;
  readonly userAgent?: string;
  /** The key that the sender has proven to hold: the session and its tokens are bound to it. */
  readonly binding?: SenderBinding;
  /** Tokens of devices that the client says it is, from the cookie or the body; nothing of them has been verified. */
  readonly devices?: readonly string[];
}

/** The tokens of a session, and with `devices` on one by which this device is known from now on. */
export interface SignedIn extends TokenPair {
  readonly deviceToken?: string;
}

export interface Flows {
  /**
   * Adds an account. Does not sign in.
   * Tells whether a login is taken (409), and asks nobody whether the mailbox is theirs: `startRegistration()` does neither.
   * @throws E_VALIDATION | E_PASSWORD_POLICY (400), E_ACCOUNT_EXISTS (409), E_PASSWORD_BUSY (503)
   */
  register(input: RegisterInput, meta: RequestMeta): Promise<{ readonly userId: string }>;
  /**
   * Begins a session. The answer and the work are the same for an unknown account, a wrong password, an inactive or
   * unverified account and one that has been guessed at too often.
   * @throws E_SIGN_IN_FAILED (401), E_SECOND_FACTOR_REQUIRED (401, with `challenge` for `completeSignIn()`), E_SIGN_IN_LIMITED (429, by network), E_VALIDATION (400), E_PASSWORD_BUSY and what
   * stores throw (503)
   */
  signIn(input: SignInInput, meta: RequestMeta): Promise<SignedIn>;
  /** As `sessions.refresh()`. */
  refresh(refreshToken: unknown, meta?: RequestMeta): Promise<TokenPair>;
  /** Ends the session of a principal or of a refresh token; without effect if there is none. */
  signOut(who: Pick<Principal, 'id' | 'sessionId'> | string): Promise<void>;
  /**
   * Replaces the password and ends all other sessions. Nobody does that for somebody else (E_NOT_IN_PERSON, 403). An account
   * without password gets one from whoever has just shown its passkey (`fresh` of `passkeys()`).
   * @throws E_PASSWORD_WRONG | E_PASSWORD_POLICY | E_VALIDATION (400), E_STEP_UP_REQUIRED (401), E_SIGN_IN_LIMITED (429)
   */
  changePassword(who: AccountOwner, input: ChangePasswordInput, meta: RequestMeta): Promise<void>;
}

export interface SignInInput {
  readonly login: string;
  readonly password: string;
}

export interface RegisterInput extends SignInInput {
  readonly name?: string;
}

export interface ChangePasswordInput {
  /** Needed where the account has one. */
  readonly currentPassword?: string;
  readonly newPassword: string;
}

export interface FlowDeps {
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly guesses: Lockout;
  /** Undefined: no device is known. */
  readonly devices: Devices | undefined;
  readonly notifier: Notifier;
  /** Undefined: there are no second factors. */
  readonly factors: Factors | undefined;
  /** Undefined: there are none. */
  readonly passkeys: Pick<Passkeys, 'secondFactor'> | undefined;
  readonly own: OwnAccount | undefined;
  readonly tokens: OneTimeTokens;
  readonly login: (typed: string) => string | undefined;
  readonly events: Events;
  readonly clock: Clock;
}

const CHALLENGE_MS = 300_000;

/** Begins a session for somebody who has shown who they are, and makes the device known. @throws E_SESSION_ENDED */
export type BeginSession = (
  start: {
    readonly user: AuthUser;
    /** Read before anything was judged. */
    readonly epoch: number;
    readonly methods: readonly AuthenticationMethod[];
    readonly aal: 1 | 2;
  },
  meta: RequestMeta,
) => Promise<SignedIn>;

/** For the other flows of the package. */
export interface InnerFlows extends Flows {
  readonly begin: BeginSession;
  /**
   * Takes a guess at something that is not a password, with a budget of its own; known devices of the owner have theirs.
   * @throws E_SIGN_IN_LIMITED (429)
   */
  guess(
    subject: string,
    owner: AuthUser | undefined,
    meta: RequestMeta,
  ): Promise<{ readonly judged: boolean; readonly succeeded: () => Promise<void> }>;
  /** The refusal that asks for a second factor of these methods, after a first one was right. */
  askSecond(
    user: AuthUser,
    methods: readonly string[],
    first: { readonly epoch: number; readonly at: number; readonly first: 'pwd' | 'passkey' },
  ): Promise<Error>;
  /** Judges the password of somebody who is signed in. @throws E_PASSWORD_WRONG (400), E_SIGN_IN_LIMITED (429) */
  confirm(user: AuthUser, password: string, meta: RequestMeta, pointer?: string): Promise<void>;
  readonly confirmOwner: ConfirmOwner;
}

/**
 * As `confirm()`; of an account without password, where there are passkeys, that its owner has just been here.
 * @throws E_PASSWORD_WRONG | E_VALIDATION (400), E_STEP_UP_REQUIRED (401), E_SIGN_IN_LIMITED (429)
 */
export type ConfirmOwner = (
  who: AccountOwner,
  user: AuthUser,
  password: string | undefined,
  meta: RequestMeta,
  pointer?: string,
) => Promise<void>;

export function createFlows(deps: FlowDeps): InnerFlows {
  const { users, sessions, passwords, guesses, devices, notifier } = deps;
  const { factors, passkeys, own, tokens, login, events, clock } = deps;

  async function upgrade(user: AuthUser, password: string): Promise<void> {
    try {
      const passwordHash = await passwords.hash(password);
      const saved = await users.saveCredential(user.id, {
        passwordHash,
        replaces: user.passwordHash ?? null,
      });
      if (saved) events.emit({ type: 'auth.password-upgraded', userId: user.id });
    } catch (error) {
      // The sign-in stands; the next one tries again.
      if (!isSecurityError(error) || error.status < 500) throw error;
    }
  }

  function guessOf(account: string, { address, devices: tokens = [] }: RequestMeta): Guess {
    return { account, address, device: devices?.find(account, tokens) };
  }

  const mayGuess = (guess: Guess) => takeGuess(guesses, guess, events);

  async function confirm(
    user: AuthUser,
    password: string,
    meta: RequestMeta,
    pointer = '/password',
  ): Promise<void> {
    const guess = guessOf(accountKey(user.login), meta);
    const { judged } = await mayGuess(guess);
    const { matches } = await passwords.verify(password, user.passwordHash ?? undefined);
    if (!judged || !matches) throw errors.E_PASSWORD_WRONG({ problem: { errors: [{ pointer }] } });
    await guesses.succeeded(guess);
  }

  const confirmOwner: ConfirmOwner = async (who, user, password, meta, pointer = '/password') => {
    if (!user.passwordHash && own) return void (await own.assertShown(who, user));
    if (password === undefined) throw inputFault({ pointer, keyword: 'required', message: 'is required' });
    return confirm(user, password, meta, pointer);
  };

  const begin: BeginSession = async ({ user, epoch, methods, aal }, meta) => {
    const account = accountKey(user.login);
    const { device } = guessOf(account, meta);
    const pair = await sessions.create({ userId: user.id, epoch, methods, aal }, clientMeta(meta));
    const { userId, sessionId } = pair;
    const known = device !== undefined;
    events.emit({ type: 'auth.signed-in', userId, sessionId, known, ...ipOf(meta.address) });
    if (devices && !known) notifier.tell(newDevice(user, meta));
    if (!devices) return pair;
    const proven = aal === 2 || (known && devices.findProven(account, meta.devices ?? []) === device);
    return { ...pair, deviceToken: devices.issue(account, device, proven) };
  };

  /** What an account can show after its password; nothing where it need not. */
  async function secondOf(user: AuthUser): Promise<readonly string[]> {
    const codes = factors?.required(user) ? ['otp', 'recovery-code'] : [];
    if (!passkeys || (codes.length === 0 && !passkeys.secondFactor)) return codes;
    return (await users.passkeys!.list(user.id)).length > 0 ? [...codes, 'passkey'] : codes;
  }

  const askSecond: InnerFlows['askSecond'] = async (user, methods, first) => {
    const facts = { userId: user.id, ...first };
    // Each stays good beside the others: who knows the password cannot end the challenge of the owner by asking for more.
    const { token: challenge } = await tokens.issue('second-factor', undefined, facts, CHALLENGE_MS);
    return errors.E_SECOND_FACTOR_REQUIRED({
      problem: { challenge, methods, expires_in: CHALLENGE_MS / 1000 },
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  };

  return {
    confirm,
    confirmOwner,
    begin,
    askSecond,
    async guess(subject, owner, meta) {
      const { device } = owner ? guessOf(accountKey(owner.login), meta) : {};
      const guess: Guess = { account: accountKey(subject), address: meta.address, device };
      const { judged } = await mayGuess(guess);
      return { judged, succeeded: () => guesses.succeeded(guess) };
    },

    async register(input, { address }) {
      if (!users.create) throw new TypeError('register() needs users.create().');
      const given = readInput(input, inputs.register);
      const name = given.name?.trim();
      const canonical = login(given.login);
      if (canonical === undefined)
        throw inputFault({ pointer: '/login', keyword: 'format', message: 'must be a valid email' });
      await passwords.assertAcceptable(given.password, [canonical, ...(name ? [name] : [])]);
      const passwordHash = await passwords.hash(given.password);
      const user = await users.create({ login: canonical, passwordHash, ...(name ? { name } : {}) });
      if (!user) throw errors.E_ACCOUNT_EXISTS();
      events.emit({ type: 'auth.registered', userId: user.id, ...ipOf(address) });
      return { userId: user.id };
    },

    async signIn(input, meta) {
      const given = readInput(input, inputs.signIn);
      const canonical = login(given.login);
      const account = accountKey(canonical ?? given.login);
      const guess = guessOf(account, meta);
      const { judged, locks } = await mayGuess(guess);
      const user = (canonical === undefined ? undefined : await users.findByLogin(canonical)) ?? undefined;
      // Before the password is looked at: if all sessions are ended meanwhile, this one does not begin.
      const epoch = await sessions.epoch(user?.id ?? account);
      if (locks && user) notifier.tell({ type: 'locked-out', to: user.login, userId: user.id });
      const { matches, outdated } = await passwords.verify(given.password, user?.passwordHash ?? undefined);

      const fail = (reason: SignInFault): Error => {
        const who = user ? { userId: user.id } : {};
        events.emit({ type: 'auth.failed', reason, account, ...who, ...ipOf(meta.address) });
        return errors.E_SIGN_IN_FAILED({
          details: { reason },
          headers: { 'WWW-Authenticate': 'Bearer' },
        });
      };
      if (!judged) throw fail('limited');
      if (!user) throw fail('unknown-account');
      if (!matches) throw fail('wrong-password');
      if (!user.active) throw fail('inactive');
      if (user.emailVerified === false) throw fail('unverified');

      await guesses.succeeded(guess);
      if (outdated) await upgrade(user, given.password);
      const at = clock.now();
      const methods = await secondOf(user);
      if (methods.length > 0) throw await askSecond(user, methods, { epoch, at, first: 'pwd' });
      try {
        return await begin({ user, epoch, methods: [{ method: 'pwd', at }], aal: 1 }, meta);
      } catch (error) {
        throw hasCode(error, 'E_SESSION_ENDED') ? fail('revoked-meanwhile') : error;
      }
    },

    refresh: (refreshToken, meta) => sessions.refresh(refreshToken, meta && clientMeta(meta)),

    async signOut(who) {
      if (typeof who === 'string') await sessions.end(who);
      else if (who.sessionId !== undefined) await sessions.revoke(who.id, who.sessionId, 'signed-out');
    },

    async changePassword(who, input, meta) {
      const { id, sessionId, actor } = who;
      if (actor) throw errors.E_NOT_IN_PERSON();
      const given = readInput(input, inputs.changePassword);
      const user = await users.findById(id);
      if (!user?.active) throw errors.E_SESSION_ENDED();
      await confirmOwner(who, user, given.currentPassword, meta, '/currentPassword');
      await passwords.assertAcceptable(given.newPassword, [user.login, user.name ?? ''], '/newPassword');
      const passwordHash = await passwords.hash(given.newPassword);
      // Before, so that a store that is down stops us while the old password still holds; and after, so that no
      // session begun with the old password survives.
      const endOthers = () => sessions.revokeOthers(id, sessionId ?? '', 'password-changed');
      await endOthers();
      if (!(await users.saveCredential(id, { passwordHash, replaces: user.passwordHash ?? null }))) {
        throw errors.E_PASSWORD_WRONG({ details: 'The password was changed by another request.' });
      }
      await endOthers();
      events.emit({ type: 'auth.password-changed', userId: id });
      notifier.tell({ type: 'password-changed', to: user.login, userId: id });
    },
  };
}

export function clientMeta({ address, userAgent, binding }: RequestMeta): ClientMeta {
  return {
    ...ipOf(address),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(binding === undefined ? {} : { binding }),
  };
}

function newDevice({ id: userId, login: to }: AuthUser, { address, userAgent }: RequestMeta): AuthMessage {
  const agent = userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 256) };
  return { type: 'new-device', to, userId, ...ipOf(address), ...agent };
}

const ipOf = (address: ClientAddress | undefined) => (address ? { ip: address.ip } : {});
