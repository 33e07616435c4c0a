import { storeKey, type Clock, type Events, type KeyValueStore, type Random } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { OneTimeTokens } from '../flows/one-time-tokens.js';
import type { RequestMeta } from '../flows/flows.js';
import type { Notifier } from '../flows/notifier.js';
import { accountKey } from '../guesses/account-key.js';
import type { Devices } from '../guesses/devices.js';
import type { Guess, Lockout } from '../guesses/lockout.js';
import { takeGuess } from '../guesses/take-guess.js';
import type { AuthUser, UserPort } from '../users.js';
import { readRecord, writeRecord, type FactorRecord, type Sealer } from './factor-record.js';
import { matchingStep, otpauthUri, toBase32 } from './one-time-codes.js';
import { makeRecoveryCodes, recoveryHash } from './recovery-codes.js';

export interface TotpStart {
  /** For {@link Factors.confirm}; counts for ten minutes. */
  readonly token: string;
  /** To be typed into an app, base32. */
  readonly secret: string;
  /** The same for a QR code. */
  readonly uri: string;
}

export type FactorMethod = 'otp' | 'recovery-code';

/** Second factors of accounts: one-time codes by time (TOTP) and recovery codes. */
export interface Factors {
  required(user: AuthUser): boolean;
  /**
   * Judges a code of either kind. A time step and a recovery code count once, in all processes; wrong codes are counted with
   * growing waits, and a wait looks like a wrong code. Devices on which the owner has shown a code before count apart.
   * @throws E_FACTOR_WRONG (401), E_SIGN_IN_LIMITED (429, by network)
   */
  verify(user: AuthUser, code: string, meta: RequestMeta): Promise<FactorMethod>;
  start(user: AuthUser): Promise<TotpStart>;
  /** Turns the factor on. @returns the recovery codes, which are not shown again @throws E_FACTOR_WRONG, E_LINK_INVALID */
  confirm(user: AuthUser, token: string, code: string): Promise<readonly string[]>;
  remove(user: AuthUser): Promise<void>;
  renewRecovery(user: AuthUser): Promise<readonly string[]>;
}

export interface FactorDeps {
  readonly users: UserPort;
  readonly store: KeyValueStore;
  readonly sealer: Sealer;
  readonly tokens: OneTimeTokens;
  /** Wrong codes. */
  readonly lockout: Lockout;
  /** Undefined: no device is known. */
  readonly devices: Devices | undefined;
  readonly notifier: Notifier;
  readonly issuer: string;
  /** Steps beside the current one that count. */
  readonly drift: 0 | 1;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
}

const TEN_MINUTES = 600_000;
/** Longer than a code can be within the window of three steps. */
const STEP_TTL = 180_000;

export function createFactors(deps: FactorDeps): Factors {
  const { users, store, sealer, tokens, lockout, devices, notifier, issuer, drift } = deps;
  const { clock, random, events } = deps;
  const wrong = () => errors.E_FACTOR_WRONG({ problem: { errors: [{ pointer: '/code' }] } });

  /** A device that somebody has only a password or the mailbox on is a stranger's like any other. */
  function guessOf({ id, login }: AuthUser, { address, devices: shown = [] }: RequestMeta): Guess {
    const device = devices?.findProven(accountKey(login), shown);
    return { account: accountKey(`factor ${id}`), address, device };
  }

  /** RFC 6238 section 5.2: a code that was accepted is not accepted again. */
  async function useStep(userId: string, secret: Buffer, code: string): Promise<boolean> {
    const step = matchingStep(secret, code, clock.now(), drift);
    if (step === undefined) return false;
    return store.set(storeKey('auth-otp', userId, String(step)), '1', { ttlMs: STEP_TTL, ifAbsent: true });
  }

  async function save(user: AuthUser, record: FactorRecord): Promise<boolean> {
    return users.saveFactors!(user.id, { factors: writeRecord(record), replaces: user.factors ?? null });
  }

  async function useRecovery(user: AuthUser, record: FactorRecord, code: string): Promise<boolean> {
    const hash = recoveryHash(code);
    if (!record.recovery.includes(hash)) return false;
    // Of two that use it at once one finds the column changed.
    const left = record.recovery.filter((one) => one !== hash);
    if (!(await save(user, { ...record, recovery: left }))) return false;
    events.emit({ type: 'auth.recovery-code-used', userId: user.id, left: left.length });
    return true;
  }

  return {
    required: (user) => readRecord(user.factors).totp !== undefined,

    async verify(user, code, meta) {
      const record = readRecord(user.factors);
      if (record.totp === undefined) throw wrong();
      const guess = guessOf(user, meta);
      const { judged, locks } = await takeGuess(lockout, guess, events);
      if (locks) notifier.tell({ type: 'codes-guessed', to: user.login, userId: user.id });
      const secret = sealer.open(record.totp, user.id);
      const method =
        judged && (await useStep(user.id, secret, code))
          ? 'otp'
          : judged && (await useRecovery(user, record, code))
            ? 'recovery-code'
            : undefined;
      if (!method) {
        events.emit({ type: 'auth.factor-refused', userId: user.id, reason: judged ? 'wrong' : 'limited' });
        throw wrong();
      }
      await lockout.succeeded(guess);
      return method;
    },

    async start(user) {
      // RFC 4226 section 4, R6: 160 bits.
      const secret = random.bytes(20);
      const facts = { userId: user.id, secret: sealer.seal(secret, user.id) };
      const { token } = await tokens.issue('enrol-totp', user.id, facts, TEN_MINUTES);
      return { token, secret: toBase32(secret), uri: otpauthUri(issuer, user.login, secret) };
    },

    async confirm(user, token, code) {
      const facts = await tokens.peek('enrol-totp', token);
      if (!facts || facts['userId'] !== user.id) throw errors.E_LINK_INVALID();
      const sealed = String(facts['secret']);
      // Apart from the codes of a sign-in: nobody else sees this secret.
      const guess = { account: accountKey(`enrol ${user.id}`) };
      const { allowed } = await lockout.take(guess);
      if (!allowed || !(await useStep(user.id, sealer.open(sealed, user.id), code))) throw wrong();
      if (!(await tokens.take('enrol-totp', token))) throw errors.E_LINK_INVALID();
      await lockout.succeeded(guess);
      const codes = makeRecoveryCodes(random);
      if (!(await save(user, { totp: sealed, recovery: codes.map(recoveryHash) })))
        throw errors.E_LINK_INVALID();
      events.emit({ type: 'auth.factor-added', userId: user.id, factor: 'otp' });
      return codes;
    },

    async remove(user) {
      if (!(await save(user, { recovery: [] }))) throw errors.E_LINK_INVALID();
      events.emit({ type: 'auth.factor-removed', userId: user.id, factor: 'otp' });
    },

    async renewRecovery(user) {
      const record = readRecord(user.factors);
      if (record.totp === undefined) throw wrong();
      const codes = makeRecoveryCodes(random);
      if (!(await save(user, { ...record, recovery: codes.map(recoveryHash) })))
        throw errors.E_LINK_INVALID();
      return codes;
    },
  };
}
