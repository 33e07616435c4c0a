import { option, readOptions, systemClock, type Clock } from '@portcullis/core';
import { errors } from '../error-codes.js';
import { argon2id } from './argon2id.js';
import { bcrypt } from './bcrypt.js';
import { createGate } from './gate.js';
import type { PasswordForms, PasswordHasher } from './hasher.js';
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
  readonly accept?: readonly PasswordHasher[];
  readonly policy?: PasswordPolicyOptions;
  /** Hashes computed at once, 1 to 64. Leave threads of the pool (UV_THREADPOOL_SIZE, 4) to others. @default 2 */
  readonly slots?: number;
  /** Hashes that may wait; more are refused with 503 at once. 0 to 10,000. @default 100 */
  readonly maxQueue?: number;
  readonly clock?: Clock;
}

export interface PasswordVerdict {
  readonly matches: boolean;
  /** True for a match whose hash should be made anew: other scheme or other parameters than today's. */
  readonly outdated: boolean;
}

export interface Passwords {
  readonly policy: PasswordPolicy;
  /** @throws E_PASSWORD_POLICY with the reasons as `errors`, E_PASSWORD_BUSY */
  assertAcceptable(password: string, context?: readonly string[], pointer?: string): void;
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
  const hasher = (fallback?: PasswordHasher) =>
    option.port<PasswordHasher>(['accepts', 'hash', 'verify', 'isCurrent'], ...(fallback ? [fallback] : []));
  const {
    hash: preferred,
    accept,
    policy,
    slots,
    maxQueue,
    clock,
  } = readOptions(
    'createPasswords',
    options,
    {
      hash: hasher(argon2id()),
      accept: option.array(hasher(), { max: 16, default: [bcrypt()] }),
      policy: (value, _owner, at) => createPasswordPolicy(value as PasswordPolicyOptions | undefined, at),
      slots: option.integer({ min: 1, max: 64, default: 2 }),
      maxQueue: option.integer({ min: 0, max: 10_000, default: 100 }),
      clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    },
    path,
  );
  const gate = createGate({ slots, maxQueue, clock });
  const hashers = [preferred, ...accept];

  return {
    policy,
    assertAcceptable(password, context, pointer = '/password') {
      const reasons = policy.check(password, context);
      if (reasons.length > 0) {
        throw errors.E_PASSWORD_POLICY({
          message: `This password cannot be used. ${reasons.map((reason) => reason.detail).join(' ')}`,
          problem: { errors: reasons.map((reason) => ({ pointer, ...reason })) },
        });
      }
    },
    hash: (password) => gate.run(() => preferred.hash(formsOf(password))),
    verify: (password, stored) =>
      gate.run(async () => {
        const tooLong = password.length > MAX_INPUT;
        const forms = formsOf(tooLong ? password.slice(0, MAX_INPUT) : password);
        const owner = stored === undefined ? undefined : hashers.find((one) => one.accepts(stored));
        if (!owner || stored === undefined) {
          await preferred.hash(forms);
          return { matches: false, outdated: false };
        }
        const matches = (await owner.verify(forms, stored)) && !tooLong;
        return { matches, outdated: matches && !preferred.isCurrent(stored) };
      }),
  };
}

function formsOf(raw: string): PasswordForms {
  return { raw, normal: normalise(raw) };
}
