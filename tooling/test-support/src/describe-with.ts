import { describe } from '@jest/globals';
import { hasPostgres } from './postgres-server.js';
import { hasRedis } from './redis-server.js';

/** Claims that need a real Redis; skipped visibly where there is none. */
export function describeWithRedis(title: string, suite: () => void): void {
  describeIf(hasRedis, 'redis-server', title, suite);
}

/** Claims that need a real PostgreSQL; skipped visibly where there is none. */
export function describeWithPostgres(title: string, suite: () => void): void {
  describeIf(hasPostgres, 'PostgreSQL (initdb, postgres)', title, suite);
}

/**
 * `describe`, or a visible skip where the server is not on this machine. `REQUIRE_SERVICES=1` turns the skip into a
 * failure, so that CI cannot be green without it.
 */
function describeIf(available: boolean, service: string, title: string, suite: () => void): void {
  if (available) {
    describe(title, suite);
  } else if (process.env['REQUIRE_SERVICES'] === '1') {
    throw new Error(`REQUIRE_SERVICES=1, but there is no ${service} for "${title}".`);
  } else {
    console.warn(`SKIPPED: ${title} (no ${service} on this machine).`);
    describe.skip(title, suite);
  }
}
