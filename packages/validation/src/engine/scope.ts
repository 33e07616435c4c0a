import { ajvFormats } from '../formats/formats.js';
import type { GeneratedPair } from './check.js';

/** What generated code calls. It is handed in, so that the code imports nothing. */
export interface Scope {
  readonly formats: Readonly<Record<string, (text: string) => boolean>>;
  readonly ucs2length: (text: string) => number;
  readonly equal: (a: unknown, b: unknown) => boolean;
}

/** A generated body, as a function. */
export type MakePair = (scope: Scope) => GeneratedPair;

export const scope: Scope = Object.freeze({ formats: Object.freeze(ajvFormats()), ucs2length, equal });

/** JSON Schema counts characters, not UTF-16 units (RFC 8259 section 7). */
function ucs2length(text: string): number {
  let length = text.length;
  // Most texts have no surrogates; where there are some, each pair is one.
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length--;
      i++;
    }
  }
  return length;
}

/**
 * Equality of JSON values. Ajv's own asks objects for `valueOf` and `constructor`, which the copies that are judged
 * here do not have, and which the sender could have sent as members.
 */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]))
    );
  }
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every(
      (name) =>
        Object.hasOwn(b, name) &&
        equal((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]),
    )
  );
}
