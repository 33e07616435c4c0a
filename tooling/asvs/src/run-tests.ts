import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JestReport } from './outcomes.js';

/** Runs the test files that name a row, and returns what Jest says of them. */
export function runTests(root: string): JestReport {
  const files = ['packages', 'examples', 'tooling'].flatMap((group) =>
    readdirSync(join(root, group), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts') && !/(?:^|[\\/])node_modules[\\/]/.test(path))
      .map((path) => join(root, group, path))
      .filter((path) => readFileSync(path, 'utf8').includes('ASVS V')),
  );
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-asvs-'));
  try {
    const output = join(folder, 'tests.json');
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const { status, signal } = spawnSync(
      process.execPath,
      [
        '--experimental-vm-modules',
        '--no-warnings',
        jest,
        '--json',
        `--outputFile=${output}`,
        '--runTestsByPath',
        ...files,
      ],
      { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    if (!existsSync(output)) throw new Error(`Jest ended without results (${signal ?? status}).`);
    return JSON.parse(readFileSync(output, 'utf8')) as JestReport;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
