import { option, OptionError, readOptions } from '@portcullis/core';
import { digestOf } from './engine/ahead.js';
import { emit, type Dialect } from './engine/emit.js';
import { prepare } from './part.js';
import type { AnySchema, JsonSchema, Schema, Schemas } from './schema.js';
import { isStandardSchema } from './standard-schema.js';

export interface PrecompileOptions {
  /** `module`: `export default`. `commonjs`: `module.exports`. @default 'module' */
  readonly format?: 'module' | 'commonjs';
  /** For schemas given to `createValidator()` with the option of this name. @default false */
  readonly dangerouslyAsWritten?: boolean;
}

/** What is given to `validate()` (schemas by part), or to `createValidator()`. */
export type Precompilable = Schemas | JsonSchema;

/**
 * The text of a module with the checks of schemas, to be written to a file by a build and given to `validate()` and
 * `createValidator()` as option `precompiled`. With it a process makes no code from text
 * (`--disallow-code-generation-from-strings`), and starts faster.
 * The checks are found by what the schema says: one that has changed since is not found, and does not start.
 * @throws OptionError for schemas that `validate()` would refuse
 * @see OWASP ASVS 5.0 V1.3.2
 */
export function precompile(schemas: readonly Precompilable[], options: PrecompileOptions = {}): string {
  const { format, dangerouslyAsWritten } = readOptions('precompile', options, {
    format: option.oneOf(['module', 'commonjs'], 'module'),
    dangerouslyAsWritten: option.boolean(false),
  });
  if (!Array.isArray(schemas)) {
    throw new OptionError('E_OPTION_TYPE', 'precompile', 'schemas', 'schemas must be a list');
  }
  const bodies = new Map<string, string>();
  schemas.forEach((given: Precompilable, i) => {
    for (const { schema, dialect, path } of jobsOf(given, `schemas[${i}]`, dangerouslyAsWritten)) {
      const prepared = prepare(schema, dialect, 'precompile', path);
      const digest = digestOf(prepared, dialect);
      if (!bodies.has(digest)) bodies.set(digest, emit(prepared, dialect, 'precompile', path));
    }
  });
  const checks = [...bodies].map(([digest, body]) => `'${digest}': (scope) => {\n${body}\n},`);
  const start = format === 'module' ? 'export default' : 'module.exports =';
  return `// Made by precompile() of @portcullis/validation. Do not edit.\n${start} {\nportcullis: 1,\nchecks: {\n${checks.join('\n')}\n},\n};\n`;
}

interface Job {
  readonly schema: JsonSchema;
  readonly dialect: Dialect;
  readonly path: string;
}

const PARTS = ['body', 'query', 'params', 'headers', 'cookies', 'response'];

function jobsOf(given: Precompilable, path: string, asWritten: boolean): readonly Job[] {
  const names = typeof given === 'object' && given !== null ? Object.keys(given) : [];
  const byPart = names.length > 0 && names.every((name) => PARTS.includes(name));
  if (!byPart) return [{ schema: given, dialect: asWritten ? 'as-written' : 'input', path }];
  const { response = {}, ...parts } = given as Schemas;
  const entries = [
    ...Object.entries(parts).map(([name, schema]) => [name, schema, 'input'] as const),
    ...Object.entries(response).map(([name, schema]) => [`response.${name}`, schema, 'output'] as const),
  ];
  return entries.flatMap(([name, schema, dialect]) =>
    isJsonSchema(schema) ? [{ schema, dialect, path: `${path}.${name}` }] : [],
  );
}

function isJsonSchema(schema: AnySchema | undefined): schema is Schema {
  return schema !== undefined && !isStandardSchema(schema);
}
