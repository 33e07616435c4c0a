import type { AnySchema, PartName, Schema, Schemas } from './schema.js';
import { prepare } from './part.js';
import { isStandardSchema } from './standard-schema.js';

/** What a `validate` stage says of itself to tools that read routes, such as `openApi()`. */
export interface ValidationFacts {
  readonly validates: {
    /** As they are meant: with the safe defaults written out. `{}` for what another library judges without saying how. */
    readonly parts: { readonly [Part in PartName]?: Schema };
    readonly response: { readonly [status: string]: Schema };
    readonly bodyTypes: readonly string[];
    /** Values that nobody may have yet. */
    readonly unique: readonly { readonly in: PartName; readonly pointer: string }[];
  };
}

export function describeSchemas(schemas: Schemas): Pick<ValidationFacts['validates'], 'parts' | 'response'> {
  const { response = {}, ...parts } = schemas;
  const entries = Object.entries(parts as Record<PartName, AnySchema | undefined>);
  return {
    parts: Object.fromEntries(
      entries.flatMap(([name, schema]) =>
        schema === undefined ? [] : [[name, plain(schema, 'input', name)] as const],
      ),
    ),
    response: Object.fromEntries(
      Object.entries(response).map(([status, schema]) => [
        status,
        plain(schema as AnySchema, 'output', `response.${status}`),
      ]),
    ),
  };
}

function plain(schema: AnySchema, dialect: 'input' | 'output', path: string): Schema {
  if (!isStandardSchema(schema)) return prepare(schema, dialect, 'validate', path) as Schema;
  // Standard JSON Schema (https://standardschema.dev/json-schema), where a library has it.
  const { jsonSchema } = schema['~standard'] as {
    jsonSchema?: Partial<Record<'input' | 'output', (options: { target: string }) => Schema>>;
  };
  try {
    return { ...jsonSchema?.[dialect]?.({ target: 'draft-2020-12' }) };
  } catch {
    return {};
  }
}
