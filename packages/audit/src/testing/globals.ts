import type { TestGlobals } from '@portcullis/core/testing';

/** @throws TypeError if none were given and the runner has no global ones */
export function globalsOf(given: TestGlobals | undefined): TestGlobals {
  // Published types must not depend on those of a test runner.
  const runner: object = globalThis;
  const found: Partial<TestGlobals> = given ?? runner;
  if (!found.describe || !found.test)
    throw new TypeError('There are no global describe() and test(): pass { globals }.');
  return { describe: found.describe, test: found.test };
}
