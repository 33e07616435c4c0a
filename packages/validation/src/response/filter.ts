import type { Schema } from '../schema.js';

/** Keywords whose schemas judge the same value. */
const ONE = ['if', 'then', 'else'];
const LISTS = ['allOf', 'anyOf', 'oneOf'];

type Filtered = { readonly value: unknown; readonly removed: number };

/**
 * Leaves out of a value which members its schema does not list, at every depth where objects are closed. Where there
 * are choices, what any of them lists stays; whether it fits is for the schema to say afterwards.
 */
export function createFilter(root: Schema): (value: unknown) => Filtered {
  return (value) => {
    let removed = 0;

    function clean(given: unknown, schemas: readonly Schema[]): unknown {
      const all = schemas.flatMap((schema) => [...inPlace(schema, root)]);
      if (Array.isArray(given)) return given.map((item, i) => clean(item, itemSchemas(all, i)));
      if (typeof given !== 'object' || given === null) return given;
      const own: Record<string, unknown> = Object.create(null);
      for (const [name, member] of Object.entries(given)) {
        const listed = memberSchemas(all, name);
        if (listed === undefined) removed++;
        else own[name] = clean(member, listed);
      }
      return own;
    }

    const cleaned = clean(value, [root]);
    return { value: cleaned, removed };
  };
}

/** A schema and everything that it says about the same value. */
function* inPlace(schema: unknown, root: Schema, seen = new Set<unknown>()): Generator<Schema> {
  if (!isRecord(schema) || seen.has(schema)) return;
  seen.add(schema);
  yield schema;
  const { $ref, dependentSchemas } = schema;
  if (typeof $ref === 'string') yield* inPlace(resolve($ref, root), root, seen);
  for (const keyword of ONE) yield* inPlace(schema[keyword], root, seen);
  for (const keyword of LISTS) {
    const list = schema[keyword];
    if (Array.isArray(list)) for (const entry of list) yield* inPlace(entry, root, seen);
  }
  if (isRecord(dependentSchemas)) {
    for (const entry of Object.values(dependentSchemas)) yield* inPlace(entry, root, seen);
  }
}

/** What is said of a member; undefined if a schema closes the object and none lists it. */
function memberSchemas(schemas: readonly Schema[], name: string): readonly Schema[] | undefined {
  const said: Schema[] = [];
  let listed = false;
  for (const { properties, patternProperties, additionalProperties, unevaluatedProperties } of schemas) {
    if (isRecord(properties) && Object.hasOwn(properties, name)) {
      listed = true;
      add(said, properties[name]);
      continue;
    }
    if (isRecord(patternProperties)) {
      for (const [pattern, entry] of Object.entries(patternProperties)) {
        if (!new RegExp(pattern, 'u').test(name)) continue;
        listed = true;
        add(said, entry);
      }
    }
    for (const others of [additionalProperties, unevaluatedProperties]) {
      if (others === undefined || others === false) continue;
      listed = true;
      add(said, others);
    }
  }
  const closed = schemas.some(
    ({ additionalProperties, unevaluatedProperties }) =>
      additionalProperties === false || unevaluatedProperties === false,
  );
  return listed || !closed ? said : undefined;
}

function itemSchemas(schemas: readonly Schema[], index: number): readonly Schema[] {
  const said: Schema[] = [];
  for (const { items, additionalItems } of schemas) {
    add(said, Array.isArray(items) ? (items[index] ?? additionalItems) : items);
  }
  return said;
}

function add(said: Schema[], schema: unknown): void {
  if (isRecord(schema)) said.push(schema);
}

/** A JSON Pointer within the schema (RFC 6901). */
function resolve(ref: string, root: Schema): unknown {
  let at: unknown = root;
  for (const step of ref.slice(1).split('/').slice(1)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? (at as Schema)[name] : undefined;
  }
  return at;
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
