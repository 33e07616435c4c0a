import { OptionError } from '@portcullis/core';
import { Ajv, type ErrorObject } from 'ajv';
import type { Setting } from './setting.js';

/** Says what is wrong with a coerced value, without repeating it. Empty: nothing. */
export type SchemaCheck = (value: unknown) => readonly string[];

/**
 * Compiles the schemas of all settings, and holds every default against its own.
 * @throws OptionError for a schema that is not valid (ajv strict mode) or a default that breaks its own rules
 */
export function compileSchemas(
  settings: Readonly<Record<string, Setting>>,
): ReadonlyMap<string, SchemaCheck> {
  const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, logger: false });
  ajv.addKeyword({
    keyword: 'minBytes',
    type: 'string',
    schemaType: 'number',
    errors: false,
    validate: (least: number, text: string) => Buffer.byteLength(text) >= least,
  });
  const checks = new Map<string, SchemaCheck>();
  for (const [name, { schema, secret, presence }] of Object.entries(settings)) {
    const check = compile(ajv, name, schema, secret);
    if (presence.default !== undefined) {
      const [problem] = check(presence.default);
      if (problem)
        throw new OptionError('E_OPTION_VALUE', 'loadConfig', name, `the default of ${name} ${problem}`);
    }
    checks.set(name, check);
  }
  return checks;
}

function compile(ajv: Ajv, name: string, schema: Setting['schema'], secret: boolean): SchemaCheck {
  try {
    const validate = ajv.compile(schema);
    return (value) =>
      validate(value) ? [] : (validate.errors ?? []).map((error) => sentence(error, secret, schema));
  } catch (error) {
    throw new OptionError('E_OPTION_VALUE', 'loadConfig', name, `${name}: ${(error as Error).message}`);
  }
}

// The path inside a secret document can hold a part of it (a name chosen by whoever wrote it).
function sentence(error: ErrorObject, secret: boolean, schema: Setting['schema']): string {
  const where = error.instancePath === '' ? '' : secret ? 'somewhere inside ' : `at ${error.instancePath} `;
  if (error.keyword === 'minBytes') return `must have at least ${String(schema['minBytes'])} bytes`;
  if (error.keyword === 'enum') {
    const { allowedValues } = error.params as { allowedValues: readonly unknown[] };
    return `${where}must be one of ${allowedValues.map((value) => JSON.stringify(value)).join(', ')}`;
  }
  return `${where}${error.message ?? 'is not valid'}`;
}
