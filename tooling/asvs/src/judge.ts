import type { Outcome } from './outcomes.js';
import type { Requirement } from './requirements.js';

/** `passed`: there are tests that name the row, all of them ran, and all passed. */
export type Result = 'passed' | 'failed' | 'skipped' | 'missing';

export interface Row extends Requirement {
  readonly tests: readonly Outcome[];
  readonly result: Result;
  /** Nothing else than `passed` is good enough. */
  readonly mandatory: boolean;
}

export interface Verdict {
  readonly rows: readonly Row[];
  /** Why the exit code is not 0; empty if it is. */
  readonly faults: readonly string[];
}

export function judge(
  requirements: readonly Requirement[],
  outcomes: ReadonlyMap<string, readonly Outcome[]>,
  complete: readonly string[],
): Verdict {
  const rows = requirements.map((requirement): Row => {
    const tests = outcomes.get(requirement.id) ?? [];
    const mandatory = requirement.kind === 'package-test' && complete.includes(requirement.package);
    return { ...requirement, tests, result: resultOf(tests), mandatory };
  });
  const known = new Set(requirements.map(({ id }) => id));
  const faults = [
    ...rows.filter(isRed).map(({ id, package: name, result }) => `${id} (${name}): ${result}`),
    ...[...outcomes.keys()]
      .filter((id) => !known.has(id))
      .map((id) => `${id}: a test names it, but there is no such row`),
  ];
  return { rows, faults };
}

/** A failing test is red wherever it stands. */
function isRed({ mandatory, result }: Row): boolean {
  return result === 'failed' || (mandatory && result !== 'passed');
}

function resultOf(tests: readonly Outcome[]): Result {
  if (tests.length === 0) return 'missing';
  if (tests.some(({ status }) => status === 'failed')) return 'failed';
  return tests.every(({ status }) => status === 'passed') ? 'passed' : 'skipped';
}
