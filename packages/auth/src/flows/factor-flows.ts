import type { Clock, Principal } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { Factors, TotpStart } from '../factors/factors.js';
import type { Sessions } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import type { BeginSession, RequestMeta, SignedIn } from './flows.js';
import { readInput } from './input.js';
import { inputs } from './inputs.js';
import type { Notifier } from './notifier.js';
import type { OneTimeTokens } from './one-time-tokens.js';

type Who = Pick<Principal, 'id' | 'sessionId' | 'actor' | 'aal'>;
interface Confirmation {
  readonly password: string;
  /** Needed if the account has a second factor. */
  readonly code?: string;
}

/** Second factors; they need `factors` and `users.saveFactors()`. */
export interface FactorFlows {
  /**
   * The second step of a sign-in that was answered with E_SECOND_FACTOR_REQUIRED. The challenge counts for five minutes and ends with
   * the first right code.
   * @throws E_FACTOR_WRONG | E_CHALLENGE_INVALID (401), E_SIGN_IN_LIMITED (429, by network), E_VALIDATION (400)
   */
  completeSignIn(
    input: { readonly challenge: string; readonly code: string },
    meta: RequestMeta,
  ): Promise<SignedIn>;
  /** A secret for an authenticator app; nothing changes before {@link confirmTotp}. @throws E_PASSWORD_WRONG | E_FACTOR_WRONG; E_STEP_UP_REQUIRED for an account with a passkey */
  startTotp(who: Who, input: Confirmation, meta: RequestMeta): Promise<TotpStart>;
  /** Turns the factor on and ends the other sessions. The recovery codes are not shown again. */
  confirmTotp(
    who: Who,
    input: { readonly token: string; readonly code: string },
  ): Promise<{ readonly recoveryCodes: readonly string[] }>;
  /** Turns second factors off and ends the other sessions. */
  removeTotp(who: Who, input: Confirmation, meta: RequestMeta): Promise<void>;
  /** New recovery codes; the old ones are worth nothing. */
  renewRecoveryCodes(
    who: Who,
    input: Confirmation,
    meta: RequestMeta,
  ): Promise<{ readonly recoveryCodes: readonly string[] }>;
  /**
   * Shows again who is there, for `required({ aal, fresh })`: a new session with today's methods takes the place of the old one.
   * @throws E_PASSWORD_WRONG (400), E_FACTOR_WRONG (401)
   */
  stepUp(who: Who, input: Confirmation, meta: RequestMeta): Promise<SignedIn>;
}

export interface FactorFlowDeps {
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly factors: Factors | undefined;
  readonly tokens: OneTimeTokens;
  readonly notifier: Notifier;
  readonly confirm: (user: AuthUser, password: string, meta: RequestMeta) => Promise<void>;
  readonly begin: BeginSession;
  /** Undefined without passkeys. @throws E_STEP_UP_REQUIRED */
  readonly assertStrong: ((who: Who) => Promise<void>) | undefined;
  readonly clock: Clock;
}

export function createFactorFlows(deps: FactorFlowDeps): FactorFlows {
  const { users, sessions, factors, tokens, notifier, confirm, begin, assertStrong, clock } = deps;

  /** @throws E_NOT_IN_PERSON (403): who acts for others does not touch their credentials */
  async function account({ id, actor }: Who): Promise<AuthUser> {
    if (actor) throw errors.E_NOT_IN_PERSON();
    const user = await users.findById(id);
    if (!user?.active) throw errors.E_SESSION_ENDED();
    return user;
  }

  /** Password first: a wrong one uses up no code. Returns how the person has shown who they are. */
  async function confirmed(
    user: AuthUser,
    input: Confirmation,
    meta: RequestMeta,
  ): Promise<readonly string[]> {
    const given = readInput(input, inputs.confirmation);
    await confirm(user, given.password, meta);
    if (!factors?.required(user)) return ['pwd'];
    return ['pwd', await factors.verify(user, given.code ?? '', meta)];
  }

  function active(): Factors {
    if (!factors) throw new TypeError('Second factors are off. Give createAuth({ factors }).');
    return factors;
  }

  async function changed({ id, sessionId }: Who, { login }: AuthUser): Promise<void> {
    await sessions.revokeOthers(id, sessionId ?? '', 'factors-changed');
    notifier.tell({ type: 'factors-changed', to: login, userId: id });
  }

  return {
    async completeSignIn(input, meta) {
      const given = readInput(input, inputs.completeSignIn);
      const facts = await tokens.peek('second-factor', given.challenge);
      const user = facts && ((await users.findById(String(facts['userId']))) ?? undefined);
      if (!facts || !user?.active) throw errors.E_CHALLENGE_INVALID();
      const method = await active().verify(user, given.code, meta);
      if (!(await tokens.take('second-factor', given.challenge))) throw errors.E_CHALLENGE_INVALID();
      const methods = [
        { method: String(facts['first']), at: Number(facts['at']) },
        { method, at: clock.now() },
      ];
      return begin({ user, epoch: Number(facts['epoch']), methods, aal: 2 }, meta);
    },

    async startTotp(who, input, meta) {
      const user = await account(who);
      const methods = await confirmed(user, input, meta);
      if (methods.length === 1) await assertStrong?.(who);
      return active().start(user);
    },

    async confirmTotp(who, input) {
      const given = readInput(input, inputs.confirmTotp);
      const user = await account(who);
      const recoveryCodes = await active().confirm(user, given.token, given.code);
      await changed(who, user);
      return { recoveryCodes };
    },

    async removeTotp(who, input, meta) {
      const user = await account(who);
      await confirmed(user, input, meta);
      // A recovery code that was just used has changed the column.
      await active().remove(await account(who));
      await changed(who, user);
    },

    async renewRecoveryCodes(who, input, meta) {
      const user = await account(who);
      await confirmed(user, input, meta);
      const recoveryCodes = await active().renewRecovery(await account(who));
      await changed(who, user);
      return { recoveryCodes };
    },

    async stepUp(who, input, meta) {
      const user = await account(who);
      const epoch = await sessions.epoch(user.id);
      const at = clock.now();
      const methods = (await confirmed(user, input, meta)).map((method) => ({ method, at }));
      const pair = await begin({ user, epoch, methods, aal: methods.length > 1 ? 2 : 1 }, meta);
      // The id of a session changes when what it may do grows (CVE-2022-25896).
      if (who.sessionId !== undefined) await sessions.revoke(user.id, who.sessionId, 'stepped-up');
      return pair;
    },
  };
}
