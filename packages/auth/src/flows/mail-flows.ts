import { createHash } from 'node:crypto';
import { Secret, type Clock, type Events, type Principal } from '@portcullis/core';
import { errors } from '../error-codes.js';
import { accountKey } from '../guesses/account-key.js';
import type { Devices } from '../guesses/devices.js';
import type { Ladder } from '../guesses/ladder.js';
import { forgetPasskeys } from '../passkeys/passkey-accounts.js';
import type { Passwords } from '../passwords/passwords.js';
import type { Sessions } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import type { ConfirmOwner, RequestMeta } from './flows.js';
import { inputFault, readInput } from './input.js';
import { inputs } from './inputs.js';
import type { Notifier } from './notifier.js';
import type { OneTimeTokens, TokenFacts } from './one-time-tokens.js';

/**
 * Flows that go through a mailbox; they need `notify`. The three that begin one answer before the account is looked up, so that
 * neither the answer nor its time tells whether there is one: what there is to say is said in the mailbox.
 */
export interface MailFlows {
  /**
   * Begins a registration, or sends its message again: a link to choose a password, or, where there is an account, a word that
   * there is one. No account exists before {@link completeRegistration}, so that nobody can prepare one for somebody else.
   * @throws E_VALIDATION (400), E_NOTIFICATIONS_BUSY and what the store throws (503)
   */
  startRegistration(input: { readonly login: string }): Promise<void>;
  /**
   * Adds the account, or verifies one that was added unverified and replaces its password. Does not sign in.
   * @throws E_LINK_INVALID | E_PASSWORD_POLICY | E_VALIDATION (400), E_ACCOUNT_EXISTS (409), E_PASSWORD_BUSY (503)
   */
  completeRegistration(
    input: { readonly token: string; readonly password: string; readonly name?: string },
    meta: RequestMeta,
  ): Promise<{ readonly userId: string }>;
  /** Sends a link to choose a new password. @throws as {@link startRegistration} */
  startReset(input: { readonly login: string }): Promise<void>;
  /**
   * Replaces the password and ends all sessions. Does not sign in: a second factor is asked for as ever. With `devices` this
   * device is known from now on, so that who was locked out gets in.
   * @throws E_LINK_INVALID | E_PASSWORD_POLICY | E_VALIDATION (400), E_PASSWORD_BUSY (503)
   */
  completeReset(
    input: { readonly token: string; readonly password: string },
    meta: RequestMeta,
  ): Promise<{ readonly userId: string; readonly deviceToken?: string }>;
  /**
   * Sends a link to the new address and a word to the old one, if the password is right; says nothing about who has the address.
   * For an account without password the passkey has just been shown, as for `changePassword()`.
   * @throws E_PASSWORD_WRONG | E_VALIDATION (400), E_STEP_UP_REQUIRED (401), E_SIGN_IN_LIMITED (429)
   */
  startLoginChange(
    who: Pick<Principal, 'id' | 'actor' | 'aal' | 'authenticatedAt'>,
    input: { readonly login: string; readonly password?: string },
    meta: RequestMeta,
  ): Promise<void>;
  /** Makes the new address the login and ends the other sessions. @throws E_LINK_INVALID | E_VALIDATION (400) */
  completeLoginChange(input: { readonly token: string }): Promise<{ readonly userId: string }>;
}

export interface MailFlowDeps {
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly devices: Devices | undefined;
  readonly tokens: OneTimeTokens;
  readonly notifier: Notifier;
  /** Messages to one mailbox. */
  readonly mails: Ladder;
  readonly confirmOwner: ConfirmOwner;
  readonly login: (typed: string) => string | undefined;
  readonly lifetimes: { readonly registrationMs: number; readonly resetMs: number };
  readonly clock: Clock;
  readonly events: Events;
}

export function createMailFlows(deps: MailFlowDeps): MailFlows {
  const { users, sessions, passwords, devices, tokens, notifier, mails, login, lifetimes, events } = deps;

  function canonical(typed: string): string {
    const address = login(typed);
    if (address === undefined)
      throw inputFault({ pointer: '/login', keyword: 'format', message: 'must be a valid email' });
    return address;
  }

  /** Looks and sends after the answer; the count comes before it, so that a store that is down is told to everybody alike. */
  async function later(kind: string, address: string, job: () => Promise<void>): Promise<void> {
    const { judged } = await mails.take(accountKey(address));
    notifier.later(kind, async () => {
      if (judged) await job();
    });
  }

  async function sendRegistration(to: string): Promise<void> {
    const { token, expiresAt } = await tokens.issue(
      'complete-registration',
      accountKey(to),
      { login: to },
      lifetimes.registrationMs,
    );
    await notifier.send({ type: 'complete-registration', to, token: new Secret(token), expiresAt });
  }

  async function resettable(facts: TokenFacts | undefined): Promise<AuthUser> {
    const user = facts && ((await users.findById(String(facts['userId']))) ?? undefined);
    // Used or not, a link ends with the password that it was made under.
    if (!user?.active || stateOf(user) !== facts!['state'] || user.login !== facts!['login'])
      throw errors.E_LINK_INVALID();
    return user;
  }

  return {
    async startRegistration(input) {
      const to = canonical(readInput(input, inputs.mailbox).login);
      await later('registration', to, async () => {
        const user = await users.findByLogin(to);
        if (!user || (user.emailVerified === false && user.active)) return sendRegistration(to);
        if (user.active) await notifier.send({ type: 'account-exists', to: user.login });
      });
    },

    async completeRegistration(input, { address }) {
      const given = readInput(input, inputs.completeRegistration);
      const facts = await tokens.peek('complete-registration', given.token);
      if (!facts) throw errors.E_LINK_INVALID();
      const to = String(facts['login']);
      const name = given.name?.trim();
      await passwords.assertAcceptable(given.password, [to, ...(name ? [name] : [])]);
      const passwordHash = await passwords.hash(given.password);
      if (!(await tokens.take('complete-registration', given.token))) throw errors.E_LINK_INVALID();
      const there = (await users.findByLogin(to)) ?? undefined;
      const userId = there
        ? await verify(there, passwordHash)
        : (await users.create!({ login: to, passwordHash, emailVerified: true, ...(name ? { name } : {}) }))
            ?.id;
      if (userId === undefined) throw errors.E_ACCOUNT_EXISTS();
      events.emit({ type: 'auth.registered', userId, ...(address ? { ip: address.ip } : {}) });
      return { userId };
    },

    async startReset(input) {
      const to = canonical(readInput(input, inputs.mailbox).login);
      await later('reset', to, async () => {
        const user = (await users.findByLogin(to)) ?? undefined;
        if (!user?.active) return;
        if (user.emailVerified === false) return sendRegistration(user.login);
        const { id: userId, login: address } = user;
        if (!user.passwordHash) return notifier.send({ type: 'reset-without-password', to: address, userId });
        const facts = { userId, login: address, state: stateOf(user) };
        const { token, expiresAt } = await tokens.issue('reset-password', userId, facts, lifetimes.resetMs);
        await notifier.send({
          type: 'reset-password',
          to: address,
          userId,
          token: new Secret(token),
          expiresAt,
        });
      });
    },

    async completeReset(input) {
      const given = readInput(input, inputs.completeReset);
      const user = await resettable(await tokens.peek('reset-password', given.token));
      await passwords.assertAcceptable(given.password, [user.login, user.name ?? '']);
      const passwordHash = await passwords.hash(given.password);
      if (!(await tokens.take('reset-password', given.token))) throw errors.E_LINK_INVALID();
      await replacePassword(user, passwordHash, 'password-reset');
      events.emit({ type: 'auth.password-reset', userId: user.id });
      notifier.tell({ type: 'password-changed', to: user.login, userId: user.id });
      const deviceToken = devices?.issue(accountKey(user.login));
      return { userId: user.id, ...(deviceToken === undefined ? {} : { deviceToken }) };
    },

    async startLoginChange(who, input, meta) {
      const { id, actor } = who;
      if (actor) throw errors.E_NOT_IN_PERSON();
      const given = readInput(input, inputs.changeLogin);
      const to = canonical(given.login);
      const user = await users.findById(id);
      if (!user?.active) throw errors.E_SESSION_ENDED();
      await deps.confirmOwner(who, user, given.password, meta);
      await later('login-change', to, async () => {
        await notifier.send({ type: 'login-change-asked', to: user.login, userId: id });
        if (await users.findByLogin(to)) return notifier.send({ type: 'account-exists', to });
        const facts = { userId: id, from: user.login, login: to, state: stateOf(user) };
        const { token, expiresAt } = await tokens.issue('change-login', id, facts, lifetimes.resetMs);
        await notifier.send({ type: 'confirm-login', to, userId: id, token: new Secret(token), expiresAt });
      });
    },

    async completeLoginChange(input) {
      const { token } = readInput(input, inputs.completeLoginChange);
      const facts = await tokens.take('change-login', token);
      const user = facts && ((await users.findById(String(facts['userId']))) ?? undefined);
      if (!user?.active || stateOf(user) !== facts!['state'] || user.login !== facts!['from'])
        throw errors.E_LINK_INVALID();
      const to = String(facts!['login']);
      // False: taken meanwhile, or changed by another request.
      if (!(await users.changeLogin!(user.id, { login: to, replaces: user.login })))
        throw errors.E_LINK_INVALID();
      await sessions.revokeAll(user.id, 'login-changed');
      await tokens.cancel('reset-password', user.id);
      events.emit({ type: 'auth.login-changed', userId: user.id });
      notifier.tell({ type: 'login-changed', to: user.login, userId: user.id });
      return { userId: user.id };
    },
  };

  /** Whoever added the account unverified chose a password that the owner of the mailbox never saw: it goes, and so does a passkey. */
  async function verify(user: AuthUser, passwordHash: string): Promise<string | undefined> {
    if (user.emailVerified !== false || !user.active || !users.markVerified) return undefined;
    await replacePassword(user, passwordHash, 'verified');
    if (users.passkeys) await forgetPasskeys(users.passkeys, user.id);
    if (!(await users.markVerified(user.id, user.login))) throw errors.E_LINK_INVALID();
    return user.id;
  }

  /** Sessions end before, so that a store that is down stops us while the old password holds, and after, for those that raced. */
  async function replacePassword(user: AuthUser, passwordHash: string, reason: string): Promise<void> {
    await sessions.revokeAll(user.id, reason);
    if (!(await users.saveCredential(user.id, { passwordHash, replaces: user.passwordHash ?? null })))
      throw errors.E_LINK_INVALID({ details: 'The password was changed by another request.' });
    await sessions.revokeAll(user.id, reason);
  }
}

/** Changes with the password, and says nothing about it. */
function stateOf(user: AuthUser): string {
  return createHash('sha256')
    .update(`portcullis state\0${user.passwordHash ?? ''}`)
    .digest('base64url')
    .slice(0, 22);
}
