import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/**
 * The folder of external test data: `PORTCULLIS_VECTORS`, else `shared/vectors` beside the repository. Undefined, with a
 * visible line, where it is absent; the test then skips.
 */
export function vectorsDirectory(name: string): string | undefined {
  const base = process.env['PORTCULLIS_VECTORS'] ?? join(repository, '..', 'shared', 'vectors');
  const folder = join(base, name);
  if (existsSync(folder)) return folder;
  console.warn(`SKIPPED: no external vectors "${name}" (set PORTCULLIS_VECTORS to their folder).`);
  return undefined;
}
