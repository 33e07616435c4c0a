// pnpm prove:benchmarks [--short] [--write]: all stacks in one run, in turns, so that a noisy machine hits all of them alike.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { pin, startRunner, type Sample } from './measure.js';
import { stacks } from './stacks/all.js';
import { peers, versionsOf } from './versions.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const [rounds, seconds, warmUp] = flags.short ? [3, 1, 1] : [9, 4, 3];
const CONNECTIONS = 16;

const pinned = cpus().length > 1 && pin(process.pid, 1);
const runners: Awaited<ReturnType<typeof startRunner>>[] = [];
const samples = new Map<string, Sample[]>(stacks.map(({ name }) => [name, []]));
try {
  for (const { name } of stacks) runners.push(await startRunner(name));
  for (const runner of runners) await runner.round(warmUp, CONNECTIONS);
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) samples.get(runner.name)!.push(await runner.round(seconds, CONNECTIONS));
  }
} finally {
  for (const runner of runners) runner.stop();
}

const base = samples.get(stacks[0]!.name)!;
const rows = stacks.map(({ name, parts }) => {
  const own = samples.get(name)!;
  const ratios = own.map((sample, i) => sample.cpuPerRequest / base[i]!.cpuPerRequest);
  return [
    name,
    spread(
      own.map((s) => s.cpuPerRequest),
      0,
    ),
    spread(ratios, 2),
    spread(
      own.map((s) => s.requestsPerSecond),
      0,
    ),
    spread(
      own.map((s) => s.p99Ms),
      0,
    ),
    parts,
  ];
});
const header = ['stack', 'CPU us/request', 'CPU, times bare', 'requests/s', 'p99 ms', 'what is in it'];
const table = [header, header.map(() => '---'), ...rows]
  .map((cells) => `| ${cells.join(' | ')} |`)
  .join('\n');
const report = `# Benchmark: one request through the whole stack

\`pnpm prove:benchmarks --write\`, ${new Date().toISOString().slice(0, 10)}: \`GET /hello\` by a signed-in user, ${rounds} interleaved rounds of ${seconds} s after
${warmUp} s of warm-up, ${CONNECTIONS} connections, server ${pinned ? 'on one core, load on the other' : 'and load not pinned to cores'}. Cells are median (minimum to maximum);
"times bare" is the ratio within the same round. Read ratios: absolute figures are those of one noisy machine.

${table}

Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}. ${versionsOf(peers)}
`;
console.log(report);
if (flags.write) {
  mkdirSync(new URL('../../docs/benchmarks/', import.meta.url), { recursive: true });
  writeFileSync(new URL('../../docs/benchmarks/stacks.md', import.meta.url), report);
}

function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const text = (value: number): string => value.toFixed(digits);
  return `${text(sorted[Math.floor(sorted.length / 2)]!)} (${text(sorted[0]!)} to ${text(sorted.at(-1)!)})`;
}
