import type { InputProblem } from '@portcullis/core';

/** As found, before it is known in which part. */
export type Finding = Omit<InputProblem, 'in'>;

const MAX_POINTER = 200;

export function finding(path: readonly string[], keyword: string, message: string): Finding {
  return { pointer: cut(path.map((step) => `/${escapeStep(step)}`).join('')), keyword, message };
}

export function cut(pointer: string): string {
  // Lone surrogates in a key must not make the answer unencodable.
  return pointer.slice(0, MAX_POINTER).toWellFormed();
}

/** RFC 6901 section 3. */
export function escapeStep(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1');
}
