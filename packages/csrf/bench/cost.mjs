/**
 * What a state-changing request pays for the check. Run it on the built package: `pnpm build`, then
 * `node packages/csrf/bench/cost.mjs`. To compare, name a module that exports `middleware(req, res, next)` and `request()`:
 * `node packages/csrf/bench/cost.mjs ./other.mjs`; both run in turns in one process.
 */
import { csrf } from '@portcullis/csrf';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROUNDS = 15;
const CALLS = 50_000;

const guard = csrf();
const ours = (headers) => ({
  middleware: guard,
  request: () => ({
    method: 'POST',
    url: '/books',
    headers: { host: 'library.example', ...headers },
    socket: {},
  }),
});
const cases = {
  'Sec-Fetch-Site': ours({ 'sec-fetch-site': 'same-origin', origin: 'https://library.example' }),
  'Origin only': ours({ origin: 'https://library.example' }),
  'no browser': ours({}),
};
const other = process.argv[2];
if (other) cases[other] = await import(pathToFileURL(resolve(other)).href);

let passed = 0;
const next = (error) => {
  if (error) throw error;
  passed++;
};
function cost({ middleware, request }) {
  const requests = Array.from({ length: 100 }, request);
  const res = { setHeader: () => undefined, getHeader: () => undefined, cookie: () => undefined };
  const start = process.cpuUsage();
  for (let i = 0; i < CALLS; i++) middleware(requests[i % 100], res, next);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / CALLS;
}

const results = new Map(Object.keys(cases).map((name) => [name, []]));
for (let round = -2; round < ROUNDS; round++) {
  for (const [name, values] of results) {
    const value = cost(cases[name]);
    if (round >= 0) values.push(value);
  }
}
if (passed !== CALLS * (ROUNDS + 2) * results.size) throw new Error('not every request passed');
console.log(
  `Node ${process.version}, ${ROUNDS} rounds of ${CALLS} calls; us of CPU, median (lowest, highest)`,
);
for (const [name, values] of results) {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, middle, high] = [sorted[0], sorted[ROUNDS >> 1], sorted.at(-1)];
  console.log(`${name.padEnd(16)} ${middle.toFixed(3)} (${low.toFixed(3)}, ${high.toFixed(3)})`);
}
