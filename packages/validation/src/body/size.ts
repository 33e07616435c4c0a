import { OptionError, type OptionReader } from '@portcullis/core';

/** Bytes, or text such as `'100kb'` and `'1mb'` (1024 bytes each step). */
export type Size = number | `${number}${'b' | 'kb' | 'mb'}`;

const UNITS: Readonly<Record<string, number>> = Object.freeze({ b: 1, kb: 1024, mb: 1024 * 1024 });
const MAX = 64 * 1024 * 1024;

/** From 1 byte to 64 MiB. What cannot be read does not start: a limit misread is no limit (body-parser CVE-2026-12590). */
export function size(fallback: Size): OptionReader<number> {
  return (value, owner, path) => {
    const given = value === undefined ? fallback : value;
    const [, digits, unit] = /^(\d{1,9})(b|kb|mb)$/.exec(typeof given === 'string' ? given : '') ?? [];
    const bytes = typeof given === 'number' ? given : unit ? Number(digits) * UNITS[unit]! : Number.NaN;
    if (!Number.isInteger(bytes)) {
      throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be bytes or a size such as '100kb'`);
    }
    if (bytes >= 1 && bytes <= MAX) return bytes;
    throw new OptionError('E_OPTION_RANGE', owner, path, `${path} must be between 1 byte and 64mb`);
  };
}
