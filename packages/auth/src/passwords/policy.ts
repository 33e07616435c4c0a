import { option, readOptions } from '@portcullis/core';
import type { BreachedPasswords } from './breached.js';
import { commonPasswords } from './common-passwords.js';
import { isCommonPassword } from './common.js';

export interface PasswordPolicyOptions {
  /**
   * Fewest characters (code points after NFKC), 8 to 64. NIST SP 800-63B-4 asks for 15 where the password is the only
   * factor and for 8 where a second one is always asked for. @default 15
   */
  readonly minLength?: number;
  /** Most characters, 64 to 1,024. @default 256 */
  readonly maxLength?: number;
  /** Refuse passwords that everybody tries first. @default true */
  readonly refuseCommon?: boolean;
  /**
   * Kinds of characters that must all occur. For policies that still ask for it; NIST advises against it.
   * @default [] (none)
   */
  readonly require?: readonly CharacterKind[];
  /** Words of the service, such as its name and what it is about, which may not be most of a password. @default [] */
  readonly words?: readonly string[];
  /** An estimate of strength, such as zxcvbn's. @default none */
  readonly strength?: StrengthOptions;
  /** Asked about every new password, such as `pwnedPasswords()`. @default none: nothing leaves the process */
  readonly breached?: BreachedPasswords;
  /**
   * When `breached` does not answer. `refuse`: 503, nobody sets a password meanwhile. `allow`: the other rules decide, and
   * `auth.breach-list-failed` tells. @default 'refuse'
   */
  readonly onOutage?: 'refuse' | 'allow';
}

export interface StrengthOptions {
  /** The function of `zxcvbn` or `@zxcvbn-ts/core` fits: 0 (worst) to 4, given words that an attacker would try. */
  readonly estimate: (password: string, words: string[]) => { readonly score: number };
  /** Least score, 1 to 4. @default 3 */
  readonly min?: number;
}

export type CharacterKind = 'lower' | 'upper' | 'digit' | 'symbol';

export type PasswordFault =
  'too-short' | 'too-long' | 'common' | 'personal' | 'weak' | 'breached' | `needs-${CharacterKind}`;

export interface PolicyReason {
  readonly reason: PasswordFault;
  /** A sentence for the person who chose the password. */
  readonly detail: string;
}

export interface PasswordPolicy {
  /** Every reason against a password, empty if it is acceptable. `context`: words of the person, such as e-mail and name. */
  check(password: string, context?: readonly string[]): readonly PolicyReason[];
  /** What the list of breached passwords says; rejects when it cannot be asked. Only worth its time after `check()`. */
  lookUp(password: string): Promise<readonly PolicyReason[]>;
  readonly onOutage: 'refuse' | 'allow';
}

const KINDS: Readonly<Record<CharacterKind, RegExp>> = {
  lower: /\p{Ll}/u,
  upper: /\p{Lu}/u,
  digit: /\p{Nd}/u,
  symbol: /[^\p{L}\p{N}]/u,
};
const KIND_NAMES: Readonly<Record<CharacterKind, string>> = {
  lower: 'a lower-case letter',
  upper: 'an upper-case letter',
  digit: 'a digit',
  symbol: 'a sign that is neither letter nor digit',
};

/**
 * What may become a password, after NIST SP 800-63B-4 section 3.1.1.2: length, no common ones, nothing taken from the
 * person's own name or address; every character is allowed, spaces and emoji included.
 * @throws OptionError
 */
export function createPasswordPolicy(options: PasswordPolicyOptions = {}, path = ''): PasswordPolicy {
  const { minLength, maxLength, refuseCommon, require, words, strength, breached, onOutage } = readOptions(
    'createPasswordPolicy',
    options,
    {
      minLength: option.integer({ min: 8, max: 64, default: 15 }),
      maxLength: option.integer({ min: 64, max: 1_024, default: 256 }),
      refuseCommon: option.boolean(true),
      require: option.array(option.oneOf<CharacterKind>(['lower', 'upper', 'digit', 'symbol']), {
        default: [],
      }),
      words: option.array(option.string({ max: 100 }), { max: 100, default: [] }),
      strength: option.optional(
        option.group({
          estimate: option.fn<StrengthOptions['estimate']>(),
          min: option.integer({ min: 1, max: 4, default: 3 }),
        }),
      ),
      breached: option.optional(option.port<BreachedPasswords>(['includes'])),
      onOutage: option.oneOf(['refuse', 'allow'], 'refuse'),
    },
    path,
  );
  const common = refuseCommon ? commonPasswords() : undefined;

  return {
    check(password, context = []) {
      const text = normalise(password);
      const length = Array.from(text).length;
      // Nothing below is worth its time on a text that is refused anyway.
      if (length > maxLength)
        return [{ reason: 'too-long', detail: `Please use at most ${maxLength} characters.` }];
      const reasons: PolicyReason[] = [];
      if (length < minLength) {
        reasons.push({ reason: 'too-short', detail: `Please use at least ${minLength} characters.` });
      }
      if (common && (common.has(text.toLowerCase()) || isCommonPassword(text))) {
        reasons.push({
          reason: 'common',
          detail: 'This is one of the first passwords that anybody would try.',
        });
      }
      if (isMostly(text, context)) {
        reasons.push({
          reason: 'personal',
          detail: 'Please choose something that is not your own name or address.',
        });
      } else if (isMostly(text, words)) {
        reasons.push({ reason: 'common', detail: 'Please choose something that is not about this service.' });
      }
      for (const kind of require) {
        if (KINDS[kind].test(text)) continue;
        reasons.push({ reason: `needs-${kind}`, detail: `Please use ${KIND_NAMES[kind]}.` });
      }
      // zxcvbn takes seconds on long text; what begins strong stays strong.
      const tried = text.slice(0, 128);
      if (
        strength &&
        reasons.length === 0 &&
        strength.estimate(tried, [...context, ...words]).score < strength.min
      ) {
        reasons.push({
          reason: 'weak',
          detail: 'This can be guessed quickly. Please use a longer or less usual one.',
        });
      }
      return reasons;
    },
    async lookUp(password) {
      if (!breached || !(await breached.includes(normalise(password)))) return [];
      return [
        {
          reason: 'breached',
          detail: 'This password is known from a data breach. Please choose another one.',
        },
      ];
    },
    onOutage,
  };
}

/** The form in which passwords are judged and hashed. */
export function normalise(password: string): string {
  return password.normalize('NFKC');
}

/** True if little is left of the password without one of the words. */
function isMostly(password: string, context: readonly string[]): boolean {
  const lower = password.toLowerCase();
  const words = context.flatMap((text) => {
    const whole = normalise(text).toLowerCase();
    return [whole, ...whole.split(/[^\p{L}\p{N}]+/u)];
  });
  return words.some(
    (word) => word.length >= 4 && lower.includes(word) && lower.replaceAll(word, '').length < 8,
  );
}
