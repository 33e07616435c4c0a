import type { Schema } from './schema.js';

type Coerce = (value: unknown) => unknown;

/**
 * How to read the texts of a query string, path, header, cookie or form: by the type that the schema declares for
 * each property, in one spelling per value. What does not fit stays text, and the schema then refuses it.
 */
export type Plan = ReadonlyMap<string, Coerce>;

/** Plain decimal notation; no signs but minus, no leading zeros, exponents, hexadecimal, spaces or empty text. */
const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;
const NUMBER = /^(?!-0(?:\.0+)?$)-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$/;

const SCALARS: Readonly<Record<string, (text: string) => unknown>> = Object.freeze({
  string: (text) => text,
  integer: (text) => (INTEGER.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text),
  number: (text) => (NUMBER.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
});

export function coercionPlan(schema: Schema): Plan {
  const plan = new Map<string, Coerce>();
  for (const [name, property] of Object.entries(propertiesOf(schema))) {
    const coerce = coercionOf(property);
    if (coerce) plan.set(name, coerce);
  }
  return plan;
}

/** Rewrites the copy in place. */
export function applyPlan(plan: Plan, record: unknown): void {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return;
  const own = record as Record<string, unknown>;
  for (const [name, coerce] of plan) {
    if (own[name] !== undefined) own[name] = coerce(own[name]);
  }
}

/** Why a property cannot be read from text, or undefined if it can. */
export function textProblem(property: Schema): string | undefined {
  if (coercionOf(property)) return undefined;
  return 'must have one type (string, integer, number, boolean, or array of those), an enum of strings or a const string, because it is read from text';
}

export function propertiesOf(schema: Schema): Readonly<Record<string, Schema>> {
  return (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
}

function coercionOf(schema: Schema): Coerce | undefined {
  const { type, items } = schema;
  if (type === 'array') {
    const item = scalarOf(items as Schema | undefined);
    // One value is a list of one: `?tag=a` and `?tag=a&tag=b` mean the same kind of thing.
    return item && ((value) => (Array.isArray(value) ? value : [value]).map(whenText(item)));
  }
  const scalar = scalarOf(schema);
  return scalar && whenText(scalar);
}

function scalarOf(schema: Schema | undefined): ((text: string) => unknown) | undefined {
  if (schema === undefined || typeof schema !== 'object') return undefined;
  const { type, enum: choices, const: only } = schema;
  if (typeof type === 'string' && Object.hasOwn(SCALARS, type)) return SCALARS[type];
  if (type !== undefined) return undefined;
  const values: unknown[] = Array.isArray(choices) ? choices : only === undefined ? [] : [only];
  return values.length > 0 && values.every((value) => typeof value === 'string')
    ? SCALARS['string']
    : undefined;
}

const whenText =
  (scalar: (text: string) => unknown): Coerce =>
  (value) =>
    typeof value === 'string' ? scalar(value) : value;
