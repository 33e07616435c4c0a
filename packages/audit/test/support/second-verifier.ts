import { afterAll } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkpointLine } from '../../src/log/lines.js';
import { verifierKey } from './some-log.js';

const script = fileURLToPath(new URL('../../../../tooling/audit-verifier/verify_log.py', import.meta.url));
export const hasPython =
  spawnSync('python3', ['--version']).status === 0 && spawnSync('openssl', ['version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'second-verifier-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Report {
  readonly entries: number;
  readonly sealed: number;
  readonly anchored: number;
  readonly tampered: readonly { line: number; problem: string }[];
}

/** Python's standard library and openssl: not a line shared with ours. */
export function second(
  lines: readonly string[],
  ...anchors: readonly string[]
): { code: number | null; report: Report } {
  const log = join(folder, 'log.ndjson');
  writeFileSync(log, lines.map((line) => `${line}\n`).join(''));
  const notes = join(folder, 'anchor');
  writeFileSync(notes, anchors.map((note) => `${checkpointLine(note)}\n`).join(''));
  const args = [script, log, '--key', verifierKey, ...(anchors.length > 0 ? ['--anchor', notes] : [])];
  const { status, stdout } = spawnSync('python3', args, { encoding: 'utf8' });
  return { code: status, report: JSON.parse(stdout) as Report };
}
