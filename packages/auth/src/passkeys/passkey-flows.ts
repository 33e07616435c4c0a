import type { AuthenticationMethod, Clock, Events, Principal } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { PasskeyPurpose } from '../events.js';
import type { Factors } from '../factors/factors.js';
import type { BeginSession, InnerFlows, RequestMeta, SignedIn } from '../flows/flows.js';
import { readInput } from '../flows/input.js';
import { inputs } from '../flows/inputs.js';
import type { Notifier } from '../flows/notifier.js';
import type { OneTimeTokens, TokenFacts } from '../flows/one-time-tokens.js';
import { stepUpRequired } from '../identify.js';
import type { Sessions } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import { isPasskeyFault, type PasskeyResponse, type Passkeys } from './ceremonies.js';
import { notTaken, type CeremonyBook, type PasskeyCeremony } from './ceremony-book.js';
import type { AccountOwner, OwnAccount } from './own-account.js';
import type { PasskeyPort, PasskeyRecord } from './passkey-port.js';
import { readResponse } from './read-response.js';

export interface PasskeyAnswer {
  readonly ceremony: string;
  /** `PublicKeyCredential.toJSON()` of the browser. */
  readonly response: PasskeyResponse;
}

/** A passkey as its owner may see it. */
export type PasskeyInfo = Omit<PasskeyRecord, 'userId' | 'publicKey' | 'counter'>;

/** Passkeys; they need `passkeys` and `users.passkeys`. */
export interface PasskeyFlows {
  /**
   * Begins a sign-in without a name: the options name no account and no credential, so that there is nothing to learn from them.
   * With the `challenge` of E_SECOND_FACTOR_REQUIRED they name the passkeys of the account whose password was right.
   * @throws E_CHALLENGE_INVALID (401)
   */
  startPasskeySignIn(input: { readonly challenge?: string }): Promise<PasskeyCeremony>;
  /**
   * Begins a session of level 2, or of level 1 for a passkey without user verification. One refusal for every reason.
   * @throws E_PASSKEY_REFUSED | E_CHALLENGE_INVALID | E_SECOND_FACTOR_REQUIRED (401), E_SIGN_IN_LIMITED (429), E_VALIDATION (400)
   */
  completePasskeySignIn(
    input: PasskeyAnswer & { readonly challenge?: string },
    meta: RequestMeta,
  ): Promise<SignedIn>;
  /** @throws E_PASSKEY_NOT_FOUND (404) if the account has none */
  startPasskeyStepUp(who: AccountOwner): Promise<PasskeyCeremony>;
  /** As `stepUp()`, with a passkey. @throws as {@link completePasskeySignIn} */
  stepUpWithPasskey(who: AccountOwner, input: PasskeyAnswer, meta: RequestMeta): Promise<SignedIn>;
  /**
   * Needs a recent sign-in (`fresh`), of level 2 where the account has a second factor or a passkey.
   * @throws E_STEP_UP_REQUIRED (401), E_PASSKEY_LIMIT (409)
   */
  startPasskeyRegistration(who: AccountOwner): Promise<PasskeyCeremony>;
  /**
   * Adds a passkey, ends the other sessions and tells the owner.
   * @throws as {@link startPasskeyRegistration}; E_CHALLENGE_INVALID (401), E_PASSKEY_INVALID | E_VALIDATION (400)
   */
  addPasskey(who: AccountOwner, input: PasskeyAnswer & { readonly name?: string }): Promise<PasskeyInfo>;
  /** The last used first. */
  listPasskeys(who: Pick<Principal, 'id'>): Promise<readonly PasskeyInfo[]>;
  /** @throws E_STEP_UP_REQUIRED (401), E_PASSKEY_NOT_FOUND (404), E_VALIDATION (400) */
  renamePasskey(who: AccountOwner, id: string, input: { readonly name: string }): Promise<void>;
  /**
   * Removes a passkey, ends the other sessions and tells the owner. The last one of an account without password stays.
   * @throws E_STEP_UP_REQUIRED (401), E_PASSKEY_NOT_FOUND (404), E_LAST_SIGN_IN (409)
   */
  removePasskey(who: AccountOwner, id: string): Promise<void>;
}

export interface PasskeyFlowDeps {
  readonly passkeys: Passkeys;
  readonly port: PasskeyPort;
  readonly book: CeremonyBook;
  readonly users: UserPort;
  readonly sessions: Sessions;
  readonly factors: Factors | undefined;
  readonly tokens: OneTimeTokens;
  readonly notifier: Notifier;
  readonly guess: InnerFlows['guess'];
  readonly askSecond: InnerFlows['askSecond'];
  readonly begin: BeginSession;
  readonly own: OwnAccount;
  /** Scheme of the challenge of RFC 9470. */
  readonly scheme: string;
  readonly clock: Clock;
  readonly events: Events;
}

/** For the other flows of the package. */
export interface InnerPasskeyFlows extends PasskeyFlows {
  /** Who has a passkey changes other factors at level 2 only, or a password would be enough to grow one. @throws E_STEP_UP_REQUIRED */
  assertStrong(who: Pick<Principal, 'id' | 'aal'>): Promise<void>;
}

export function createPasskeyFlows(deps: PasskeyFlowDeps): InnerPasskeyFlows {
  const { passkeys, port, book, users, sessions, factors, tokens, notifier, begin, clock, events } = deps;
  const { own } = deps;

  const boundTo = ({ id, sessionId }: Pick<Principal, 'id' | 'sessionId'>): TokenFacts => ({
    userId: id,
    sessionId: sessionId ?? '',
  });

  interface Shown {
    readonly user: AuthUser;
    readonly epoch: number;
    readonly userVerified: boolean;
  }

  /**
   * Who has shown a passkey. Of an account, a login and a password there is nothing in the answer: every refusal is the same.
   * @throws E_PASSKEY_REFUSED (401), E_SIGN_IN_LIMITED (429)
   */
  async function shown(
    purpose: PasskeyPurpose,
    response: PasskeyResponse,
    challenge: string,
    meta: RequestMeta,
    ownerId?: string,
  ): Promise<Shown> {
    const ip = meta.address ? { ip: meta.address.ip } : {};
    const refuse = (reason: string, userId?: string) => {
      const who = userId === undefined ? {} : { userId };
      events.emit({ type: 'auth.passkey-refused', purpose, reason, ...who, ...ip });
      return errors.E_PASSKEY_REFUSED({ details: { reason }, headers: { 'WWW-Authenticate': 'Bearer' } });
    };
    const passkey = (await port.find(response.id)) ?? undefined;
    const user = (passkey && (await users.findById(passkey.userId))) ?? undefined;
    // By credential, not by account: guesses at a password do not lock its owner out of their passkey.
    const guess = await deps.guess(`passkey ${response.id}`, user, meta);
    if (!guess.judged) throw refuse('limited', passkey?.userId);
    if (!passkey) throw refuse('unknown');
    if (!user || (ownerId !== undefined && user.id !== ownerId)) throw refuse('of-another', passkey.userId);
    const handle = response.response.userHandle;
    // Without a name it is the handle that says whose it is (section 7.2 step 6).
    if (handle === undefined ? ownerId === undefined : handle !== book.handleOf(user.id))
      throw refuse('user-handle', user.id);
    // Before the signature is looked at: if all sessions are ended meanwhile, this one does not begin.
    const epoch = await sessions.epoch(user.id);
    let use;
    try {
      use = await passkeys.verifyAuthentication(response, challenge, passkey);
    } catch (error) {
      throw isPasskeyFault(error) ? refuse(error.message, user.id) : error;
    }
    if (!user.active || user.emailVerified === false) throw refuse('inactive', user.id);
    const { counter, backedUp, userVerified } = use;
    if (!(await port.use(passkey.id, { counter, backedUp, at: clock.now() }))) {
      await repeated(user, passkey, counter);
      throw refuse('counter', user.id);
    }
    await guess.succeeded();
    return { user, epoch, userVerified };
  }

  /** Section 7.2 step 22: two authenticators have this key, or it was removed meanwhile. */
  async function repeated(user: AuthUser, { id }: PasskeyRecord, received: number): Promise<void> {
    const stored = (await port.find(id)) ?? undefined;
    if (!stored) return;
    events.emit({
      type: 'auth.passkey-repeated',
      userId: user.id,
      passkeyId: id,
      stored: stored.counter,
      received,
    });
    notifier.tell({ type: 'passkey-repeated', to: user.login, userId: user.id, name: stored.name });
  }

  /** @throws E_NOT_IN_PERSON (403), E_SESSION_ENDED (401) */
  async function account({ id, actor }: AccountOwner): Promise<AuthUser> {
    if (actor) throw errors.E_NOT_IN_PERSON();
    const user = await users.findById(id);
    if (!user?.active) throw errors.E_SESSION_ENDED();
    return user;
  }

  /** The account of somebody who has just shown it is theirs, as strongly as they can. @throws E_STEP_UP_REQUIRED */
  async function ownAccount(who: AccountOwner): Promise<readonly [AuthUser, readonly PasskeyRecord[]]> {
    const user = await account(who);
    return [user, await own.assertShown(who, user)];
  }

  async function changed(
    type: 'passkey-added' | 'passkey-removed',
    { id, sessionId }: AccountOwner,
    { login }: AuthUser,
    passkey: Pick<PasskeyRecord, 'id' | 'name'>,
  ): Promise<void> {
    await sessions.revokeOthers(id, sessionId ?? '', 'factors-changed');
    events.emit({ type: `auth.${type}`, userId: id, passkeyId: passkey.id });
    notifier.tell({ type, to: login, userId: id, name: passkey.name });
  }

  /** The account behind a `challenge` of E_SECOND_FACTOR_REQUIRED that waits for a passkey. */
  async function waiting(challenge: string): Promise<TokenFacts> {
    const facts = await tokens.peek('second-factor', challenge);
    // A passkey is not a second one beside itself.
    if (!facts || facts['first'] === 'passkey') throw errors.E_CHALLENGE_INVALID();
    return facts;
  }

  const pass = (at: number): AuthenticationMethod => ({ method: 'passkey', at });

  return {
    async startPasskeySignIn(input) {
      const { challenge } = readInput(input, inputs.startPasskeySignIn);
      if (challenge === undefined)
        return book.begin('sign-in', {}, (fresh) =>
          passkeys.requestOptions({ challenge: fresh, allowed: [] }),
        );
      const { userId } = await waiting(challenge);
      const allowed = await port.list(String(userId));
      return book.begin('second-factor', { userId: String(userId) }, (fresh) =>
        passkeys.requestOptions({ challenge: fresh, allowed }),
      );
    },

    async completePasskeySignIn(input, meta) {
      const given = readInput(input, inputs.passkeySignIn);
      const response = readResponse(input.response, 'authentication');
      if (given.challenge !== undefined) {
        const first = await waiting(given.challenge);
        const userId = String(first['userId']);
        const challenge = await book.challengeOf('second-factor', given.ceremony, { userId });
        const { user } = await shown('second-factor', response, challenge, meta, userId);
        if (!(await tokens.take('second-factor', given.challenge))) throw errors.E_CHALLENGE_INVALID();
        const methods = [{ method: 'pwd', at: Number(first['at']) }, pass(clock.now())];
        return begin({ user, epoch: Number(first['epoch']), methods, aal: 2 }, meta);
      }
      const challenge = await book.challengeOf('sign-in', given.ceremony, {});
      const { user, epoch, userVerified } = await shown('sign-in', response, challenge, meta);
      const at = clock.now();
      if (!userVerified && factors?.required(user))
        throw await deps.askSecond(user, ['otp', 'recovery-code'], { epoch, at, first: 'passkey' });
      return begin({ user, epoch, methods: [pass(at)], aal: userVerified ? 2 : 1 }, meta);
    },

    async startPasskeyStepUp(who) {
      const user = await account(who);
      const allowed = await port.list(user.id);
      if (allowed.length === 0) throw errors.E_PASSKEY_NOT_FOUND();
      return book.begin('step-up', boundTo(who), (challenge) =>
        passkeys.requestOptions({ challenge, allowed }),
      );
    },

    async stepUpWithPasskey(who, input, meta) {
      const { ceremony } = readInput(input, inputs.passkeyStepUp);
      const response = readResponse(input.response, 'authentication');
      await account(who);
      const challenge = await book.challengeOf('step-up', ceremony, boundTo(who));
      const { user, epoch, userVerified } = await shown('step-up', response, challenge, meta, who.id);
      const methods = [pass(clock.now())];
      const pair = await begin({ user, epoch, methods, aal: userVerified ? 2 : 1 }, meta);
      // The id of a session changes when what it may do grows (CVE-2022-25896).
      if (who.sessionId !== undefined) await sessions.revoke(user.id, who.sessionId, 'stepped-up');
      return pair;
    },

    async assertStrong({ id, aal = 1 }) {
      if (aal < 2 && (await port.list(id)).length > 0) throw stepUpRequired(deps.scheme, 2, undefined);
    },

    async startPasskeyRegistration(who) {
      const [user, existing] = await ownAccount(who);
      if (existing.length >= passkeys.max) throw errors.E_PASSKEY_LIMIT();
      const { login, name } = user;
      return book.begin('registration', boundTo(who), (challenge) =>
        passkeys.creationOptions({
          challenge,
          handle: book.handleOf(user.id),
          login,
          name: name ?? login,
          existing,
        }),
      );
    },

    async addPasskey(who, input) {
      const given = readInput(input, inputs.addPasskey);
      const response = readResponse(input.response, 'registration');
      // That it is their own was shown at the start, in this session and not long ago.
      const user = await account(who);
      const challenge = await book.challengeOf('registration', given.ceremony, boundTo(who));
      const passkey = await book.made(response, challenge, { userId: user.id, name: given.name });
      const answer = await port.add(passkey, passkeys.max);
      if (answer === 'full') throw errors.E_PASSKEY_LIMIT();
      // Section 7.1 step 26: one credential has one owner, and is not given to a second one.
      if (answer !== 'added') throw notTaken('taken');
      await changed('passkey-added', who, user, passkey);
      return infoOf(passkey);
    },

    async listPasskeys({ id }) {
      const all = [...(await port.list(id))];
      const used = ({ lastUsedAt, createdAt }: PasskeyRecord) => lastUsedAt ?? createdAt;
      return all.sort((a, b) => used(b) - used(a)).map(infoOf);
    },

    async renamePasskey(who, id, input) {
      const name = readInput(input, inputs.renamePasskey).name.trim();
      const [user] = await ownAccount(who);
      if (!(await port.rename(user.id, id, name || 'Passkey'))) throw errors.E_PASSKEY_NOT_FOUND();
    },

    async removePasskey(who, id) {
      const [user, existing] = await ownAccount(who);
      const passkey = existing.find((one) => one.id === id);
      if (!passkey) throw errors.E_PASSKEY_NOT_FOUND();
      const keepOne = !user.passwordHash;
      if (!(await port.remove(user.id, id, { keepOne }))) {
        // Of two that are removed at once the second may be the last.
        throw (await port.find(id)) ? errors.E_LAST_SIGN_IN() : errors.E_PASSKEY_NOT_FOUND();
      }
      await changed('passkey-removed', who, user, passkey);
    },
  };
}

function infoOf({ userId: _owner, publicKey: _key, counter: _counter, ...info }: PasskeyRecord): PasskeyInfo {
  return info;
}
