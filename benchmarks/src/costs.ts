// pnpm prove:costs [file ...] [--short] [--write]: what single parts cost beside their peers, each file of costs/ in a process
// of its own, all cases of a table in turns. Ends with 1 if a claim does not hold.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { CostFigure } from './costs/harness.js';
import { median, type CaseResult, type GroupResult, type Length } from './costs/measure-costs.js';
import { versionsOf } from './versions.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: 'boolean' }, write: { type: 'boolean' } },
});
// A short run sees that the figures are of the promised order, a long one that they are what is promised.
const length: Length = flags.short
  ? { rounds: 11, share: 0.2, margin: 1.5 }
  : { rounds: 21, share: 1, margin: 1 };
/** Other work on the machine may spoil a short run of a file, but hardly three one after the other. */
const ATTEMPTS = flags.short ? 3 : 1;

const NOT_MEASURED = new Set(['harness', 'measure-costs', 'child']);
const known = readdirSync(new URL('costs/', import.meta.url))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .filter((name) => !NOT_MEASURED.has(name));
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no costs/${unknown.join(', ')}. Known: ${known.join(', ')}.`);
  process.exit(2);
}

let broken = 0;
for (const name of positionals.length > 0 ? positionals : known) {
  const { results, figures } = await measureAgain(name);
  const report = [
    ...results.map(section),
    ...figures.map(({ text, held }) => `- ${text}${held ? '' : ' **(not held)**'}`),
  ].join('\n\n');
  console.log(`\n# ${name}\n\n${report}`);
  broken += brokenIn({ results, figures });
  if (flags.write) write(name, report);
}
if (broken > 0) console.error(`\n${broken} claim(s) did not hold.`);
process.exit(broken > 0 ? 1 : 0);

interface Measured {
  readonly results: readonly GroupResult[];
  readonly figures: readonly CostFigure[];
}

async function measureAgain(name: string): Promise<Measured> {
  for (let attempt = 1; ; attempt++) {
    const measured = await measure(name);
    const claims = brokenIn(measured);
    if (claims === 0 || attempt === ATTEMPTS) return measured;
    console.log(`\n${name}: ${claims} claim(s) did not hold in run ${attempt} of at most ${ATTEMPTS}.`);
  }
}

function brokenIn({ results, figures }: Measured): number {
  const claims = results.flatMap((group) => group.claims);
  return [...claims, ...figures].filter(({ held }) => !held).length;
}

async function measure(name: string): Promise<Measured> {
  const child = fork(
    fileURLToPath(new URL('costs/child.ts', import.meta.url)),
    [name, JSON.stringify(length)],
    {
      // Without the source condition: what is measured are the built packages, as users install them.
      execArgv: ['--import', 'tsx', '--expose-gc'],
      env: { ...process.env, NODE_ENV: 'production' },
    },
  );
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`costs/${name} ended with ${String(code)}.`);
  });
  const [measured] = (await Promise.race([once(child, 'message'), failed])) as [Measured];
  failed.catch(() => undefined);
  return measured;
}

function section({ title, note, cases, claims, peers }: GroupResult): string {
  const rows = [
    ['case', 'CPU us a call', `times "${cases[0]!.name}"`],
    ['---', '---', '---'],
    ...cases.map(row),
  ];
  const promises = claims.map(
    ({ ours, peer, atMost, median: seen, held }) =>
      `- ${ours}: at most ${share(atMost)} x ${peer}; measured ${digits(seen)} x${held ? '' : ' **(not held)**'}`,
  );
  return [
    `## ${title}`,
    note,
    rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
    promises.join('\n'),
    versionsOf(peers),
  ]
    .filter((part) => part !== undefined && part !== '')
    .join('\n\n');
}

function row({ name, micros, ratios }: CaseResult): string[] {
  return [name, spread(micros), spread(ratios)];
}

function spread(values: readonly number[]): string {
  return `${digits(median(values))} (${digits(Math.min(...values))} to ${digits(Math.max(...values))})`;
}

/** `1/12` says more than `0.0833`. */
function share(value: number): string {
  const parts = 1 / value;
  return value < 1 && Math.abs(parts - Math.round(parts)) < 1e-9 ? `1/${Math.round(parts)}` : String(value);
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function write(name: string, report: string): void {
  const folder = new URL('../../docs/benchmarks/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const head = `# Costs: ${name}

\`pnpm prove:costs ${name} --write\`, ${new Date().toISOString().slice(0, 10)}: CPU time in one process, ${length.rounds} interleaved rounds, median (minimum to
maximum); ratios are of the same round. Read ratios: absolute figures are those of one noisy machine.
Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}.`;
  writeFileSync(new URL(`costs-${name}.md`, folder), `${head}\n\n${report}\n`);
}
