// pnpm prove:redact [--short] [--write]: random events of every kind of value, none of which may make the redactor throw, change what it was
// given or let a planted secret through; and hostile texts for every rule, for which twice the text may take at most 2.3 times the time. Each claim
// stands beside controls that the same harness must catch.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { proveBounds } from './redact/bounds.js';
import { proveDoubling } from './redact/doubling.js';
import { proveFuzz } from './redact/fuzz.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const short = flags.short === true;
const started = performance.now();
const parts = [proveFuzz(short ? 20_000 : 1_000_000), proveBounds(), proveDoubling(short)];
for (const { text } of parts) console.log(text);
const problems = parts.flatMap((part) => part.problems);
if (flags.write) writeFileSync(new URL('../../../docs/proofs/redact.md', import.meta.url), page());
for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`redact: ${problems.length} problems in ${Math.round((performance.now() - started) / 1000)} s`);
process.exit(problems.length === 0 ? 0 : 1);

function page(): string {
  return `# Redaction: fuzz, bounds, doubling

\`pnpm prove:redact --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}.

${parts.map(({ text }) => text).join('\n\n')}
`;
}
