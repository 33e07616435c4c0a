// pnpm asvs [--results <file of jest --json>] [--write]: each ASVS row of this product, the tests that name it, their result.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { judge } from './judge.js';
import { outcomesById, type JestReport } from './outcomes.js';
import { toMarkdown, toText } from './report.js';
import { COMPLETE, readRequirements, REQUIREMENTS_FILE } from './requirements.js';
import { runTests } from './run-tests.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const values = readArguments();

const report =
  values.results === undefined
    ? runTests(root)
    : (JSON.parse(readFileSync(values.results, 'utf8')) as JestReport);
const verdict = judge(readRequirements(REQUIREMENTS_FILE), outcomesById(report, root), COMPLETE);
process.stdout.write(toText(verdict));
if (values.write === true) {
  const file = join(root, 'docs', 'compliance', 'asvs.md');
  mkdirSync(dirname(file), { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(file, toMarkdown(verdict, { date, node: process.version }));
  console.log(`Written: ${file.slice(root.length + 1)}`);
}
process.exitCode = verdict.faults.length === 0 ? 0 : 1;

function readArguments() {
  try {
    return parseArgs({ options: { results: { type: 'string' }, write: { type: 'boolean' } } }).values;
  } catch (error) {
    console.error(`${(error as Error).message}\nUsage: pnpm asvs [--results <file>] [--write]`);
    return process.exit(2);
  }
}
