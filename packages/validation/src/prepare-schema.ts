import { nearest, OptionError } from '@portcullis/core';
import { formats } from './formats/formats.js';
import { isEndless } from './endless.js';
import { patternProblem } from './pattern-safety.js';
import type { Dialect } from './engine/emit.js';
import type { Schema } from './schema.js';

type Kind =
  | 'schema'
  | 'schemas'
  | 'schemaMap'
  | 'items'
  | 'count'
  | 'number'
  | 'positive'
  | 'text'
  | 'flag'
  | 'names'
  | 'namesMap'
  | 'list'
  | 'any'
  | 'type'
  | 'ref';

/** Every keyword that a schema may use, by what its value must be. Anything else is a spelling mistake. */
const ROWS: readonly (readonly [Kind, string])[] = [
  ['text', '$schema $id $comment title description pattern format'],
  ['flag', 'deprecated readOnly writeOnly uniqueItems'],
  ['list', 'examples enum'],
  ['any', 'default const'],
  ['ref', '$ref'],
  ['type', 'type'],
  ['count', 'minLength maxLength minItems maxItems minContains maxContains minProperties maxProperties'],
  ['number', 'minimum maximum exclusiveMinimum exclusiveMaximum'],
  ['positive', 'multipleOf'],
  ['names', 'required'],
  ['namesMap', 'dependentRequired'],
  ['items', 'items'],
  ['schemas', 'allOf anyOf oneOf'],
  ['schema', 'not if then else contains propertyNames'],
  ['schema', 'additionalItems unevaluatedItems additionalProperties unevaluatedProperties'],
  ['schemaMap', '$defs definitions properties patternProperties dependentSchemas'],
];
const KEYWORDS: ReadonlyMap<string, Kind> = new Map(
  ROWS.flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind] as const)),
);

const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'];
/** Subschemas that judge the same value as the schema that they stand in. */
const IN_PLACE = ['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else', 'not', 'dependentSchemas'];
const ABOUT_OBJECTS = [
  'properties',
  'patternProperties',
  'required',
  'dependentRequired',
  'minProperties',
  'maxProperties',
];

/** Subschemas whose refusal lets a value pass: what is added there would loosen, not tighten. */
const TURNED = ['not', 'if'];

/** What is accepted where a schema says nothing. A body is bounded by its reader; these keep one value from being all of it. */
const DEFAULT_MAX_LENGTH = 10_000;
const DEFAULT_MAX_COUNT = 1000;
const DEFAULT_MAX_NAME = 200;

/** Names that reach an object's prototype. They are refused in schemas and in input alike. */
export const PROTOTYPE_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Checks a schema while the service starts, and returns a copy with the safe defaults written out: an object takes
 * listed properties only; in input, a string is a single line without control characters, and strings, lists and open
 * objects have bounds. Refused are misspelt keywords, remote references, and what could make one request costly:
 * patterns without a length, slow patterns, unique arrays of objects without a bound (the rules of ajv's
 * `json-schema-secure.json`).
 * @throws OptionError that names the path
 */
export function prepareSchema(
  schema: unknown,
  dialect: Exclude<Dialect, 'as-written'>,
  owner: string,
  path: string,
): Schema {
  const place = { owner, path, input: dialect === 'input', inPlace: false, turned: false, depth: 0 };
  const prepared = prepare(schema, place) as Schema;
  if (isEndless(prepared)) return refuse(owner, path, 'refers to itself without going deeper into the value');
  return prepared;
}

interface Place {
  readonly owner: string;
  readonly path: string;
  readonly input: boolean;
  /** True where the surrounding schema says which properties there may be. */
  readonly inPlace: boolean;
  /** True inside of `not` and `if`. */
  readonly turned: boolean;
  readonly depth: number;
}

function prepare(schema: unknown, place: Place): Schema | boolean {
  const { owner, path, depth } = place;
  if (typeof schema === 'boolean' && depth > 0) return schema;
  if (!isRecord(schema)) return refuse(owner, path, 'must be a JSON Schema object', 'E_OPTION_TYPE');
  if (depth > 64) return refuse(owner, path, 'is nested more than 64 deep, or refers to itself');

  const aboutObjects = isAboutObjects(schema);
  const own: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${path}.${keyword}`;
    const kind = KEYWORDS.get(keyword);
    if (kind === undefined) {
      const near = nearest(keyword, [...KEYWORDS.keys()]);
      return refuse(owner, at, near ? `is no known keyword. Did you mean "${near}"?` : 'is no known keyword');
    }
    const inPlace = aboutObjects && IN_PLACE.includes(keyword);
    const turned = place.turned || TURNED.includes(keyword);
    own[keyword] = READERS[kind](value, { ...place, path: at, inPlace, turned, depth: depth + 1 });
  }
  openRecord(own);
  checkCost(own, owner, path);
  checkBounds(own, owner, path);
  if (place.turned) return own;
  if (!place.inPlace && aboutObjects) {
    closeObject(own);
    checkRequired(own, owner, path);
  }
  closeNumber(own);
  if (place.input) {
    closeString(own);
    bound(own);
  }
  return own;
}

/** Per kind: what the value must be, and how it is copied. */
const READERS: Readonly<Record<Kind, (value: unknown, place: Place) => unknown>> = Object.freeze({
  schema: prepare,
  schemas: (value, place) => {
    if (!Array.isArray(value) || value.length === 0) return wrong(place, 'a non-empty list of schemas');
    return value.map((entry: unknown, i) => prepare(entry, { ...place, path: `${place.path}[${i}]` }));
  },
  items: (value, place) => (Array.isArray(value) ? READERS.schemas(value, place) : prepare(value, place)),
  schemaMap: (value, place) => {
    if (!isRecord(value)) return wrong(place, 'an object of schemas');
    const entries = Object.entries(value).map(([name, entry]) => {
      if (PROTOTYPE_NAMES.has(name)) return refuse(place.owner, place.path, `must not name "${name}"`);
      return [name, prepare(entry, { ...place, path: `${place.path}.${name}` })] as const;
    });
    return Object.fromEntries(entries);
  },
  ref: (value, place) =>
    typeof value === 'string' && value.startsWith('#')
      ? value
      : wrong(place, 'a reference within the schema, such as "#/$defs/book"'),
  count: (value, place) =>
    Number.isSafeInteger(value) && (value as number) >= 0 ? value : wrong(place, 'an integer from 0'),
  number: (value, place) => (Number.isFinite(value) ? value : wrong(place, 'a finite number')),
  positive: (value, place) =>
    Number.isFinite(value) && (value as number) > 0 ? value : wrong(place, 'a number greater than 0'),
  text: (value, place) => (typeof value === 'string' ? value : wrong(place, 'a string')),
  flag: (value, place) => (typeof value === 'boolean' ? value : wrong(place, 'true or false')),
  names: (value, place) => (isNames(value) ? [...value] : wrong(place, 'a list of different property names')),
  namesMap: (value, place) => {
    if (!isRecord(value) || !Object.values(value).every(isNames)) {
      return wrong(place, 'an object of lists of different property names');
    }
    return copyOf(value);
  },
  list: (value, place) =>
    Array.isArray(value) && value.length > 0 ? copyOf(value) : wrong(place, 'a non-empty list'),
  type: (value, place) => {
    const types: unknown[] = Array.isArray(value) ? value : [value];
    const known = types.length > 0 && types.every((type) => TYPES.includes(type as string));
    return known ? copyOf(value) : wrong(place, `one of ${TYPES.join(', ')}`);
  },
  any: copyOf,
});

function copyOf(value: unknown): unknown {
  return structuredClone(value);
}

function wrong({ owner, path }: Place, wanted: string): never {
  return refuse(owner, path, `must be ${wanted}`, 'E_OPTION_TYPE');
}

function checkCost(schema: Record<string, unknown>, owner: string, path: string): void {
  const { pattern, maxLength, format } = schema;
  if (typeof pattern === 'string') {
    if (typeof maxLength !== 'number') return refuse(owner, path, 'has a pattern, so it needs a maxLength');
    const problem = patternProblem(pattern, maxLength);
    if (problem) refuse(owner, `${path}.pattern`, problem);
  }
  if (typeof format === 'string' && !Object.hasOwn(formats, format)) {
    const near = nearest(format, Object.keys(formats));
    const hint = near ? `Did you mean "${near}"?` : `Known: ${Object.keys(formats).join(', ')}.`;
    refuse(owner, `${path}.format`, `is no known format. ${hint}`);
  }
  if (schema['uniqueItems'] === true && schema['maxItems'] === undefined && !areScalars(schema['items'])) {
    refuse(owner, path, 'has uniqueItems, so it needs maxItems (or items of simple types)');
  }
  const { patternProperties, propertyNames } = schema;
  if (isRecord(patternProperties)) {
    const bound = isRecord(propertyNames) ? propertyNames['maxLength'] : undefined;
    if (typeof bound !== 'number')
      return refuse(owner, path, 'has patternProperties, so it needs propertyNames.maxLength');
    for (const expression of Object.keys(patternProperties)) {
      const problem = patternProblem(expression, bound);
      if (problem) refuse(owner, `${path}.patternProperties`, `${JSON.stringify(expression)} ${problem}`);
    }
  }
}

/** What must be at most what, and what must be below it. */
const BOUNDS = [
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minContains', 'maxContains'],
  ['minProperties', 'maxProperties'],
  ['minimum', 'maximum'],
] as const;
const OPEN_BOUNDS = [
  ['exclusiveMinimum', 'maximum'],
  ['minimum', 'exclusiveMaximum'],
  ['exclusiveMinimum', 'exclusiveMaximum'],
] as const;

function checkBounds(schema: Schema, owner: string, path: string): void {
  const holds = (low: string, high: string, passes: (low: number, high: number) => boolean): void => {
    const [from, to] = [schema[low], schema[high]];
    if (typeof from !== 'number' || typeof to !== 'number' || passes(from, to)) return;
    refuse(owner, path, `has ${low} ${from} and ${high} ${to}, between which there is nothing`);
  };
  for (const [low, high] of BOUNDS) holds(low, high, (from, to) => from <= to);
  for (const [low, high] of OPEN_BOUNDS) holds(low, high, (from, to) => from < to);
}

function areScalars(items: unknown): boolean {
  if (!isRecord(items)) return false;
  const types = [items['type']].flat();
  return types.every((type) => typeof type === 'string' && type !== 'object' && type !== 'array');
}

/** Listed properties only, unless the schema says otherwise. */
function closeObject(schema: Record<string, unknown>): void {
  if ('additionalProperties' in schema || 'unevaluatedProperties' in schema) return;
  const composed = '$ref' in schema || IN_PLACE.some((keyword) => keyword in schema);
  schema[composed ? 'unevaluatedProperties' : 'additionalProperties'] = false;
  schema['type'] ??= 'object';
}

/** A required name that a closed object does not list could never be satisfied: a spelling mistake. */
function checkRequired(schema: Record<string, unknown>, owner: string, path: string): void {
  const {
    properties = {},
    required = [],
    dependentRequired = {},
    additionalProperties,
    patternProperties,
  } = schema;
  if (additionalProperties !== false || patternProperties !== undefined) return;
  const known = Object.keys(properties as object);
  const named = [
    ...(required as string[]).map((name) => ['required', name] as const),
    ...Object.entries(dependentRequired as Record<string, string[]>)
      .flatMap(([name, others]) => [name, ...others])
      .map((name) => ['dependentRequired', name] as const),
  ];
  const missing = named.find(([, name]) => !known.includes(name));
  if (missing === undefined) return;
  const [keyword, name] = missing;
  const near = nearest(name, known);
  const hint = near ? ` Did you mean "${near}"?` : '';
  refuse(owner, `${path}.${keyword}`, `names "${name}", which properties does not list.${hint}`);
}

/** TypeBox writes "any name" as a pattern. */
function openRecord(schema: Record<string, unknown>): void {
  const { patternProperties, additionalProperties } = schema;
  if (!isRecord(patternProperties) || additionalProperties !== undefined) return;
  const [only, other] = Object.keys(patternProperties);
  if (other !== undefined || (only !== '^.*$' && only !== '^(.*)$')) return;
  schema['additionalProperties'] = patternProperties[only];
  delete schema['patternProperties'];
}

/** Beyond 2^53 parts there is no telling what is a multiple; division would end at infinity, which passes. */
function closeNumber(schema: Record<string, unknown>): void {
  const { multipleOf, minimum = -Infinity, maximum = Infinity } = schema;
  if (typeof multipleOf !== 'number' || multipleOf >= 1) return;
  const end = multipleOf * Number.MAX_SAFE_INTEGER;
  schema['minimum'] = Math.max(Number(minimum), -end);
  schema['maximum'] = Math.min(Number(maximum), end);
}

/** Strings, lists and open objects end somewhere. */
function bound(schema: Record<string, unknown>): void {
  const types = [schema['type']].flat();
  const { format, enum: choices, const: only } = schema;
  const chosen = choices !== undefined || only !== undefined;
  if (types.includes('string') && !chosen && formats[format as string]?.max === Number.POSITIVE_INFINITY) {
    schema['maxLength'] ??= Math.max(DEFAULT_MAX_LENGTH, Number(schema['minLength'] ?? 0));
  }
  if (types.includes('array') && !chosen) {
    schema['maxItems'] ??= Math.max(DEFAULT_MAX_COUNT, Number(schema['minItems'] ?? 0));
  }
  if (types.includes('object') && !chosen && !isClosed(schema)) {
    schema['propertyNames'] ??= { type: 'string', maxLength: DEFAULT_MAX_NAME, format: 'line' };
    schema['maxProperties'] ??= Math.max(DEFAULT_MAX_COUNT, Number(schema['minProperties'] ?? 0));
  }
}

function isClosed({ additionalProperties, unevaluatedProperties, patternProperties }: Schema): boolean {
  return (
    (additionalProperties === false || unevaluatedProperties === false) && patternProperties === undefined
  );
}

/** A string of which nothing else is said is a line. */
function closeString(schema: Record<string, unknown>): void {
  const types = [schema['type']].flat();
  if (types.includes('string') && !('format' in schema || 'enum' in schema || 'const' in schema)) {
    schema['format'] = 'line';
  }
}

function isAboutObjects(schema: Readonly<Record<string, unknown>>): boolean {
  if ([schema['type']].flat().includes('object')) return true;
  if (ABOUT_OBJECTS.some((keyword) => keyword in schema)) return true;
  // The branches of allOf describe one object together; those of anyOf and oneOf each a whole one.
  return (
    Array.isArray(schema['allOf']) && schema['allOf'].some((part) => isRecord(part) && isAboutObjects(part))
  );
}

function isNames(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.every((name) => typeof name === 'string') &&
    new Set(value).size === value.length
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(
  owner: string,
  path: string,
  problem: string,
  code: 'E_OPTION_VALUE' | 'E_OPTION_TYPE' = 'E_OPTION_VALUE',
): never {
  throw new OptionError(code, owner, path, `${path} ${problem}`);
}
