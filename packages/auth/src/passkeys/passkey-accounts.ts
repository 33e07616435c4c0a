import type { Events } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { RequestMeta } from '../flows/flows.js';
import { readInput } from '../flows/input.js';
import { inputs } from '../flows/inputs.js';
import type { OneTimeTokens, TokenFacts } from '../flows/one-time-tokens.js';
import type { Sessions } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import type { Passkeys } from './ceremonies.js';
import { notTaken, type CeremonyBook, type PasskeyCeremony } from './ceremony-book.js';
import type { PasskeyAnswer } from './passkey-flows.js';
import type { PasskeyPort } from './passkey-port.js';
import { readResponse } from './read-response.js';

/**
 * Accounts with a passkey in the place of a password; they need `passkeys`, `notify`, registration by mail and `users.markVerified()`.
 * They begin as every registration by mail does, so that nothing tells who has an account.
 */
export interface PasskeyAccountFlows {
  /**
   * Begins the first passkey, by the link of `startRegistration()`. The account is added unverified: nobody signs in to it before
   * {@link completePasskeyAccount}, and a new link begins again.
   * @throws E_LINK_INVALID | E_VALIDATION (400), E_ACCOUNT_EXISTS (409)
   */
  startPasskeyAccount(input: { readonly token: string; readonly name?: string }): Promise<PasskeyCeremony>;
  /**
   * Uses the link up and adds the passkey: from then on it signs in, and no password does. Whatever the account had of an
   * earlier, unfinished registration goes. Does not sign in. `name` is the owner's word for the passkey.
   * @throws E_LINK_INVALID | E_PASSKEY_INVALID | E_VALIDATION (400), E_CHALLENGE_INVALID (401), E_ACCOUNT_EXISTS (409)
   */
  completePasskeyAccount(
    input: PasskeyAnswer & { readonly token: string; readonly name?: string },
    meta: RequestMeta,
  ): Promise<{ readonly userId: string }>;
}

export interface PasskeyAccountDeps {
  readonly passkeys: Passkeys;
  readonly port: PasskeyPort;
  readonly book: CeremonyBook;
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly tokens: OneTimeTokens;
  readonly events: Events;
}

export function createPasskeyAccounts(deps: PasskeyAccountDeps): PasskeyAccountFlows {
  const { passkeys, port, book, users, sessions, tokens, events } = deps;

  /** Nobody has shown yet that the mailbox is theirs. @throws E_ACCOUNT_EXISTS */
  function unfinished(user: AuthUser | null | undefined): AuthUser {
    if (!user?.active || user.emailVerified !== false) throw errors.E_ACCOUNT_EXISTS();
    return user;
  }

  async function loginOf(facts: TokenFacts | undefined): Promise<string> {
    if (!facts) throw errors.E_LINK_INVALID();
    return String(facts['login']);
  }

  return {
    async startPasskeyAccount(input) {
      const given = readInput(input, inputs.startPasskeyAccount);
      const login = await loginOf(await tokens.peek('complete-registration', given.token));
      const name = given.name?.trim();
      const fresh = { login, passwordHash: null, emailVerified: false, ...(name ? { name } : {}) };
      const user = unfinished(
        (await users.findByLogin(login)) ??
          (await users.create!(fresh)) ??
          // Added by another request since.
          (await users.findByLogin(login)),
      );
      return book.begin('account', { userId: user.id }, (challenge) =>
        passkeys.creationOptions({
          challenge,
          handle: book.handleOf(user.id),
          login,
          name: name ?? user.name ?? login,
          // What an unfinished registration left is no reason to refuse an authenticator: it goes.
          existing: [],
        }),
      );
    },

    async completePasskeyAccount(input, { address }) {
      const given = readInput(input, inputs.completePasskeyAccount);
      const response = readResponse(input.response, 'registration');
      const login = await loginOf(await tokens.peek('complete-registration', given.token));
      const user = unfinished(await users.findByLogin(login));
      const challenge = await book.challengeOf('account', given.ceremony, { userId: user.id });
      const passkey = await book.made(response, challenge, { userId: user.id, name: given.name });
      if (!(await tokens.take('complete-registration', given.token))) throw errors.E_LINK_INVALID();
      await forget(user);
      // Section 7.1 step 26: one credential has one owner, and is not given to a second one.
      if ((await port.add(passkey, passkeys.max)) !== 'added') throw notTaken('taken');
      if (!(await users.markVerified!(user.id, user.login))) throw errors.E_LINK_INVALID();
      const { id: userId } = user;
      events.emit({ type: 'auth.registered', userId, ...(address ? { ip: address.ip } : {}) });
      events.emit({ type: 'auth.passkey-added', userId, passkeyId: passkey.id });
      return { userId };
    },
  };

  /** Whoever added the account unverified may have chosen a password that the owner of the mailbox never saw. */
  async function forget({ id, passwordHash }: AuthUser): Promise<void> {
    await sessions.revokeAll(id, 'verified');
    if (passwordHash && !(await users.saveCredential(id, { passwordHash: null, replaces: passwordHash })))
      throw errors.E_LINK_INVALID({ details: 'The password was changed by another request.' });
    await forgetPasskeys(port, id);
  }
}

/** Of an unfinished registration. */
export async function forgetPasskeys(port: PasskeyPort, userId: string): Promise<void> {
  for (const { id } of await port.list(userId)) await port.remove(userId, id, { keepOne: false });
}
