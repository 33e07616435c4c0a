import { describe } from '@jest/globals';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';

/** A free TCP port of the loopback interface. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** The full path of a program, looked up in PATH and in the extra folders. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...folders];
  return places.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/**
 * `describe`, or a visible skip where the server is not on this machine. `REQUIRE_SERVICES=1` turns the skip into a
 * failure, so that CI cannot be green without it.
 */
export function describeIf(available: boolean, service: string, title: string, suite: () => void): void {
  if (available) {
    describe(title, suite);
  } else if (process.env['REQUIRE_SERVICES'] === '1') {
    throw new Error(`REQUIRE_SERVICES=1, but there is no ${service} for "${title}".`);
  } else {
    console.warn(`SKIPPED: ${title} (no ${service} on this machine).`);
    describe.skip(title, suite);
  }
}

/** Resolves when `check` stops throwing; rejects with its last error after `withinMs`. */
export async function eventually(check: () => unknown, withinMs = 15_000): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
