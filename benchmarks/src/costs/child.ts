// Measures the groups of one file in a process of its own, on built packages, and sends the results to its parent.
import { fileURLToPath } from 'node:url';
import type { CostFigure, CostGroup } from './harness.js';
import { measureGroup, type Length } from './measure-costs.js';

const [name = '', length = '{}'] = process.argv.slice(2);
const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
const { groups, figures = [] } = (await import(file)) as {
  readonly groups: readonly CostGroup[];
  readonly figures?: readonly CostFigure[];
};
const results = [];
for (const group of groups) results.push(await measureGroup(group, JSON.parse(length) as Length));
process.send!({ results, figures }, () => process.exit(0));
