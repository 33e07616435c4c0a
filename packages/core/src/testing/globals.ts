/** What the suites use of a test runner: the globals of Jest, Vitest and Mocha, or `import * as globals from 'node:test'`. */
export interface TestGlobals {
  describe(title: string, suite: () => void): unknown;
  test(title: string, claim: () => Promise<void>): unknown;
}

/** @throws TypeError if none were given and the runner has no global ones */
export function testGlobals(given: TestGlobals | undefined): TestGlobals {
  if (given) return given;
  const { describe, test, it } = globalThis as unknown as Partial<TestGlobals & { it: TestGlobals['test'] }>;
  const run = test ?? it;
  if (!describe || !run) throw new TypeError('There are no global describe() and test(): pass { globals }.');
  return { describe, test: run };
}
