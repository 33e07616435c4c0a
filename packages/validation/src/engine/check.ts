import type { ErrorObject } from 'ajv';
import { cut, escapeStep, type Finding } from '../problem.js';

/** Judges a copy of its own; may fill in defaults. Returns what is wrong, at most `max` findings. */
export type Check = (value: unknown, nodes: number, max: number) => readonly Finding[];

/** A function that ajv has generated: answers, and leaves what is wrong behind. */
export interface Generated {
  (value: unknown): boolean;
  errors?: readonly ErrorObject[] | null;
}

/** The same schema twice: stopping at the first finding, and listing all of them. */
export interface GeneratedPair {
  readonly first: Generated;
  readonly all: Generated;
}

/** Larger inputs get their first finding only: listing all of them is work that the sender chooses. */
const MAX_NODES_FOR_ALL = 2000;

export function checkOf({ first, all }: GeneratedPair): Check {
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
