// pnpm prove:attacks [--short] [--write] [--only <text>] [--verbose]: attacks in a real Chromium on a little bank, served bare and
// with ours. Each must succeed on the bare service and be seen to be stopped on ours; honest people must get through on both.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { attacks as allAttacks } from './attacks/attacks/all.js';
import { makeCertificate } from './attacks/certificate.js';
import { Front } from './attacks/front.js';
import { honestWalk } from './attacks/honest.js';
import { report, table } from './attacks/report.js';
import { runAttack, type Outcome } from './attacks/run-attack.js';
import { STACKS } from './attacks/scene.js';
import { launchBrowser } from './browser.js';

const { values: flags } = parseArgs({
  options: {
    short: { type: 'boolean' },
    write: { type: 'boolean' },
    only: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});
const attacks = allAttacks.filter(({ id, short }) =>
  flags.only === undefined ? !flags.short || short : flags.only.split(',').some((text) => id.includes(text)),
);
const stacks = STACKS.filter(({ major }) => !flags.short || major === 5);
const started = performance.now();
const problems: string[] = [];
const outcomes: Outcome[] = [];
const certificate = makeCertificate();
const front = new Front(certificate);
const browser = await launchBrowser(
  [
    `--host-resolver-rules=${await front.resolverRules()}`,
    `--ignore-certificate-errors-spki-list=${certificate.spki}`,
  ],
  // Contexts count as incognito windows, where Chromium alone blocks cookies of other sites; ordinary windows send them.
  { profile: { cookie_controls_mode: 0 } },
);
const version = browser.version();
try {
  const queue = attacks.flatMap((attack) => stacks.map((stack) => ({ attack, stack })));
  let run = 0;
  for (const stack of stacks)
    for (const failed of await honestWalk(browser, front, stack, ++run))
      problems.push(`honest people are stopped by ${stack.name}: ${failed}`);
  const next = async (): Promise<void> => {
    for (let job = queue.shift(); job; job = queue.shift()) {
      const from = performance.now();
      const outcome = await runAttack(browser, front, job.attack, job.stack, ++run);
      outcomes.push(outcome);
      if (flags.verbose)
        console.log(
          `${job.attack.id} on ${job.stack.name}: ${outcome.evidence ?? '-'} / ${outcome.stoppedBy ?? '-'} (${Math.round(performance.now() - from)} ms)`,
        );
    }
  };
  await Promise.all([next(), next()]);
} finally {
  await browser.close();
  front.stop();
}
for (const { attack, stack, evidence, stoppedBy, seen, late } of outcomes) {
  const name = `${attack.id} on ${stack.name}`;
  let problem: string | undefined;
  if (!stack.own && evidence === undefined) problem = `${name} does not succeed, so it shows nothing`;
  else if (stack.own && (evidence ?? late()) !== undefined)
    problem = `${name} succeeds: ${evidence ?? late()}`;
  else if (stack.own && stoppedBy === undefined) problem = `${name}: nothing is seen that stops it`;
  if (problem !== undefined) problems.push(`${problem} [${seen.join(' | ').slice(0, 1500)}]`);
}
const seconds = Math.round((performance.now() - started) / 1000);
const text = report(outcomes, version, seconds);
console.log(table(outcomes));
if (flags.write) writeFileSync(new URL('../../../docs/proofs/attacks.md', import.meta.url), text);
for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`attacks: ${attacks.length} attacks in ${seconds} s, ${problems.length} problems`);
process.exit(problems.length === 0 && attacks.length > 0 ? 0 : 1);
