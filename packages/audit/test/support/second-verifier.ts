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

interface Verdict {
  /** As `portcullis-audit verify` would end. */
  readonly code: number;
  readonly report: Report;
}

/** Python's standard library and openssl: not a line shared with ours. */
export function second(lines: readonly string[], ...anchors: readonly string[]): Verdict {
  return secondOfEach({ lines }, ...anchors)['lines']!;
}

/** Of several logs under the same anchors, in one process. */
export function secondOfEach(
  logs: Readonly<Record<string, readonly string[]>>,
  ...anchors: readonly string[]
): Readonly<Record<string, Verdict>> {
  const files = Object.values(logs).map((lines, index) => {
    const file = join(folder, `log-${index}.ndjson`);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    return file;
  });
  const notes = join(folder, 'anchor');
  writeFileSync(notes, anchors.map((note) => `${checkpointLine(note)}\n`).join(''));
  const args = [script, ...files, '--key', verifierKey, ...(anchors.length > 0 ? ['--anchor', notes] : [])];
  const { stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
  const verdicts = stdout.split('\n').filter(Boolean);
  if (verdicts.length !== files.length) throw new Error(`The second verifier could not run: ${stderr}`);
  return Object.fromEntries(
    Object.keys(logs).map((name, index) => {
      const { code, ...report } = JSON.parse(verdicts[index]!) as Report & { readonly code: number };
      return [name, { code, report }];
    }),
  );
}
