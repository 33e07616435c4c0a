import type { TestGlobals } from '@portcullis/core/testing';

export function globalsOf(given: TestGlobals | undefined): TestGlobals {
  if (given) return given;
  const { describe, test, it } = globalThis as unknown as Partial<TestGlobals & { it: TestGlobals['test'] }>;
  const run = test ?? it;
  if (!describe || !run) throw new TypeError('There are no global describe() and test(): pass { globals }.');
  return { describe, test: run };
}
