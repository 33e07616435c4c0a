import { readFile } from 'node:fs/promises';
import { folderSource } from '../file/folder-source.js';
import { verifyDisclosure } from '../prove.js';
import { Judge, type LogReport } from '../verify/judge.js';
import type { CommandLine, ExitCode } from './console.js';
import { isFolder, readAnchors, readKey, sizeOf } from './inputs.js';
import { Progress } from './progress.js';
import { scanFile } from './scan-pool.js';

export interface VerifyArguments {
  readonly export: string;
  readonly key: string | undefined;
  readonly anchors: readonly string[];
  readonly witnesses: readonly string[];
  readonly workers: number;
  readonly json: boolean;
}

export async function verifyCommand(given: VerifyArguments, line: CommandLine): Promise<ExitCode> {
  const report = await reportOf(given, line);
  line.out.write(given.json ? `${JSON.stringify(report)}\n` : textOf(report));
  if (report.tampered.length > 0) return 2;
  return report.warnings.length > 0 ? 3 : 0;
}

/** @throws if something cannot be read */
export async function reportOf(given: VerifyArguments, { err, now }: CommandLine): Promise<LogReport> {
  const judge = new Judge({
    ...(given.key === undefined ? {} : { verifierKey: await readKey(given.key) }),
    anchors: await readAnchors(given.anchors),
    ...(given.witnesses.length > 0 ? { witnesses: await Promise.all(given.witnesses.map(readKey)) } : {}),
  });
  const progress = new Progress(err, await sizeOf(given.export), now);
  try {
    const onBytes = (count: number): void => progress.add(count);
    for await (const result of scanFile(given.export, given.workers, onBytes)) judge.add(result);
  } finally {
    progress.end();
  }
  const report = judge.report();
  const { unfinished } = (await isFolder(given.export))
    ? await folderSource(given.export)
    : { unfinished: 0 };
  if (unfinished === 0) return report;
  const warning = `the last ${unfinished} bytes are of a write that is under way, or was cut short: they were acknowledged to nobody`;
  return { ...report, warnings: [...report.warnings, warning] };
}

function textOf(report: LogReport): string {
  const { entries, batches, writers, checkpoints, sealed, anchored, pruned, tampered, warnings } = report;
  const lines = [
    `${entries} entries of ${writers} writers in ${batches} batches; ${checkpoints} checkpoints over ${sealed} entries, ${anchored} of them anchored.`,
    ...(pruned > 0 ? [`The first ${pruned} entries were removed by retention, as the log says.`] : []),
    ...tampered.map(
      ({ line, problem }) => `TAMPERED ${line === 0 ? 'at the end' : `line ${line}`}: ${problem}`,
    ),
    ...warnings.map((warning) => `WARNING ${warning}`),
  ];
  if (tampered.length === 0) lines.push(warnings.length === 0 ? 'OK' : 'OK as far as could be seen');
  return `${lines.join('\n')}\n`;
}

/** Lines that `disclose` wrote. */
export async function verifyDisclosures(path: string, key: string, { out }: CommandLine): Promise<ExitCode> {
  const verifierKey = await readKey(key);
  const lines = (await readFile(path === '-' ? '/dev/stdin' : path, 'utf8')).split('\n').filter(Boolean);
  const results = lines.map((line) => verifyDisclosure(line, verifierKey));
  for (const [i, result] of results.entries()) {
    const text = result.proved
      ? `PROVED entry ${result.index} of ${result.size}: ${result.entry.time} ${result.entry.action} (${result.entry.id})`
      : `TAMPERED line ${i + 1}: ${result.problem}`;
    out.write(`${text}\n`);
  }
  return results.length > 0 && results.every(({ proved }) => proved) ? 0 : 2;
}
