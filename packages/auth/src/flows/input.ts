import { errors } from '../error-codes.js';

type Shape = Readonly<Record<string, { readonly max: number; readonly optional?: boolean }>>;
type Texts<S extends Shape> = {
  readonly [K in keyof S]: S[K] extends { readonly optional: true } ? string | undefined : string;
};

/**
 * The named members of an input as strings, whatever a body parser made of the rest.
 * @throws E_INPUT_INVALID (400) with a JSON pointer for each fault
 */
export function readTexts<const S extends Shape>(input: unknown, shape: S): Texts<S> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw errors.E_INPUT_INVALID({ message: 'The request has no JSON object as its body.' });
  }
  const faults: { pointer: string; detail: string }[] = [];
  const texts: Record<string, string | undefined> = {};
  for (const [name, { max, optional }] of Object.entries(shape)) {
    const value: unknown = Object.hasOwn(input, name) ? (input as Record<string, unknown>)[name] : undefined;
    if (value === undefined && optional) continue;
    if (typeof value !== 'string' || value === '')
      faults.push({ pointer: `/${name}`, detail: 'This is required.' });
    else if (value.length > max)
      faults.push({ pointer: `/${name}`, detail: `This has more than ${max} characters.` });
    else texts[name] = value;
  }
  if (faults.length > 0) throw inputFault(...faults);
  return texts as Texts<S>;
}

export function inputFault(...faults: readonly { pointer: string; detail: string }[]): Error {
  const names = faults.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`);
  return errors.E_INPUT_INVALID({ message: names.join(' '), problem: { errors: faults } });
}
