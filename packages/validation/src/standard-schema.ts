import { ownCopy } from './own-copy.js';
import type { Verdict } from './part.js';
import { finding, type Finding } from './problem.js';
import type { StandardIssue, StandardResult, StandardSchema } from './schema.js';

export function isStandardSchema(schema: unknown): schema is StandardSchema {
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return false;
  const standard: unknown = (schema as { '~standard'?: unknown })['~standard'];
  return (
    typeof standard === 'object' &&
    standard !== null &&
    typeof (standard as { validate?: unknown }).validate === 'function'
  );
}

/**
 * Judges by the schema of another library, on a copy of plain data without prototypes. What that library returns is
 * what is valid. Its messages are not passed on: some repeat the input.
 */
export function judgeByStandard(
  schema: StandardSchema,
  input: unknown,
  maxErrors: number,
): Verdict | Promise<Verdict> {
  const copied = ownCopy(input);
  if (!copied.ok) return { valid: false, findings: [copied.finding] };
  const result = schema['~standard'].validate(copied.value);
  const verdictOf = (given: StandardResult): Verdict =>
    given.issues === undefined
      ? { valid: true, value: given.value }
      : { valid: false, findings: findingsOf(given.issues.slice(0, maxErrors)) };
  return isPromise(result) ? Promise.resolve(result).then(verdictOf) : verdictOf(result);
}

/** Issues without any would still be a refusal. */
function findingsOf(issues: readonly StandardIssue[]): readonly Finding[] {
  const found = issues.map(({ path = [] }) =>
    finding(
      path.map((step) => String(typeof step === 'object' ? step.key : step)),
      'schema',
      'does not have the required form',
    ),
  );
  return found.length > 0 ? found : [finding([], 'schema', 'does not have the required form')];
}

function isPromise(value: object): value is Promise<StandardResult> {
  return typeof (value as { then?: unknown }).then === 'function';
}
