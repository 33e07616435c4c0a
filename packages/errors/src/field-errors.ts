import type { Problem } from './problem.js';

export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** The entries of `errors` that have the common form: a JSON pointer and a sentence (`detail`, or `message`). */
export function fieldErrors(problem: Problem): readonly FieldError[] {
  const list = problem.members['errors'];
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) => {
    const { pointer, detail, message } = Object(entry) as Partial<Record<string, unknown>>;
    const sentence = detail ?? message;
    return typeof sentence === 'string'
      ? [{ pointer: typeof pointer === 'string' ? pointer : '', detail: sentence }]
      : [];
  });
}
