import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { markdownTable } from '../markdown-table.js';
import type { Section } from './claim.js';

export function report(sections: readonly Section[], seconds: number, redis: string): string {
  const { dependencies } = createRequire(import.meta.url)('../../package.json') as {
    dependencies: Record<string, string>;
  };
  const cpu = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
  const lines = [
    '# Limits',
    '',
    `\`pnpm prove:limits --write\`, ${new Date().toISOString().slice(0, 10)}, ${seconds} s, Node.js ${process.version}, Redis ${redis}, ${cpu}, ioredis ${dependencies['ioredis']}.`,
    '',
    'Each claim stands beside controls: something known to be wrong, which the same harness must find, or the proof proves nothing.',
  ];
  for (const { title, note, claims } of sections) {
    const rows = claims.map(({ what, measured, holds }) => [
      what.replaceAll('|', '\\|'),
      measured,
      holds ? (what.startsWith('control') ? 'found' : 'yes') : '**no**',
    ]);
    lines.push('', `## ${title}`, '', note, '', markdownTable(['claim', 'measured', 'holds'], rows));
  }
  return `${lines.join('\n')}\n`;
}
