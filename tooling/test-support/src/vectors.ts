import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/**
 * The folder of external test data: `PORTCULLIS_VECTORS`, else `shared/vectors` beside the repository. Undefined, with a
 * visible line, where it or one of `files` is absent; the test then skips. `REQUIRE_VECTORS=1` turns the skip into a
 * failure. Every file that a test reads is in `tooling/vectors/vectors.json`; `pnpm vectors` downloads the public ones.
 */
export function vectorsDirectory(name: string, ...files: readonly string[]): string | undefined {
  const base = process.env['PORTCULLIS_VECTORS'] || join(repository, '..', 'shared', 'vectors');
  const folder = join(base, name);
  const missing = existsSync(folder) ? files.filter((file) => !existsSync(join(folder, file))) : [''];
  if (missing.length === 0) return folder;
  const what = missing.map((file) => `"${file === '' ? name : `${name}/${file}`}"`).join(', ');
  if (process.env['REQUIRE_VECTORS'] === '1') {
    throw new Error(`REQUIRE_VECTORS=1, but there are no external vectors ${what}.`);
  }
  console.warn(
    `SKIPPED: no external vectors ${what} (pnpm vectors; set PORTCULLIS_VECTORS to their folder).`,
  );
  return undefined;
}
