import { test } from '@jest/globals';

/**
 * `test` where the machine has what the claim needs. Elsewhere a line says what is skipped, and with REQUIRE_SERVICES=1 the
 * test runs all the same, and fails, unless `mayLack` says that not every machine can have it.
 */
export function testWith(needed: string, present: unknown, mayLack = false): typeof test | typeof test.skip {
  if (present) return test;
  if (!mayLack && process.env['REQUIRE_SERVICES'] === '1') return test;
  console.warn(`SKIPPED: what needs ${needed}, which this machine has not.`);
  return test.skip;
}
