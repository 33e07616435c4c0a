// pnpm prove:mutants [package ...] [--short] [--write]: known defects, planted into the source one at a time while the tests
// compile it, are each noticed by the test that is named for it. The control is the source as it is: every named test passes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { markdownTable } from './markdown-table.js';
import { mutants as audit } from './mutants/audit.js';
import { mutants as auth } from './mutants/auth.js';
import { mutants as authPasskeys } from './mutants/auth-passkeys.js';
import { mutants as authPasswords } from './mutants/auth-passwords.js';
import type { Mutant } from './mutants/mutant.js';
import { mutants as rateLimit } from './mutants/rate-limit.js';
import { mutants as redact } from './mutants/redact.js';

/** Adding a package is adding a row. */
const PACKAGES: Readonly<Record<string, readonly Mutant[]>> = {
  'rate-limit': rateLimit,
  audit,
  auth: [...auth, ...authPasswords],
  redact,
  passkeys: authPasskeys,
};
/** Of the short form, all packages together. */
const SAMPLE = 4;

const { values: flags, positionals } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' } },
  allowPositionals: true,
});
const root = fileURLToPath(new URL('../../../', import.meta.url));
const transform = fileURLToPath(new URL('./mutants/transform.cjs', import.meta.url));
const results = mkdtempSync(join(tmpdir(), 'portcullis-mutants-'));

interface Outcome {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Why no test ran at all. */
  readonly broken: string;
}

/** Runs tests of one file by their titles; with a mutant, on its source. */
async function run(file: string, titles: readonly string[], mutant?: Mutant): Promise<Outcome> {
  const { default: preset } = (await import(join(root, 'jest.preset.mjs'))) as {
    default: { readonly transform: Readonly<Record<string, readonly [string, object]>> };
  };
  const [[pattern, [, swc]]] = Object.entries(preset.transform) as [[string, readonly [string, object]]];
  const given = mutant && { path: join(root, mutant.file), from: mutant.from, to: mutant.to };
  const config = {
    ...preset,
    rootDir: join(root, file.split('/').slice(0, 2).join('/')),
    transform: { [pattern]: [transform, { swc, mutant: given }] },
    testTimeout: 60_000,
  };
  const output = join(results, `${Math.abs(hash(`${file} ${titles.join()} ${mutant?.what}`))}.json`);
  const jest = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--no-warnings',
      join(root, 'node_modules/jest/bin/jest.js'),
      ...[
        '--config',
        JSON.stringify(config),
        '--runTestsByPath',
        join(root, file),
        '--runInBand',
        '--forceExit',
      ],
      ...['--json', '--outputFile', output, '-t', titles.map(escaped).join('|')],
    ],
    { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  jest.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(jest, 'close');
  // A defect may take the whole of Jest down with it.
  const report = existsSync(output) ? readFileSync(output, 'utf8') : '{"testResults":[]}';
  const { testResults } = JSON.parse(report) as {
    testResults: { message: string; assertionResults: { fullName: string; status: string }[] }[];
  };
  const of = (status: string): string[] =>
    testResults.flatMap(({ assertionResults }) =>
      assertionResults.filter((one) => one.status === status).map(({ fullName }) => fullName),
    );
  const [passed, failed] = [of('passed'), of('failed')];
  return { passed, failed, broken: passed.length + failed.length === 0 ? said.slice(0, 500) : '' };
}

function escaped(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function hash(text: string): number {
  let value = 0;
  for (const character of text) value = (Math.imul(value, 31) + character.codePointAt(0)!) | 0;
  return value;
}

/** Two at a time: one Jest uses one core. */
async function inPairs<T>(work: readonly (() => Promise<T>)[]): Promise<T[]> {
  const done: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < work.length) {
      const mine = next++;
      done[mine] = await work[mine]!();
    }
  };
  await Promise.all([worker(), worker()]);
  return done;
}

/** Some of them, spread over the list. */
function sample<T>(all: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
}

const started = performance.now();
let fails = 0;
let checked = 0;
const tables: string[] = [];
const names = positionals.length > 0 ? positionals : Object.keys(PACKAGES);
for (const name of names) {
  const all = PACKAGES[name];
  if (!all) throw new Error(`There are no mutants of ${name}, only of ${Object.keys(PACKAGES).join(', ')}.`);
  const chosen = flags.short ? sample(all, Math.ceil(SAMPLE / names.length)) : all;
  const byFile = new Map<string, Set<string>>();
  for (const { killedBy } of chosen) {
    const titles = byFile.get(killedBy[0]) ?? new Set();
    byFile.set(killedBy[0], titles.add(killedBy[1]));
  }
  const sound = await inPairs(
    [...byFile].map(
      ([file, titles]) =>
        () =>
          run(file, [...titles]),
    ),
  );
  for (const [i, [file, titles]] of [...byFile].entries()) {
    const { passed, failed, broken } = sound[i]!;
    const missing = [...titles].filter((title) => !passed.some((full) => full.includes(title)));
    checked++;
    const holds = failed.length === 0 && missing.length === 0;
    if (!holds) fails++;
    console.log(
      `${holds ? 'ok  ' : 'FAIL'} ${name}: control: ${passed.length} tests of ${file} pass on the source as it is${[...failed, ...missing].map((title) => `\n       not: ${title}`).join('')}${broken}`,
    );
  }
  const outcomes = await inPairs(
    chosen.map((mutant) => () => run(mutant.killedBy[0], [mutant.killedBy[1]], mutant)),
  );
  const rows: string[][] = [];
  for (const [i, mutant] of chosen.entries()) {
    const { failed, broken } = outcomes[i]!;
    const holds = failed.some((full) => full.includes(mutant.killedBy[1]));
    checked++;
    if (!holds) fails++;
    console.log(
      `${holds ? 'ok  ' : 'FAIL'} ${name}: ${mutant.what}: ${holds ? 'found by' : 'NOT found by'} "${mutant.killedBy[1]}"${broken}`,
    );
    rows.push([
      mutant.what,
      `\`${mutant.file.split('/src/')[1]}\``,
      mutant.killedBy[1],
      holds ? 'found' : '**no**',
    ]);
  }
  tables.push(
    `## ${name}\n\n${markdownTable(
      ['defect', 'in', 'test', ''],
      rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|'))),
    )}`,
  );
}
rmSync(results, { recursive: true, force: true });
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`mutants: ${checked} claims and controls in ${seconds} s, ${fails} fail`);
if (flags.write) {
  const text = `# Mutants

\`pnpm prove:mutants --write\`, ${new Date().toISOString().slice(0, 10)}, ${seconds} s, Node.js ${process.version}.

Defects that were planted into the source one at a time, while the tests compile it: a guard removed, a comparison changed, a step left out. The test that is named has to fail on each. The control is the source as it is, on which all of these tests pass.

${tables.join('\n\n')}
`;
  writeFileSync(join(root, 'docs/proofs/mutants.md'), text);
}
process.exit(fails === 0 && checked > 0 ? 0 : 1);
