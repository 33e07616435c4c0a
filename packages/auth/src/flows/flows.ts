import {
  hasCode,
  isSecurityError,
  type ClientAddress,
  type Clock,
  type Events,
  type Principal,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { SignInFault } from '../events.js';
import { accountKey } from '../guesses/account-key.js';
import type { GuessBudget } from '../guesses/guess-budget.js';
import type { Passwords } from '../passwords/passwords.js';
import type { SenderBinding } from '../sessions/session-store.js';
import type { ClientMeta, Sessions, TokenPair } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import { inputFault, readTexts } from './input.js';

/** Who is asking; `auth.metaOf(req)` reads it from a request. */
export interface RequestMeta {
  /** Counts against the network's budget of guesses; undefined only for calls that come from no network. */
  readonly address: ClientAddress | undefined;
  readonly userAgent?: string;
  /** The key that the sender has proven to hold: the session and its tokens are bound to it. */
  readonly binding?: SenderBinding;
}

export interface Flows {
  /**
   * Adds an account. Does not sign in.
   * Tells whether a login is taken (409): registration confirmed by mail, which does not, comes with e-mail verification.
   * @throws E_VALIDATION | E_PASSWORD_POLICY (400), E_ACCOUNT_EXISTS (409), E_PASSWORD_BUSY (503)
   */
  register(input: RegisterInput, meta: RequestMeta): Promise<{ readonly userId: string }>;
  /**
   * Begins a session. The answer and the work are the same for an unknown account, a wrong password, an inactive account
   * and one that has been guessed at too often.
   * @throws E_SIGN_IN_FAILED (401), E_SIGN_IN_LIMITED (429, by network), E_VALIDATION (400), E_PASSWORD_BUSY and what
   * stores throw (503)
   */
  signIn(input: SignInInput, meta: RequestMeta): Promise<TokenPair>;
  /** As `sessions.refresh()`. */
  refresh(refreshToken: unknown, meta?: RequestMeta): Promise<TokenPair>;
  /** Ends the session of a principal or of a refresh token; without effect if there is none. */
  signOut(who: Pick<Principal, 'id' | 'sessionId'> | string): Promise<void>;
  /**
   * Replaces the password and ends all other sessions. Nobody does that for somebody else (E_NOT_IN_PERSON, 403).
   * @throws E_PASSWORD_WRONG | E_PASSWORD_POLICY | E_VALIDATION (400), E_SIGN_IN_LIMITED (429)
   */
  changePassword(
    who: Pick<Principal, 'id' | 'sessionId' | 'actor'>,
    input: ChangePasswordInput,
    meta: RequestMeta,
  ): Promise<void>;
}

export interface SignInInput {
  readonly login: string;
  readonly password: string;
}

export interface RegisterInput extends SignInInput {
  readonly name?: string;
}

export interface ChangePasswordInput {
  readonly currentPassword: string;
  readonly newPassword: string;
}

export interface FlowDeps {
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly guesses: GuessBudget;
  readonly login: (typed: string) => string | undefined;
  readonly events: Events;
  readonly clock: Clock;
}

const LOGIN = { max: 320 };
const PASSWORD = { max: 8_192 };

export function createFlows(deps: FlowDeps): Flows {
  const { users, sessions, passwords, guesses, login, events, clock } = deps;

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

  /** Takes a guess; a network that is out of them is told so, an account is not. */
  async function mayGuess(account: string, address: ClientAddress | undefined): Promise<boolean> {
    const verdict = await guesses.take({ account, address });
    if (verdict.allowed) return true;
    events.emit({ type: 'auth.limited', by: verdict.by, account, ...ipOf(address) });
    if (verdict.by === 'account') return false;
    const seconds = String(Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)));
    throw errors.E_SIGN_IN_LIMITED({ headers: { 'Retry-After': seconds } });
  }

  return {
    async register(input, { address }) {
      if (!users.create) throw new TypeError('register() needs users.create().');
      const given = readTexts(input, {
        login: LOGIN,
        password: PASSWORD,
        name: { max: 200, optional: true },
      });
      const name = given.name?.trim();
      const canonical = login(given.login);
      if (canonical === undefined)
        throw inputFault({ pointer: '/login', keyword: 'format', message: 'must be a valid email' });
      passwords.assertAcceptable(given.password, [canonical, ...(name ? [name] : [])]);
      const passwordHash = await passwords.hash(given.password);
      const user = await users.create({ login: canonical, passwordHash, ...(name ? { name } : {}) });
      if (!user) throw errors.E_ACCOUNT_EXISTS();
      events.emit({ type: 'auth.registered', userId: user.id, ...ipOf(address) });
      return { userId: user.id };
    },

    async signIn(input, meta) {
      const given = readTexts(input, { login: LOGIN, password: PASSWORD });
      const canonical = login(given.login);
      const account = accountKey(canonical ?? given.login);
      const guess = { account, address: meta.address };
      const judged = await mayGuess(account, meta.address);
      const user = (canonical === undefined ? undefined : await users.findByLogin(canonical)) ?? undefined;
      // Before the password is looked at: if all sessions are ended meanwhile, this one does not begin.
      const epoch = await sessions.epoch(user?.id ?? account);
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

      await guesses.succeeded(guess);
      if (outdated) await upgrade(user, given.password);
      const methods = [{ method: 'pwd', at: clock.now() }];
      try {
        const pair = await sessions.create({ userId: user.id, epoch, methods }, clientMeta(meta));
        const { userId, sessionId } = pair;
        events.emit({ type: 'auth.signed-in', userId, sessionId, ...ipOf(meta.address) });
        return pair;
      } catch (error) {
        throw hasCode(error, 'E_SESSION_ENDED') ? fail('revoked-meanwhile') : error;
      }
    },

    refresh: (refreshToken, meta) => sessions.refresh(refreshToken, meta && clientMeta(meta)),

    async signOut(who) {
      if (typeof who === 'string') await sessions.end(who);
      else if (who.sessionId !== undefined) await sessions.revoke(who.id, who.sessionId, 'signed-out');
    },

    async changePassword({ id, sessionId, actor }, input, { address }) {
      if (actor) throw errors.E_NOT_IN_PERSON();
      const given = readTexts(input, { currentPassword: PASSWORD, newPassword: PASSWORD });
      const user = await users.findById(id);
      if (!user?.active) throw errors.E_SESSION_ENDED();
      const guess = { account: accountKey(user.login), address };
      const judged = await mayGuess(guess.account, address);
      const { matches } = await passwords.verify(given.currentPassword, user.passwordHash ?? undefined);
      if (!judged || !matches)
        throw errors.E_PASSWORD_WRONG({ problem: { errors: [{ pointer: '/currentPassword' }] } });
      await guesses.succeeded(guess);
      passwords.assertAcceptable(given.newPassword, [user.login, user.name ?? ''], '/newPassword');
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

const ipOf = (address: ClientAddress | undefined) => (address ? { ip: address.ip } : {});
