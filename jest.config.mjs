import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));

/** One run of all workspace packages that have tests; a folder without jest.config.mjs has none. */
export default {
  projects: ['packages', 'examples', 'tooling']
    .flatMap((group) => readdirSync(join(root, group)).map((folder) => join(root, group, folder)))
    .filter((folder) => existsSync(join(folder, 'jest.config.mjs'))),
  // Generous on purpose: no claim may fail because the machine is busy.
  testTimeout: 60_000,
  testSequencer: join(root, 'scripts', 'longest-first.mjs'),
  // A worker keeps something of every file it has run; one that has grown is replaced by a new one.
  workerIdleMemoryLimit: '800MB',
  // More than there are cores: many tests wait for servers that were stopped or paused.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
};
