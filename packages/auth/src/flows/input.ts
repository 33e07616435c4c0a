import type { InputProblem } from '@portcullis/core';
import { errors } from '../error-codes.js';

type Shape = Readonly<Record<string, { readonly max: number; readonly optional?: boolean }>>;
type Texts<S extends Shape> = {
  readonly [K in keyof S]: S[K] extends { readonly optional: true } ? string | undefined : string;
};

/**
 * The named members of an input as strings, whatever a body parser made of the rest.
 * @throws E_VALIDATION (400) with a JSON pointer for each fault
 */
export function readTexts<const S extends Shape>(input: unknown, shape: S): Texts<S> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw inputFault({ pointer: '', keyword: 'type', message: 'must be a JSON object' });
  }
  const faults: Fault[] = [];
  const texts: Record<string, string | undefined> = {};
  for (const [name, { max, optional }] of Object.entries(shape)) {
    const value: unknown = Object.hasOwn(input, name) ? (input as Record<string, unknown>)[name] : undefined;
    if (value === undefined && optional) continue;
    const pointer = `/${name}`;
    if (value === undefined) faults.push({ pointer, keyword: 'required', message: 'is required' });
    else if (typeof value !== 'string') faults.push({ pointer, keyword: 'type', message: 'must be string' });
    else if (value === '')
      faults.push({ pointer, keyword: 'minLength', message: 'must NOT have fewer than 1 characters' });
    else if (value.length > max)
      faults.push({ pointer, keyword: 'maxLength', message: `must NOT have more than ${max} characters` });
    else texts[name] = value;
  }
  if (faults.length > 0) throw inputFault(...faults);
  return texts as Texts<S>;
}

export type Fault = Omit<InputProblem, 'in'>;

export function inputFault(...faults: readonly Fault[]): Error {
  return errors.E_VALIDATION({ problem: { errors: faults.map((fault) => ({ in: 'body', ...fault })) } });
}
