import cspEvaluator from 'csp_evaluator';
import { CspParser } from 'csp_evaluator/dist/parser.js';

const { CspEvaluator } = cspEvaluator;

/** What Google's csp_evaluator finds in a policy, with its severity; nothing if it finds nothing. */
export function findingsOf(policy: string): readonly string[] {
  const { csp } = new CspParser(policy);
  return new CspEvaluator(csp)
    .evaluate()
    .map(
      ({ directive, value, severity, description }) =>
        `${directive} ${value ?? ''} (${severity}): ${description}`,
    );
}
