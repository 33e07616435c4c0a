import {
  isError,
  noEvents,
  option,
  optionConflict,
  OptionError,
  readOptions,
  systemClock,
  type Clock,
  type Events,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { argon2id } from './argon2id.js';
import { bcrypt } from './bcrypt.js';
import type { Compute } from './computations.js';
import { createGate } from './gate.js';
import { createHashingThread } from './hashing-thread.js';
import type { PasswordForms, PasswordHasher, PasswordVerifier } from './hasher.js';
import { createPepper, type PepperKey } from './pepper.js';
import {
  createPasswordPolicy,
  normalise,
  type PasswordPolicy,
  type PasswordPolicyOptions,
} from './policy.js';

export interface PasswordsOptions {
  /** Makes new hashes. @default argon2id() */
  readonly hash?: PasswordHasher;
  /** Verify older hashes, which are replaced at the next sign-in. @default [bcrypt()] */
  readonly accept?: readonly PasswordVerifier[];
  readonly policy?: PasswordPolicyOptions;
  /** Secrets that are mixed in; the first makes new hashes, all verify. Losing one loses the passwords under it. @default [] */
  readonly pepper?: readonly PepperKey[];
  /**
   * One stored hash of each older cost that your database still has, such as `$2b$10$...`. Each is then computed at every
   * sign-in, so that its time does not tell whose hash is old; the price is the sum of their times, for everybody.
   * At most 4. @default []
   */
  readonly equalise?: readonly string[];
  /** Hashes computed at once, 1 to 64, each in a thread of its own: no more than there are processors. @default 2 */
  readonly slots?: number;
  /** Hashes that may wait; more are refused with 503 at once. 0 to 10,000. @default 100 */
  readonly maxQueue?: number;
  readonly clock?: Clock;
  /** Hears `auth.pepper-missing`, `auth.breach-list-failed` and `auth.hashing-thread-failed`. */
  readonly events?: Events;
}

export interface PasswordVerdict {
  readonly matches: boolean;
  /** True for a match whose hash should be made anew: other scheme, parameters or pepper than today's. */
  readonly outdated: boolean;
}

export interface Passwords {
  readonly policy: PasswordPolicy;
  /**
   * Policy, and the list of breached passwords if there is one.
   * @throws E_PASSWORD_POLICY with the reasons as `errors`, E_PASSWORD_UNCHECKED (503) if the list cannot be asked
   */
  assertAcceptable(password: string, context?: readonly string[], pointer?: string): Promise<void>;
  /** A hash with today's parameters. Does not check the policy. @throws E_PASSWORD_BUSY */
  hash(password: string): Promise<string>;
  /**
   * Compares. Without a stored hash, or with one that nobody accepts, one hash of today's parameters is computed and
   * thrown away, so that the time does not tell whether there is an account.
   * @throws E_PASSWORD_BUSY
   */
  verify(password: string, stored: string | undefined): Promise<PasswordVerdict>;
}

/** Longer input is never a password, but costs the same time: 1,024 characters, the highest `maxLength`. */
const MAX_INPUT = 1_024 * 4;

/** @throws OptionError */
export function createPasswords(options: PasswordsOptions = {}, path = ''): Passwords {
  const owner = 'createPasswords';
  const given = readOptions(
    owner,
    options,
    {
      hash: option.port<PasswordHasher>(['accepts', 'hash', 'verify', 'isCurrent'], argon2id()),
      accept: option.array(option.port<PasswordVerifier>(['accepts', 'verify']), {
        max: 16,
        default: [bcrypt()],
      }),
      policy: (value, _owner, at) => createPasswordPolicy(value as PasswordPolicyOptions | undefined, at),
      pepper: option.array((value) => value as PepperKey, { max: 16, default: [] }),
      equalise: option.array(option.string({ max: 512 }), { max: 4, default: [] }),
      slots: option.integer({ min: 1, max: 64, default: 2 }),
      maxQueue: option.integer({ min: 0, max: 10_000, default: 100 }),
      clock: option.port<Clock>(['now', 'monotonic'], systemClock),
      events: option.port<Events>(['emit'], noEvents),
    },
    path,
  );
  const { hash: preferred, policy, slots, maxQueue, clock, events } = given;
  const at = (name: string) => (path ? `${path}.${name}` : name);
  const pepper = createPepper(given.pepper, owner, at('pepper'));
  const gate = createGate({
    slots,
    maxQueue,
    clock,
    createSlot: () => createHashingThread({ clock, events }),
  });
  const hashers: readonly PasswordVerifier[] = [preferred, ...given.accept];
  const ownerOf = (stored: string) => hashers.find((one) => one.accepts(stored));

  const fillers = given.equalise.map((sample, i) => {
    const verifier = ownerOf(sample);
    if (!verifier) {
      const where = `${at('equalise')}[${i}]`;
      throw new OptionError(
        'E_OPTION_VALUE',
        owner,
        where,
        `${where} is no hash that "hash" or "accept" verifies`,
      );
    }
    if (preferred.isCurrent(sample))
      optionConflict(
        owner,
        at('equalise'),
        `${at('equalise')} has a hash of today's cost, which is computed anyway`,
      );
    return { cost: costOf(sample), verifier, sample };
  });
  if (new Set(fillers.map(({ cost }) => cost)).size < fillers.length)
    optionConflict(
      owner,
      at('equalise'),
      `${at('equalise')} has two hashes of one cost. One of each is enough`,
    );

  /** One computation for what is stored, or for nothing; and with `equalise` one of each other cost. */
  async function judge(
    forms: PasswordForms,
    stored: string | undefined,
    compute: Compute,
  ): Promise<PasswordVerdict> {
    const reading = stored === undefined ? undefined : pepper.open(stored);
    if (reading && 'missing' in reading) events.emit({ type: 'auth.pepper-missing', keyId: reading.missing });
    const known = reading && 'inner' in reading ? reading : undefined;
    const verifier = known && ownerOf(known.inner);
    const current = known !== undefined && known.current && preferred.isCurrent(known.inner);
    const cost = verifier && costOf(known.inner);
    const filler = fillers.some((one) => one.cost === cost);
    for (const one of fillers) if (one.cost !== cost) await one.verifier.verify(forms, one.sample, compute);
    if (!verifier || (filler && !current)) await preferred.hash(pepper.mix(forms), compute);
    if (!verifier) return { matches: false, outdated: false };
    const matches = await verifier.verify(known.mix(forms), known.inner, compute);
    return { matches, outdated: matches && !current };
  }

  return {
    policy,
    async assertAcceptable(password, context, pointer = '/password') {
      const reasons = [...policy.check(password, context)];
      if (reasons.length === 0) reasons.push(...(await policy.lookUp(password).catch(unchecked)));
      if (reasons.length === 0) return;
      throw errors.E_PASSWORD_POLICY({
        message: `This password cannot be used. ${reasons.map((reason) => reason.detail).join(' ')}`,
        problem: { errors: reasons.map((reason) => ({ pointer, ...reason })) },
      });
    },
    hash: (password) =>
      gate.run(async (compute) => pepper.seal(await preferred.hash(pepper.mix(formsOf(password)), compute))),
    verify: (password, stored) =>
      gate.run(async (compute) => {
        const tooLong = password.length > MAX_INPUT;
        const forms = formsOf(tooLong ? password.slice(0, MAX_INPUT) : password);
        const first = await judge(forms, stored, compute);
        if (tooLong) return { matches: false, outdated: false };
        if (first.matches || forms.raw === forms.normal) return first;
        // Hashes of other systems are over the text as typed. The second look depends on the text alone, so it tells nothing.
        const second = await judge({ raw: forms.raw, normal: forms.raw }, stored, compute);
        return { matches: second.matches, outdated: second.matches };
      }),
  };

  function unchecked(cause: unknown): [] {
    events.emit({ type: 'auth.breach-list-failed', reason: isError(cause) ? cause.message : 'unknown' });
    if (policy.onOutage === 'allow') return [];
    throw errors.E_PASSWORD_UNCHECKED({ cause });
  }
}

function formsOf(raw: string): PasswordForms {
  return { raw, normal: normalise(raw) };
}

/** Scheme and parameters of a stored hash, without salt and digest: `argon2id m=19456,t=2,p=1`. */
function costOf(stored: string): string {
  const scheme = /^(?:argon2(?:id|i|d)?|2[aby]|scrypt|rounds=\d{1,9}|(?:bcrypt|pbkdf2)[a-z0-9_-]*)$/;
  return stored
    .split('$')
    .filter((part) => /^\d{1,9}$/.test(part) || part.includes(',') || scheme.test(part))
    .join(' ');
}
