import type { TestGlobals } from '@portcullis/core/testing';

/** @throws TypeError if none were given and the runner has no global ones */
export function globalsOf(given: TestGlobals | undefined): TestGlobals {
  const found = given ?? globalThis;
  if (!found.describe || !found.test)
    throw new TypeError('There are no global describe() and test(): pass { globals }.');
  return { describe: found.describe, test: found.test };
}
