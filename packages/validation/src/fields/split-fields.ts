import { PROTOTYPE_NAMES } from '../prepare-schema.js';
import { finding, type Finding } from '../problem.js';

export interface SplitLimits {
  /** Fields, empty ones between two `&` not counted. */
  readonly maxFields: number;
  /** UTF-16 code units of a decoded name. */
  readonly maxName: number;
  /** UTF-16 code units of a decoded value. */
  readonly maxValue: number;
}

/** What was wrong with a text of fields. Thrown inside of the readers only. */
export class FieldFault extends Error {
  constructor(readonly found: Finding) {
    super(found.message);
    this.name = 'FieldFault';
  }
}

export function refuseField(name: readonly string[], keyword: string, message: string): never {
  throw new FieldFault(finding(name, keyword, message));
}

/**
 * The fields of a query string or form (WHATWG URL, `application/x-www-form-urlencoded`), each decoded once. Nothing is
 * guessed: what is not percent-encoded UTF-8 is refused, and brackets, dots and semicolons mean themselves.
 * @throws FieldFault
 */
export function splitFields(
  text: string,
  { maxFields, maxName, maxValue }: SplitLimits,
  take: (name: string, value: string) => void,
): void {
  let fields = 0;
  for (let start = 0; start < text.length;) {
    const ampersand = text.indexOf('&', start);
    const end = ampersand < 0 ? text.length : ampersand;
    if (end > start) {
      if (++fields > maxFields) refuseField([], 'count', `must not have more than ${maxFields} fields`);
      const equals = text.indexOf('=', start);
      const split = equals < 0 || equals > end ? end : equals;
      const name = decodeField(text.slice(start, split));
      if (name.length > maxName)
        refuseField([], 'nameLength', `must not have names of more than ${maxName} characters`);
      if (PROTOTYPE_NAMES.has(name)) refuseField([name], 'prototypeKey', 'is a name that is not accepted');
      const value = decodeField(text.slice(Math.min(split + 1, end), end));
      if (value.length > maxValue)
        refuseField([name], 'maxLength', `must not have more than ${maxValue} characters`);
      take(name, value);
    }
    start = end + 1;
  }
}

/** Letters, digits and what a browser leaves as it is: nothing to decode. */
const PLAIN = /^[\w.~*!'()-]*$/;

function decodeField(text: string): string {
  if (PLAIN.test(text)) return text;
  return decodePercent(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

/** Percent-encoded UTF-8, decoded once; NUL ends texts early in other programs. */
export function decodePercent(text: string): string {
  let decoded: string;
  try {
    decoded = text.includes('%') ? decodeURIComponent(text) : text;
  } catch {
    return refuseField([], 'encoding', 'must be percent-encoded UTF-8');
  }
  return decoded.includes('\0') ? refuseField([], 'nul', 'must not contain NUL') : decoded;
}
