import type { Schema } from '../schema.js';

/** Takes schemas and hands out what to write in their place: themselves, or a reference to a component. */
export interface Shelf {
  /** `name` is what it is called if it becomes a component and has no title. */
  put(schema: Schema, name: string): Schema;
  /** A part of a schema that may refer to the rest of it. */
  putMember(root: Schema, member: Schema, name: string): Schema;
  /** After this, schemas that were put in more than once are components. */
  settle(): void;
  schemas(): Readonly<Record<string, Schema>>;
}

/** Keywords whose values hold schemas: one, a list, or one by name. */
const ONE =
  'additionalProperties contains else if items not propertyNames then unevaluatedItems unevaluatedProperties';
const LIST = 'allOf anyOf oneOf prefixItems';
const BY_NAME = '$defs definitions dependentSchemas patternProperties properties';
const PLACES: ReadonlyMap<string, 'one' | 'list' | 'by-name'> = new Map([
  ...ONE.split(' ').map((keyword) => [keyword, 'one'] as const),
  ...LIST.split(' ').map((keyword) => [keyword, 'list'] as const),
  ...BY_NAME.split(' ').map((keyword) => [keyword, 'by-name'] as const),
]);

export function createShelf(): Shelf {
  const counts = new Map<string, number>();
  /** By what a schema says: what it is called. */
  const names = new Map<string, string>();
  const components = new Map<string, Schema>();
  let settled = false;

  function put(given: Schema, name: string): Schema {
    const schema = to2020(given);
    return refersToItself(schema) ? hoist(schema, name) : write(schema, name);
  }

  /** Whole, with its references turned to where it stands. */
  function hoist(schema: Schema, name: string): Schema {
    const own = nameOf(schema, name);
    const base = `#/components/schemas/${own}`;
    if (!components.has(own)) components.set(own, turned(schema, base));
    return { $ref: base };
  }

  function write(schema: Schema, name: string): Schema {
    const text = JSON.stringify(schema);
    if (isShared(schema, text)) {
      const own = nameOf(schema, name);
      // Inside of itself it must be written out once.
      if (!components.has(own)) {
        components.set(own, {});
        components.set(own, inside(schema, own));
      }
      return { $ref: `#/components/schemas/${own}` };
    }
    return inside(schema, name);
  }

  function inside(schema: Schema, name: string): Schema {
    return mapSchemas(schema, (member, step) => write(member, `${name}${pascal(step)}`));
  }

  function isShared(schema: Schema, text: string): boolean {
    if (!isObjectSchema(schema)) return false;
    if (!settled) counts.set(text, (counts.get(text) ?? 0) + 1);
    return settled && (schema['title'] !== undefined || (counts.get(text) ?? 0) > 1);
  }

  function nameOf(schema: Schema, fallback: string): string {
    const text = JSON.stringify(schema);
    const before = names.get(text);
    if (before !== undefined) return before;
    const { title } = schema;
    const wanted = (typeof title === 'string' ? pascal(title) : '') || fallback;
    const taken = new Set([...names.values(), 'Problem', 'ValidationProblem']);
    let name = wanted;
    for (let i = 2; taken.has(name); i++) name = `${wanted}${i}`;
    names.set(text, name);
    return name;
  }

  return {
    put,
    putMember(root, member, name) {
      const all = to2020(root);
      const one = to2020(member);
      if (!refersToItself(one)) return write(one, name);
      const { $ref } = hoist(all, name);
      return turned(one, String($ref));
    },
    settle() {
      settled = true;
      components.clear();
      names.clear();
    },
    schemas: () => Object.fromEntries(components),
  };
}

/** Only those are worth a name of their own. */
function isObjectSchema(schema: Schema): boolean {
  const { properties } = schema;
  return typeof properties === 'object' && properties !== null && Object.keys(properties).length > 0;
}

function refersToItself(schema: Schema): boolean {
  let found = false;
  visit(schema, (one) => {
    found ||= typeof one['$ref'] === 'string';
  });
  return found;
}

function turned(schema: Schema, base: string): Schema {
  const own = mapSchemas(schema, (member) => turned(member, base));
  const { $ref } = own;
  return typeof $ref === 'string' ? { ...own, $ref: `${base}${$ref.slice(1)}` } : own;
}

/** From 2019-09, which `validate()` speaks, to 2020-12, which OpenAPI 3.1 does; without what names the schema elsewhere. */
function to2020(schema: Schema): Schema {
  const { $schema: _schema, $id: _id, $comment: _comment, ...rest } = schema;
  const { items, additionalItems, ...others } = rest;
  const tuple = Array.isArray(items)
    ? { ...others, prefixItems: items, ...(additionalItems === undefined ? {} : { items: additionalItems }) }
    : rest;
  return mapSchemas(tuple, to2020);
}

function visit(schema: Schema, see: (schema: Schema) => void): void {
  see(schema);
  mapSchemas(schema, (member) => {
    visit(member, see);
    return member;
  });
}

/** A copy in which every schema inside is replaced. */
function mapSchemas(schema: Schema, map: (member: Schema, step: string) => Schema): Schema {
  const own: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    const place = PLACES.get(keyword);
    if (place === 'list' && Array.isArray(value)) {
      own[keyword] = value.map((one: unknown, i) => (isRecord(one) ? map(one, `${keyword} ${i + 1}`) : one));
    } else if (place === 'by-name' && isRecord(value)) {
      own[keyword] = Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, isRecord(one) ? map(one, name) : one]),
      );
    } else if (place === 'one' && isRecord(value)) own[keyword] = map(value, keyword);
    else own[keyword] = value;
  }
  return own;
}

/** Letters and digits of a text as one name: `new book` is `NewBook`. */
export function pascal(text: string): string {
  return text
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
