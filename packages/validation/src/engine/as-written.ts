import { OptionError } from '@portcullis/core';
import type { Schema } from '../schema.js';

/** Holds the schema of a property named `__proto__`; see emit.ts. */
export const PROTOTYPE_MEMBER = 'prototypeMember';

/** Keywords whose values hold schemas: one, a list, or one by name. */
const ONE = new Set(
  'additionalItems additionalProperties contains else if items not propertyNames then unevaluatedItems unevaluatedProperties'.split(
    ' ',
  ),
);
const LIST = new Set(['allOf', 'anyOf', 'oneOf', 'items']);
const BY_NAME = new Set(
  '$defs definitions dependencies dependentSchemas patternProperties properties'.split(' '),
);

/**
 * A copy of a schema that means under our engine (2019-09) what draft 7 says: `$ref` hides what stands beside it, and
 * `__proto__` is a property like any other. Nothing is closed, bounded or refused.
 * @throws OptionError for what is no schema
 */
export function asWritten(schema: unknown, owner: string, path: string, depth = 0): Schema | boolean {
  if (typeof schema === 'boolean') return schema;
  if (!isRecord(schema) || depth > 64) {
    throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be a JSON Schema`);
  }
  const next = (value: unknown, at: string) => asWritten(value, owner, `${path}.${at}`, depth + 1);
  const own: Record<string, unknown> = {};
  const hides = typeof schema['$ref'] === 'string';
  for (const [keyword, value] of Object.entries(schema)) {
    if (hides && !['$ref', '$defs', 'definitions'].includes(keyword)) continue;
    if (keyword === '$schema') continue;
    if (LIST.has(keyword) && Array.isArray(value)) {
      own[keyword] = value.map((entry, i) => next(entry, `${keyword}[${i}]`));
    } else if (ONE.has(keyword)) own[keyword] = next(value, keyword);
    else if (BY_NAME.has(keyword) && isRecord(value)) {
      const entries = Object.entries(value).map(
        ([name, entry]) => [name, Array.isArray(entry) ? entry : next(entry, `${keyword}.${name}`)] as const,
      );
      const member = keyword === 'properties' ? entries.find(([name]) => name === '__proto__') : undefined;
      if (member) own[PROTOTYPE_MEMBER] = member[1];
      own[keyword] = Object.fromEntries(entries.filter((entry) => entry !== member));
    } else own[keyword] = structuredClone(value);
  }
  return own;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
