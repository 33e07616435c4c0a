import { createRedactor } from '@portcullis/redact';
import { markdownTable } from '../markdown-table.js';
import type { Part } from './fuzz.js';

const AT_MOST_MS = 250;
/** All names of an object are read at once: JavaScript has no other way. */
const AT_MOST_KEYS = 1.5;
const KEPT = 16_384;

/** What is far too large is cut, and its size in the copy follows the limits, not the input. */
export function proveBounds(): Part {
  const { stringify } = createRedactor({ limits: { nodes: 1_000 } });
  const deep = nested(100_000);
  const cases: [string, unknown][] = [
    ['a string of 10 MB', { text: 'password=x '.repeat(950_000) }],
    ['a string of 10 MB that looks like JSON', { text: `[${'{"a":'.repeat(2_000_000)}` }],
    ['100,000 levels', deep],
    ['1,000,000 values in a list', { list: Array.from({ length: 1_000_000 }, (_, i) => i) }],
    ['a Map of 1,000,000', new Map(Array.from({ length: 1_000_000 }, (_, i) => [i, i]))],
  ];
  const problems: string[] = [];
  const rows = cases.map(([name, event]) => {
    let text = '';
    const best = bestOf(() => (text = stringify(event)));
    if (!(best < AT_MOST_MS)) problems.push(`${name} takes ${best.toFixed(0)} ms`);
    if (text.length > KEPT) problems.push(`${name}: ${text.length} characters are kept`);
    if (!text.includes('[Truncated')) problems.push(`${name}: nothing says that it was cut`);
    return [name, best.toFixed(1), text.length.toLocaleString('en')];
  });
  const names = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`name${i}`, i]));
  const [ours, bare] = [bestOf(() => stringify(names)), bestOf(() => Object.keys(names))];
  rows.push([
    '1,000,000 names',
    `${(ours / bare).toFixed(2)} x \`Object.keys()\``,
    stringify(names).length.toLocaleString('en'),
  ]);
  if (!(ours / bare <= AT_MOST_KEYS))
    problems.push(`1,000,000 names take ${(ours / bare).toFixed(2)} times Object.keys()`);
  return {
    text: `Far too large: at most ${AT_MOST_MS} ms, ${KEPT.toLocaleString('en')} characters are kept, and the copy says what was cut (limit of 1,000 values).\n\n${markdownTable(['event', 'best of 3, ms', 'characters kept'], rows)}`,
    problems,
  };
}

function bestOf(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const from = performance.now();
    work();
    best = Math.min(best, performance.now() - from);
  }
  return best;
}

function nested(levels: number): object {
  let inner: object = { password: 'x' };
  for (let i = 0; i < levels; i++) inner = { inner };
  return inner;
}
