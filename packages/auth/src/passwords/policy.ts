import { option, readOptions } from '@portcullis/core';
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
}

export type CharacterKind = 'lower' | 'upper' | 'digit' | 'symbol';

export type PasswordFault = 'too-short' | 'too-long' | 'common' | 'personal' | `needs-${CharacterKind}`;

export interface PolicyReason {
  readonly reason: PasswordFault;
  /** A sentence for the person who chose the password. */
  readonly detail: string;
}

export interface PasswordPolicy {
  /** Every reason against a password, empty if it is acceptable. `context`: words of the person, such as e-mail and name. */
  check(password: string, context?: readonly string[]): readonly PolicyReason[];
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
  const { minLength, maxLength, refuseCommon, require } = readOptions(
    'createPasswordPolicy',
    options,
    {
      minLength: option.integer({ min: 8, max: 64, default: 15 }),
      maxLength: option.integer({ min: 64, max: 1_024, default: 256 }),
      refuseCommon: option.boolean(true),
      require: option.array(option.oneOf<CharacterKind>(['lower', 'upper', 'digit', 'symbol']), {
        default: [],
      }),
    },
    path,
  );

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
      if (refuseCommon && isCommonPassword(text)) {
        reasons.push({
          reason: 'common',
          detail: 'This is one of the first passwords that anybody would try.',
        });
      }
      if (isPersonal(text, context)) {
        reasons.push({
          reason: 'personal',
          detail: 'Please choose something that is not your own name or address.',
        });
      }
      for (const kind of require) {
        if (KINDS[kind].test(text)) continue;
        reasons.push({ reason: `needs-${kind}`, detail: `Please use ${KIND_NAMES[kind]}.` });
      }
      return reasons;
    },
  };
}

/** The form in which passwords are judged and hashed. */
export function normalise(password: string): string {
  return password.normalize('NFKC');
}

/** True if little is left of the password without a word of the person's own. */
function isPersonal(password: string, context: readonly string[]): boolean {
  const lower = password.toLowerCase();
  const words = context.flatMap((text) => {
    const whole = normalise(text).toLowerCase();
    return [whole, ...whole.split(/[^\p{L}\p{N}]+/u)];
  });
  return words.some(
    (word) => word.length >= 4 && lower.includes(word) && lower.replaceAll(word, '').length < 8,
  );
}
