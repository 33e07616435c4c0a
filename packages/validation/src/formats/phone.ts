import { option, OptionError, readOptions, type OptionReader } from '@portcullis/core';

/** ITU-T E.164: a plus sign and 7 to 15 digits that do not begin with 0. Whether it is assigned, only a call can tell. */
export function isPhone(text: string): boolean {
  return /^\+[1-9]\d{6,14}$/.test(text);
}

export interface PhoneReaderOptions {
  /** Digits of the country code that national numbers belong to, such as `'49'`. */
  readonly callingCode: string;
  /** What stands before national numbers and is left out internationally; `''` where nothing is (Italy, Spain). @default '0' */
  readonly trunkPrefix?: string;
  /** What is dialled before a country code, besides `+`; `'011'` in North America. @default '00' */
  readonly internationalPrefix?: string;
  /**
   * What a national number without its prefix looks like. Where it is given, numbers must match it, and the prefix may
   * be missing: `/^[2-9]\d{9}$/` with trunk prefix `'1'` in North America. @default any digits, after the prefix
   */
  readonly national?: RegExp;
}

/**
 * Makes a reader of phone numbers as people of one country write them: `(030) 123-456`, `0049 30 123456`. Returns
 * E.164, or undefined for what has no single reading, such as `+49 (0)30 123456` or an extension.
 * It knows no numbering plans: that the number has the right length for its area, or exists, is not said.
 * @throws OptionError
 */
export function createPhoneReader(options: PhoneReaderOptions): (text: string) => string | undefined {
  const given = readOptions('createPhoneReader', options, {
    callingCode: option.string({ max: 3, pattern: /^[1-9]\d{0,2}$/ }),
    trunkPrefix: option.string({ min: 0, max: 2, pattern: /^\d*$/, default: '0' }),
    internationalPrefix: option.string({ max: 5, pattern: /^\d+$/, default: '00' }),
    national: readPattern,
  });
  const { callingCode, trunkPrefix, internationalPrefix, national } = given;
  if (trunkPrefix.startsWith(internationalPrefix)) {
    throw new OptionError(
      'E_OPTION_CONFLICT',
      'createPhoneReader',
      'trunkPrefix',
      'trunkPrefix must not begin with internationalPrefix',
    );
  }

  return (text) => {
    // One separator between digits; one pair of parentheses around the first digits of a national number.
    if (text.length > 40 || !/^(?:\+?\d|\(\d{1,6}\) ?\d)(?:[ ./-]?\d)*$/.test(text)) return undefined;
    const digits = text.replaceAll(/[^+\d]/g, '');
    const phone = toInternational(digits);
    return phone !== undefined && isPhone(phone) ? phone : undefined;
  };

  function toInternational(digits: string): string | undefined {
    if (digits.startsWith('+')) return digits;
    if (digits.startsWith(internationalPrefix)) return `+${digits.slice(internationalPrefix.length)}`;
    const rest = digits.startsWith(trunkPrefix) ? digits.slice(trunkPrefix.length) : undefined;
    const readings = new Set([rest, ...(national ? [digits] : [])]);
    const fitting = [...readings].filter((one) => one !== undefined && (national?.test(one) ?? true));
    return fitting.length === 1 ? `+${callingCode}${fitting[0]}` : undefined;
  }
}

const readPattern: OptionReader<RegExp | undefined> = (value, owner, path) => {
  if (value === undefined) return undefined;
  if (value instanceof RegExp && !value.global && !value.sticky) return value;
  throw new OptionError(
    'E_OPTION_TYPE',
    owner,
    path,
    `${path} must be a regular expression without the flags g and y`,
  );
};
