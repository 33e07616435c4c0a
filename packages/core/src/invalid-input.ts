import type { ErrorRow } from './security-error.js';

/**
 * The row of E_VALIDATION. Every package that reads what a client sends registers it: whoever wrote the check, a client
 * learns of an input of the wrong form in one way, 400 with `errors` that are {@link InputProblem}s.
 */
export const invalidInput = Object.freeze({
  status: 400,
  title: 'Invalid input',
  message: 'The request does not have the form that is accepted here.',
} as const satisfies ErrorRow);

/** One thing that is wrong with an input. Never holds a value of it. */
export interface InputProblem {
  /** The part of the request. */
  readonly in: 'body' | 'query' | 'params' | 'headers' | 'cookies';
  /** Where, as a JSON Pointer (RFC 6901); empty for the part itself. Cut after 200 characters. */
  readonly pointer: string;
  /** What was asked for: a JSON Schema keyword, or `prototypeKey`, `depth`, `encoding`, `count`, `unique`. */
  readonly keyword: string;
  /** For people. */
  readonly message: string;
}
