// pnpm prove:mutation <package> [--file name ...] [--sample 150] [--seed 1] [--short] [--write]: the mutation score of a package's core. Small slips
// (a comparison, a condition, a step left out) are planted into its source one at a time while the tests compile it; the share
// that the tests of that file notice has to be 90 % or more. What nobody can notice is listed with the reason.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { markdownTable } from './markdown-table.js';
import { slipsOf, type Slip } from './mutation/operators.js';
import { auth } from './mutation/auth.js';
import { rbac } from './mutation/rbac.js';
import type { Scored } from './mutation/scored.js';

/** Adding a package is adding a row. */
const PACKAGES: Readonly<Record<string, readonly Scored[]>> = { auth, rbac };
const AT_LEAST = 0.9;
/** A slip may make an endless loop: that is noticed too. */
const LIMIT_MS = 120_000;

const { values: flags, positionals } = parseArgs({
  options: {
    file: { type: 'string', multiple: true },
    sample: { type: 'string' },
    seed: { type: 'string' },
    short: { type: 'boolean' },
    write: { type: 'boolean' },
  },
  allowPositionals: true,
});
const name = positionals[0] ?? 'rbac';
const scored = PACKAGES[name];
if (!scored)
  throw new Error(`There is nothing to be scored of ${name}, only of ${Object.keys(PACKAGES).join(', ')}.`);
const count = Number(flags.sample ?? (flags.short ? 4 : 150));
const seed = Number(flags.seed ?? 1);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const transform = fileURLToPath(new URL('./mutants/transform.cjs', import.meta.url));
const { default: preset } = (await import(join(root, 'jest.preset.mjs'))) as {
  default: { readonly transform: Readonly<Record<string, readonly [string, object]>> };
};
const [[pattern, [, swc]]] = Object.entries(preset.transform) as [[string, readonly [string, object]]];
const folder = mkdtempSync(join(tmpdir(), 'portcullis-mutation-'));
let runs = 0;

/** Do the tests notice? The first of them, which is the closest to the file, is usually enough. */
async function noticed({ file, tests: [first = '', ...others] }: Scored, slip: Slip): Promise<boolean> {
  const mutant = { path: join(root, file), source: slip.source };
  if (await fails([first], mutant)) return true;
  return others.length > 0 && fails(others, mutant);
}

async function fails(
  tests: readonly string[],
  mutant?: { readonly path: string; readonly source: string },
): Promise<boolean> {
  const config = {
    ...preset,
    rootDir: join(root, 'packages', name),
    transform: {
      [pattern]: [transform, { swc, mutant }],
    },
    testTimeout: 20_000,
  };
  const settings = join(folder, `${++runs}.json`);
  writeFileSync(settings, JSON.stringify(config));
  const jest = spawn(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js')],
      ...[
        '--config',
        settings,
        '--rootDir',
        config.rootDir,
        '--runInBand',
        '--forceExit',
        '--bail',
        '--silent',
      ],
      ...['--runTestsByPath', ...tests.map((test) => join(root, test))],
    ],
    { cwd: root, stdio: 'ignore' },
  );
  const limit = setTimeout(() => jest.kill('SIGKILL'), LIMIT_MS);
  const [code] = (await once(jest, 'close')) as [number | null];
  clearTimeout(limit);
  return code !== 0;
}

/** Two at a time: one Jest uses one core. */
async function inPairs<T, R>(work: readonly T[], use: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < work.length) {
      const mine = next++;
      done[mine] = await use(work[mine]!);
    }
  };
  await Promise.all([worker(), worker()]);
  return done;
}

/** The same seed draws the same ones. */
function drawn<T>(all: readonly T[], wanted: number): T[] {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 4_294_967_296;
  };
  return all
    .map((item) => ({ item, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, wanted)
    .map(({ item }) => item);
}

const started = performance.now();
const files = scored.filter(
  ({ file }) => flags.file === undefined || flags.file.includes(basename(file, '.ts')),
);
const all = files.flatMap((one) =>
  slipsOf(one.file, readFileSync(join(root, one.file), 'utf8')).map((slip) => ({ one, slip })),
);
const chosen = drawn(all, count);
const judged = files.filter((one) => chosen.some((each) => each.one === one));
// Each file of tests once, for all the sources that it answers for.
const controls = [...new Set(judged.flatMap(({ tests }) => tests))];
const sound = await inPairs(controls, async (test) => !(await fails([test])));
for (const [i, test] of controls.entries()) {
  console.log(`${sound[i] ? 'ok  ' : 'FAIL'} control: ${test} passes on the source as it is`);
}
const found = await inPairs(chosen, async ({ one, slip }) => {
  const reason = one.equivalent?.find(([what]) => slip.what.includes(what))?.[1];
  const killed = reason === undefined && (await noticed(one, slip));
  if (!killed)
    console.log(
      `${reason === undefined ? 'NOT ' : 'same'} ${basename(one.file)} ${slip.what}${reason === undefined ? '' : ` (${reason})`}`,
    );
  return { file: one.file, what: slip.what, reason, killed };
});
rmSync(folder, { recursive: true, force: true });

const counted = found.filter(({ reason }) => reason === undefined);
const score = (some: readonly (typeof found)[number][]): number =>
  some.filter(({ killed }) => killed).length / Math.max(1, some.length);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const rows = files.map(({ file }) => {
  const theirs = counted.filter((each) => each.file === file);
  const places = all.filter(({ one }) => one.file === file).length;
  return [
    `\`${basename(file)}\``,
    String(places),
    String(theirs.length),
    theirs.length > 0 ? percent(score(theirs)) : '-',
  ];
});
const total = score(counted);
// Of a few, chance decides: the short form sees that the machinery works and that most are noticed.
const holds = sound.every(Boolean) && counted.length > 0 && total >= (flags.short ? 0.5 : AT_LEAST);
const seconds = Math.round((performance.now() - started) / 1000);
const line = `${counted.length} of ${all.length} slips drawn (seed ${seed}), ${percent(total)} noticed, in ${seconds} s`;
console.log(`${holds ? 'ok  ' : 'FAIL'} ${name}: ${line}`);
// Of tests that fail anyway, every slip would be noticed.
if (flags.write && sound.every(Boolean)) {
  const left = found.filter(({ killed }) => !killed);
  const list = left.map(
    ({ file, what, reason }) =>
      `- \`${basename(file)}\` ${what.replaceAll('|', '\\|')}: ${reason ?? 'not noticed'}`,
  );
  const text = `# Mutation score of ${name}

\`pnpm prove:mutation ${name} --sample ${count} --seed ${seed} --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}: ${line}.

Small slips, planted one at a time while the tests compile the source: comparisons, logic, arithmetic, conditions that are always true or never, truth, negations, statements left out, \`some\` for \`every\`. A slip is noticed if a test of its file fails. The control is the source as it is, on which all tests pass.

${markdownTable(['file', 'places', 'drawn', 'noticed'], rows)}

Not noticed:

${list.join('\n') || 'none'}
`;
  writeFileSync(join(root, `docs/proofs/mutation-${name}.md`), text);
}
process.exit(holds ? 0 : 1);
