import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Mode, Outcome, Task } from './writers.js';

const file = fileURLToPath(new URL('writers.ts', import.meta.url));

export interface Raced {
  readonly records: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly guarantee: string;
}

/** So many processes at once, on built packages: they begin together, and count from there to the last acknowledgement. */
export async function race(mode: Mode, processes: number, task: Omit<Task, 'mode'>): Promise<Raced> {
  const children = Array.from({ length: processes }, () =>
    spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify({ ...task, mode })], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  const ended = children.map((child) => once(child, 'exit'));
  await Promise.all(children.map((child) => once(child, 'message')));
  const outcomes = children.map(async (child) => {
    const outcome = once(child, 'message') as Promise<[Outcome]>;
    child.send('go');
    return (await outcome)[0];
  });
  const results = await Promise.all(outcomes);
  await Promise.all(ended);
  const records = results.reduce((sum, one) => sum + one.records, 0);
  return {
    records,
    perSecond: (records / Math.max(...results.map(({ ms }) => ms))) * 1000,
    p50: Math.max(...results.map(({ p50 }) => p50)),
    p99: Math.max(...results.map(({ p99 }) => p99)),
    guarantee: results[0]!.guarantee,
  };
}
