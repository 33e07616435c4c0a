// pnpm prove:corpus [--short] [--write] [--only <text>]: hostile requests against this and other stacks that serve the same
// little shop. Ours must pass every check on Express 4 and 5; every check must fail somewhere else, on a baseline or on a mutant of ours.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Check, Mutant } from './corpus/check.js';
import { checks as allChecks } from './corpus/checks/all.js';
import { controls } from './corpus/checks/controls.js';
import { report, table, type StackResult } from './corpus/report.js';
import { runChecks, type Outcome } from './corpus/run-checks.js';
import { ServingProcess } from './corpus/serving.js';
import { baselines, own, stacks } from './corpus/stacks/all.js';

const { values: flags } = parseArgs({
  options: {
    short: { type: 'boolean' },
    write: { type: 'boolean' },
    only: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});
// Slow clients take the time that a server gives them: half of the long form.
const wanted = (check: Check): boolean =>
  !(flags.short === true && check.group === 'slow clients') &&
  (flags.only === undefined || check.id.includes(flags.only) || check.group.includes(flags.only));
const checks = allChecks.filter(wanted);
const problems: string[] = [];

const seen = new Set<string>();
for (const { id, group } of allChecks) {
  if (seen.has(`${group}/${id}`)) problems.push(`two checks are called ${group}/${id}`);
  seen.add(`${group}/${id}`);
}

const started = performance.now();
const processes: ServingProcess[] = [];
const results: StackResult[] = [];
try {
  // Two at a time: each stack is a process of its own, and so is this one.
  const queue = [...stacks];
  const next = async (): Promise<void> => {
    for (let stack = queue.shift(); stack; stack = queue.shift()) {
      const serving = new ServingProcess();
      processes.push(serving);
      const served = await serving.start(stack.name);
      const control = await runChecks(controls, served);
      for (const { check, passed, why } of control)
        if (!passed) problems.push(`${stack.name} does not serve honest clients: ${check.id} (${why})`);
      const outcomes = await runChecks(checks, served);
      if (!serving.alive) problems.push(`the process of ${stack.name} ended`);
      results.push({ stack, outcomes });
      serving.stop();
    }
  };
  await Promise.all([next(), next()]);
  results.sort((a, b) => stacks.indexOf(a.stack) - stacks.indexOf(b.stack));

  for (const { stack, outcomes } of results) {
    if (!own.includes(stack)) continue;
    for (const { check, passed, why } of outcomes)
      if (!passed)
        problems.push(
          `${stack.name} fails ${check.group}/${check.id}: ${check.sends} -> ${check.must} (${why})`,
        );
  }

  // What every baseline passes must be failed by a mutant that the check names.
  const passedBy = (check: Check): boolean =>
    results
      .filter(({ stack }) => baselines.includes(stack))
      .every(({ outcomes }) => outcomes.find((outcome) => outcome.check === check)!.passed);
  const vacuous = checks.filter(passedBy);
  const byMutant = new Map<Mutant, Check[]>();
  for (const check of vacuous) {
    const [mutant] = check.mutants ?? [];
    if (mutant === undefined)
      problems.push(`${check.group}/${check.id} fails on no baseline and names no mutant`);
    else byMutant.set(mutant, [...(byMutant.get(mutant) ?? []), check]);
  }
  const mutants = new ServingProcess();
  processes.push(mutants);
  await Promise.all(
    [...byMutant].map(async ([mutant, list]) => {
      const outcomes = await runChecks(list, await mutants.start(own[0]!.name, mutant));
      for (const { check, passed } of outcomes)
        if (passed)
          problems.push(`${check.group}/${check.id} passes on every baseline and on the mutant "${mutant}"`);
    }),
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  const text = report(
    results,
    checks,
    [...byMutant].map(([mutant, list]) => [mutant, list.length] as const),
    seconds,
  );
  if (flags.verbose) for (const { stack, outcomes } of results) printFailed(stack.name, outcomes);
  console.log(table(results));
  console.log(
    `corpus: ${checks.length} checks in ${seconds} s, ${vacuous.length} of them fail on a mutant only`,
  );
  if (flags.write) writeFileSync(new URL('../../../docs/proofs/corpus.md', import.meta.url), text);
} finally {
  for (const serving of processes) serving.stop();
}
for (const problem of problems) console.log(`PROBLEM ${problem}`);
process.exit(problems.length === 0 && checks.length > 0 ? 0 : 1);

function printFailed(name: string, outcomes: readonly Outcome[]): void {
  console.log(`${name} fails:`);
  for (const { check, passed, why } of outcomes)
    if (!passed) console.log(`  ${check.group}/${check.id} (${why})`);
}
