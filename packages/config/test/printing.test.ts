import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

// Real processes: what a test runner's console does to an object is not what a terminal or a log collector sees.
function run(
  fixture: string,
  env: Record<string, string>,
  ...args: string[]
): { code: number | null; output: string } {
  const script = join(import.meta.dirname, 'fixtures', fixture);
  // Nothing here makes code from text (ASVS V1.3.2), so all of it runs where that is forbidden.
  const hard = '--disallow-code-generation-from-strings';
  const flags = [hard, '--conditions=@portcullis/source', '--import', 'tsx', script, ...args];
  const { PATH = '', SystemRoot = '' } = process.env;
  const child = spawnSync(process.execPath, flags, { encoding: 'utf8', env: { PATH, SystemRoot, ...env } });
  return { code: child.status, output: child.stdout + child.stderr };
}

const random = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('hex');

test('ASVS V13.3.1: no way of printing shows a secret: console, JSON, templates, inspect, clones, tables, uncaught errors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'config-'));
  try {
    const [key, inFile, password, token] = [random(), random(), random(), random()];
    writeFileSync(join(folder, 'secret'), `${inFile}\n`);
    const env = {
      KEY: key,
      FROM_FILE_FILE: join(folder, 'secret'),
      DATABASE_URL: `postgres://app:${password}@localhost/app`,
      ACCOUNT: JSON.stringify({ token }),
    };
    for (const [args, code] of [[[], 0] as const, [['throw'], 1] as const]) {
      const result = run('prints-everything.ts', env, ...args);
      expect(result.output).toContain('revealed on request');
      expect(result.output).toContain('[secret]');
      for (const secret of [key, inFile, password, token]) expect(result.output).not.toContain(secret);
      expect(result.code).toBe(code);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);

test('ASVS V13.3.1: a process that does not start prints every problem and no value, whatever stands in the wrong place', () => {
  const marker = random();
  const names = ['PORT', 'FLAG', 'LEVEL', 'KEY', 'WEAK', 'URL', 'BROKEN'];
  const env = Object.fromEntries(names.map((name) => [name, marker]));
  const { code, output } = run('fails-to-start.ts', {
    ...env,
    ACCOUNT: JSON.stringify({ [marker]: marker }),
    FROM_FILE_FILE: marker,
  });
  expect(code).toBe(1);
  for (const name of [...names, 'ACCOUNT', 'FROM_FILE_FILE']) expect(output).toContain(`- ${name}: `);
  expect(output).not.toContain(marker);
}, 30_000);
