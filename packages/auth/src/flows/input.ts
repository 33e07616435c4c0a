import type { InputProblem } from '@portcullis/core';
import { errors } from '../error-codes.js';

/** What a member of an input may be: JSON Schemas, of the few kinds that are asked for here. */
export type MemberSchema =
  | { readonly type: 'string'; readonly minLength: number; readonly maxLength: number }
  | { readonly enum: readonly string[] }
  | { readonly type: 'boolean' }
  | { readonly type: readonly ['string', 'integer']; readonly description: string }
  /** Read by whom it is for. */
  | { readonly type: 'object'; readonly description: string }
  | {
      readonly type: 'array';
      readonly items: { readonly type: 'string'; readonly maxLength: number };
      readonly minItems: number;
      readonly maxItems: number;
      readonly uniqueItems: true;
    };
type Members = Readonly<Record<string, MemberSchema>>;

/** A JSON Schema of an input: it reads the input, and describes it in the OpenAPI document. */
export interface InputSchema<R extends Members = Members, O extends Members = Members> {
  readonly type: 'object';
  readonly properties: R & O;
  readonly required: readonly string[];
}

type Value<M> = M extends { enum: readonly (infer E)[] }
  ? E
  : M extends { type: 'string' }
    ? string
    : M extends { type: 'boolean' }
      ? boolean
      : M extends { type: 'array' }
        ? readonly string[]
        : M extends { type: 'object' }
          ? object
          : string | number;
export type Input<S> =
  S extends InputSchema<infer R, infer O>
    ? { readonly [K in keyof R]: Value<R[K]> } & { readonly [K in keyof O]?: Value<O[K]> }
    : never;

export function text(maxLength: number) {
  return { type: 'string', minLength: 1, maxLength } as const;
}

export function inputSchema<const R extends Members, const O extends Members = R>(
  required: R,
  optional?: O,
): InputSchema<R, O> {
  const properties = { ...required, ...optional } as R & O;
  return { type: 'object', properties, required: Object.keys(required) };
}

/** The same, and what may come besides. */
export function withOptional<R extends Members, O extends Members, const More extends Members>(
  { properties, required }: InputSchema<R, O>,
  more: More,
): InputSchema<R, O & More> {
  return { type: 'object', properties: { ...properties, ...more }, required };
}

/** The same, where nothing may be left out. */
export function withAll<R extends Members, O extends Members>(schema: InputSchema<R, O>): InputSchema<R, O> {
  return { ...schema, required: Object.keys(schema.properties) };
}

/**
 * The members that a schema names, and nothing else of an input. None at all is an empty object where nothing is required.
 * @param at JSON pointer of the input
 * @throws E_VALIDATION (400) with a JSON pointer for each fault
 */
export function readInput<R extends Members, O extends Members>(
  input: unknown,
  schema: InputSchema<R, O>,
  at = '',
): Input<InputSchema<R, O>> {
  const { properties, required } = schema;
  const given = input === undefined && required.length === 0 ? {} : input;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw inputFault({ pointer: at, keyword: 'type', message: 'must be a JSON object' });
  }
  const faults: Fault[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(properties)) {
    const value: unknown = Object.hasOwn(given, name) ? (given as Record<string, unknown>)[name] : undefined;
    if (value === undefined && !required.includes(name)) continue;
    const fault: Omit<Fault, 'pointer'> | undefined =
      value === undefined ? { keyword: 'required', message: 'is required' } : faultOf(value, member);
    if (fault) faults.push({ pointer: `${at}/${name}`, ...fault });
    else values[name] = value;
  }
  if (faults.length > 0) throw inputFault(...faults);
  return values as Input<InputSchema<R, O>>;
}

function faultOf(value: unknown, member: MemberSchema): Omit<Fault, 'pointer'> | undefined {
  if ('enum' in member)
    return member.enum.includes(value as string)
      ? undefined
      : { keyword: 'enum', message: `must be one of ${member.enum.join(', ')}` };
  if (member.type === 'string') return textFault(value, member);
  if (member.type === 'boolean')
    return typeof value === 'boolean' ? undefined : { keyword: 'type', message: 'must be boolean' };
  if (member.type === 'array') return listFault(value, member);
  if (member.type === 'object')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? undefined
      : { keyword: 'type', message: 'must be object' };
  return typeof value === 'string' || Number.isInteger(value)
    ? undefined
    : { keyword: 'type', message: 'must be string or integer' };
}

function textFault(
  value: unknown,
  { minLength, maxLength }: { readonly minLength: number; readonly maxLength: number },
): Omit<Fault, 'pointer'> | undefined {
  if (typeof value !== 'string') return { keyword: 'type', message: 'must be string' };
  if (value.length < minLength)
    return { keyword: 'minLength', message: `must NOT have fewer than ${minLength} characters` };
  if (value.length > maxLength)
    return { keyword: 'maxLength', message: `must NOT have more than ${maxLength} characters` };
  // Half a character has no UTF-8: all of them would be hashed as one and the same.
  if (!value.isWellFormed()) return { keyword: 'unicode', message: 'must be Unicode text' };
  return undefined;
}

function listFault(
  value: unknown,
  { items, minItems, maxItems }: Extract<MemberSchema, { type: 'array' }>,
): Omit<Fault, 'pointer'> | undefined {
  if (!Array.isArray(value)) return { keyword: 'type', message: 'must be array' };
  if (value.length < minItems)
    return { keyword: 'minItems', message: `must NOT have fewer than ${minItems} items` };
  if (value.length > maxItems)
    return { keyword: 'maxItems', message: `must NOT have more than ${maxItems} items` };
  if (new Set(value).size < value.length)
    return { keyword: 'uniqueItems', message: 'must NOT have duplicate items' };
  const isText = (one: unknown) => typeof one === 'string' && one.length <= items.maxLength;
  if (!value.every(isText))
    return { keyword: 'items', message: `must hold texts of at most ${items.maxLength} characters` };
  return undefined;
}

export type Fault = Omit<InputProblem, 'in'>;

export function inputFault(...faults: readonly Fault[]): Error {
  return errors.E_VALIDATION({ problem: { errors: faults.map((fault) => ({ in: 'body', ...fault })) } });
}
