import { OptionError } from '@portcullis/core';
import { applyPlan, coercionPlan, propertiesOf, textProblem } from './coercion.js';
import { compile } from './compile.js';
import { ownCopy } from './own-copy.js';
import { prepareSchema } from './prepare-schema.js';
import type { Finding } from './problem.js';
import type { Schema } from './schema.js';

export type Verdict =
  | { readonly valid: true; readonly value: unknown }
  | { readonly valid: false; readonly findings: readonly Finding[] };

export interface JudgeOptions {
  /** True if scalar values arrive as text and are read by their declared types. */
  readonly fromText: boolean;
  readonly maxErrors: number;
}

export type Judge = (input: unknown, options: JudgeOptions) => Verdict;

/** Everything that can be done before the first request: prepared schema, compiled check, coercion plan. */
export function createJudge(schema: Schema, owner: string, path: string): Judge {
  const prepared = prepareSchema(schema, owner, path);
  const check = compile(prepared, owner, path);
  const plan = coercionPlan(prepared);

  return (input, { fromText, maxErrors }) => {
    const copied = ownCopy(input);
    if (!copied.ok) return { valid: false, findings: [copied.finding] };
    const { value, nodes } = copied;
    if (fromText) applyPlan(plan, value);
    const findings = check(value, nodes, maxErrors);
    return findings.length === 0 ? { valid: true, value } : { valid: false, findings };
  };
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
