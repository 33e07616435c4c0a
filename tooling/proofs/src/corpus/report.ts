import { readFileSync } from 'node:fs';
import { GROUPS, type Check, type Mutant } from './check.js';
import type { Outcome } from './run-checks.js';
import type { Stack } from './stacks/stack.js';
import { markdownTable } from '../markdown-table.js';

export interface StackResult {
  readonly stack: Stack;
  readonly outcomes: readonly Outcome[];
}

const LIBRARIES = [
  'express',
  'express4',
  'helmet',
  'cors',
  'express-rate-limit',
  'cookie-parser',
  'csrf-csrf',
  'zod',
  'fastify',
  '@fastify/helmet',
  '@fastify/cors',
  '@fastify/rate-limit',
  '@fastify/cookie',
  '@fastify/csrf-protection',
  '@fastify/formbody',
  '@fastify/static',
];

/** Passed and all, by group and stack. */
export function table(results: readonly StackResult[]): string {
  const rows = GROUPS.flatMap((group) => {
    const of = results.map(({ outcomes }) => outcomes.filter(({ check }) => check.group === group));
    const count = of[0]?.length ?? 0;
    return count === 0 ? [] : [[group, String(count), ...of.map(passed)]];
  });
  const all = [
    'all',
    String(results[0]?.outcomes.length ?? 0),
    ...results.map(({ outcomes }) => passed(outcomes)),
  ];
  const head = ['group', 'checks', ...results.map(({ stack }) => stack.name)];
  return markdownTable(head, [...rows, all]);
}

const passed = (outcomes: readonly Outcome[]): string =>
  String(outcomes.filter((outcome) => outcome.passed).length);

/** The page under docs/proofs. */
export function report(
  results: readonly StackResult[],
  checks: readonly Check[],
  mutants: readonly (readonly [Mutant, number])[],
  seconds: number,
): string {
  const versions = LIBRARIES.map((name) => `${name === 'express4' ? 'express' : name} ${versionOf(name)}`);
  return `# A hostile corpus

\`pnpm prove:corpus --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${seconds} s. ${versions.join(', ')}.

Every stack serves the same little shop, behind a proxy that ends TLS, with \`NODE_ENV=production\`. A check is one line: what a client
sends over a raw socket, and what must be true. The proof fails unless every stack serves honest clients (the controls), ours passes
every check on both majors of Express, and every check fails on one of the first three stacks or on a mutant of ours that it names.

${table(results)}

${results.map(({ stack }) => `- **${stack.name}**: ${stack.parts}`).join('\n')}

Checks that no baseline fails, and the mutant of ours that does: ${mutants.map(([name, count]) => `${name} (${count})`).join(', ') || 'none'}.

## Checks

F: fails. The columns are the stacks above, in their order.

| check | sends | must be true | ${results.map((_, i) => i + 1).join(' | ')} |
| --- | --- | --- | ${results.map(() => '---').join(' | ')} |
${checks.map((check, i) => `| ${check.group}/${check.id} | ${cell(check.sends)} | ${cell(check.must)} | ${results.map(({ outcomes }) => (outcomes[i]!.passed ? '' : 'F')).join(' | ')} |`).join('\n')}
`;
}

/** Text that Markdown shows as it is. */
function cell(text: string): string {
  return text.replaceAll(/[\\|<>*_`[\]]/g, (character) => `\\${character}`);
}

function versionOf(name: string): string {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
