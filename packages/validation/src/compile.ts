import { Ajv2019, type ErrorObject, type ValidateFunction } from 'ajv/dist/2019.js';
import { isError, OptionError } from '@portcullis/core';
import { ajvFormats } from './formats.js';
import { cut, escapeStep, type Finding } from './problem.js';
import type { Schema } from './schema.js';

/** Judges a copy of its own; may fill in defaults. Returns what is wrong, at most `max` findings. */
export type Check = (value: unknown, nodes: number, max: number) => readonly Finding[];

const OPTIONS = {
  strict: true,
  strictRequired: false, // prepareSchema() says it better.
  allowUnionTypes: true,
  ownProperties: true, // Else `required: ['toString']` is satisfied by {}.
  validateSchema: false, // prepareSchema() has checked every keyword, at a twentieth of the cost.
  meta: false,
  logger: false,
  useDefaults: true,
  multipleOfPrecision: 9, // Else 19.99 is no multiple of 0.01.
} as const;

/** Larger inputs get their first finding only: listing all of them is work that the sender chooses. */
const MAX_NODES_FOR_ALL = 2000;

/** @throws OptionError if ajv cannot compile the schema */
export function compile(schema: Schema, owner: string, path: string): Check {
  const formats = ajvFormats();
  let first: ValidateFunction;
  let all: ValidateFunction;
  try {
    first = new Ajv2019({ ...OPTIONS, formats }).compile(schema);
    all = new Ajv2019({ ...OPTIONS, formats, allErrors: true }).compile(schema);
  } catch (error) {
    const reason = isError(error) ? error.message : 'unknown reason';
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} does not compile: ${reason}`);
  }
  return (value, nodes, max) => {
    const passed: unknown = first(value);
    if (passed === true) return [];
    if (nodes <= MAX_NODES_FOR_ALL) all(value);
    const detailed = (nodes <= MAX_NODES_FOR_ALL ? all.errors : undefined) ?? first.errors;
    const findings = (detailed ?? []).slice(0, max).map(toFinding);
    // The verdict is the first one's; that it left no error behind would be ajv's fault, not a pass.
    return findings.length > 0 ? findings : [{ pointer: '', keyword: 'schema', message: 'is not accepted' }];
  };
}

/** Sentences that ajv's own would give away more than is needed for, or say awkwardly. */
const MESSAGES: Readonly<Record<string, (params: Readonly<Record<string, unknown>>) => string>> =
  Object.freeze({
    required: () => 'is required',
    additionalProperties: () => 'is not accepted here',
    unevaluatedProperties: () => 'is not accepted here',
    pattern: () => 'does not have the required form',
    format: ({ format }) =>
      format === 'line' || format === 'text'
        ? 'must not contain control or invisible characters'
        : `must be a valid ${String(format)}`,
    const: () => 'must have the one accepted value',
    enum: () => 'must be one of the accepted values',
  });

function toFinding({ instancePath, keyword, params, message }: ErrorObject): Finding {
  const given = params as Readonly<Record<string, unknown>>;
  const name = given['missingProperty'] ?? given['additionalProperty'] ?? given['unevaluatedProperty'];
  const member = typeof name === 'string' ? `/${escapeStep(name)}` : '';
  return {
    pointer: cut(`${instancePath}${member}`),
    keyword,
    message: MESSAGES[keyword]?.(given) ?? message ?? 'is not accepted',
  };
}
