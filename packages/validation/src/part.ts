import { OptionError } from '@portcullis/core';
import { applyPlan, coercionPlan, propertiesOf, textProblem } from './coercion.js';
import { checkDefaults } from './defaults.js';
import { asWritten } from './engine/as-written.js';
import type { Dialect } from './engine/emit.js';
import { compile, type Engine } from './engine/engine.js';
import { ownCopy } from './own-copy.js';
import { prepareSchema } from './prepare-schema.js';
import type { Finding } from './problem.js';
import type { JsonSchema, Schema } from './schema.js';

export type Verdict =
  | { readonly valid: true; readonly value: unknown }
  | { readonly valid: false; readonly findings: readonly Finding[] };

export interface JudgeOptions {
  /** True if scalar values arrive as text and are read by their declared types. */
  readonly fromText: boolean;
  readonly maxErrors: number;
}

export type Judge = (input: unknown, options: JudgeOptions) => Verdict;

/** Where a schema stands, and what judges by it. */
export interface Place {
  readonly engine: Engine;
  readonly dialect?: Dialect;
  readonly owner: string;
  readonly path: string;
}

/** Everything that can be done before the first request: prepared schema, compiled check, coercion plan. */
export function createJudge(schema: JsonSchema, place: Place): Judge {
  const { engine, dialect = 'input', owner, path } = place;
  const prepared = prepare(schema, dialect, owner, path);
  const check = compile(engine, prepared, dialect, owner, path);
  if (dialect === 'input') checkDefaults(prepared, check, owner, path);
  const plan = coercionPlan(typeof prepared === 'boolean' ? {} : prepared);
  const prototypeNames = dialect === 'as-written';

  return (input, { fromText, maxErrors }) => {
    const copied = ownCopy(input, prototypeNames);
    if (!copied.ok) return { valid: false, findings: [copied.finding] };
    const { value, nodes } = copied;
    if (fromText) applyPlan(plan, value);
    const findings = check(value, nodes, maxErrors);
    return findings.length === 0 ? { valid: true, value } : { valid: false, findings };
  };
}

/** What the checks of a schema are generated from, and found again by. */
export function prepare(schema: JsonSchema, dialect: Dialect, owner: string, path: string): Schema | boolean {
  return dialect === 'as-written'
    ? asWritten(schema, owner, path)
    : prepareSchema(schema, dialect, owner, path);
}

/** A part that only ever holds text must say how each of its properties is read. */
export function checkTextSchema(schema: Schema, owner: string, path: string): void {
  if (schema['type'] !== 'object') {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must have type "object"`);
  }
  for (const [name, property] of Object.entries(propertiesOf(schema))) {
    const problem = textProblem(property);
    const at = `${path}.properties.${name}`;
    if (problem) throw new OptionError('E_OPTION_VALUE', owner, at, `${at} ${problem}`);
  }
}
