import type { Schema } from './schema.js';

const ONE = ['not', 'if', 'then', 'else'];
const SEVERAL = ['allOf', 'anyOf', 'oneOf'];

/**
 * True if some part of a prepared schema would be asked about one value again and again: a chain of references, branches and
 * conditions that comes back to where it began. What goes into a member or an entry ends with the value.
 */
export function isEndless(root: Schema): boolean {
  const done = new Set<object>();
  const onTheWay = new Set<object>();

  function comesBack(schema: object): boolean {
    if (onTheWay.has(schema)) return true;
    if (done.has(schema)) return false;
    onTheWay.add(schema);
    const found = inPlace(schema as Schema, root).some(comesBack);
    onTheWay.delete(schema);
    done.add(schema);
    return found;
  }

  return allObjects(root).some(comesBack);
}

/** Whatever could be a schema; a value of `const` that looks like one refers nowhere that matters. */
function allObjects(from: unknown, found: object[] = []): object[] {
  if (typeof from !== 'object' || from === null) return found;
  if (!Array.isArray(from)) found.push(from);
  for (const value of Object.values(from)) allObjects(value, found);
  return found;
}

/** The schemas that judge the very value that this one judges. */
function inPlace(schema: Schema, root: Schema): object[] {
  const { $ref: ref, dependentSchemas } = schema;
  return [
    ...ONE.map((keyword) => schema[keyword]),
    ...SEVERAL.flatMap((keyword) => schema[keyword] ?? []),
    ...(isObject(dependentSchemas) ? Object.values(dependentSchemas) : []),
    ...(typeof ref === 'string' ? [target(root, ref)] : []),
  ].filter(isObject);
}

/** Undefined for what is no pointer; ajv then says what it means, or that there is nothing. */
function target(root: Schema, ref: string): unknown {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) return undefined;
  let at: unknown = root;
  for (const step of ref.slice(2).split('/')) {
    const name = unescaped(step);
    at = isObject(at) && Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
  }
  return at;
}

function unescaped(step: string): string {
  const text = step.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
