// pnpm prove:sanitize [--short] [--write] [--seed <number>]: hostile markup through createHtmlSanitizer().rich(). A parser of the HTML
// standard and a real Chromium find listed elements, attributes and protocols only, nothing runs, and what comes out stays as it is.
// Two ways of cleaning that people write themselves must fail on the same markup, or it proves nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { vectorsDirectory } from '@portcullis/test-support/vectors';
import { createHtmlSanitizer } from '@portcullis/validation/html';
import { launchBrowser } from './browser.js';
import { Chromium, WAYS, type Sighting } from './sanitize/chromium.js';
import { naive, treeFilter } from './sanitize/controls.js';
import { Hostile } from './sanitize/hostile.js';
import { ELEMENTS, faultsOf, PROTOCOLS, type Claim } from './sanitize/judge.js';
import { chanceOf } from './tokens/chance.js';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, seed: { type: 'string' } },
});
const seed = Number(flags.seed ?? 20_261_125);
const INPUTS = flags.short ? 15_000 : 300_000;
/** Controls look at the first inputs. */
const CONTROLLED = flags.short ? 3_000 : 20_000;
/** Inputs that run in Chromium as they are; how many others are tried for them is bounded. */
const SHOWN = flags.short ? 15 : 200;
const TRIED = SHOWN * 20;

interface Cleaner {
  readonly name: string;
  readonly clean: (given: string) => string;
  /** Empty for ours. A control must break these, and run code in the browser. */
  readonly mustBreak: readonly Claim[];
}
const CLAIMS: readonly Claim[] = ['allowed', 'idempotent', 'stable'];
const { rich } = createHtmlSanitizer();
const ours: Cleaner = { name: 'createHtmlSanitizer().rich()', clean: rich, mustBreak: [] };
const controls: readonly Cleaner[] = [
  { name: 'regular expressions', clean: naive, mustBreak: ['allowed', 'idempotent'] },
  { name: 'a filter over one tree', clean: treeFilter, mustBreak: ['allowed', 'stable'] },
];

const started = performance.now();
const problems: string[] = [];
const found = published();
const hostile = new Hostile(chanceOf(seed), found);
const faults = new Map([ours, ...controls].map(({ name }) => [name, new Map<Claim, number>()]));
let [changed, slowest] = [0, 0];

for (let i = 0; i < INPUTS; i++) {
  const given = i < hostile.seeds.length ? hostile.seeds[i]! : hostile.next();
  for (const cleaner of i < CONTROLLED ? [ours, ...controls] : [ours]) judge(cleaner, given);
}
for (const { name, mustBreak } of controls)
  for (const claim of mustBreak)
    if (!faults.get(name)!.has(claim)) problems.push(`the control "${name}" breaks nothing of "${claim}"`);
if (changed < INPUTS / 2) problems.push(`only ${changed} of ${INPUTS} inputs needed anything done to them`);

const parsedSeconds = (performance.now() - started) / 1000;
const browser = await launchBrowser();
const version = browser.version();
const ran = new Map([ours, ...controls].map(({ name }) => [name, 0]));
let [shown, tried] = [0, 0];
try {
  const chromium = await Chromium.open(browser, { elements: [...ELEMENTS], protocols: [...PROTOCOLS] });
  const more = new Hostile(chanceOf(seed + 1), found);
  while (shown < SHOWN && tried < TRIED) {
    const given = (tried % 2 === 0 ? more.seeds[tried / 2] : undefined) ?? more.next();
    tried++;
    // What does nothing by itself shows nothing.
    if (!(await runs(chromium, given))) continue;
    shown++;
    for (const way of WAYS) {
      const sighting = await chromium.show(rich(given), way);
      const what = [...sighting.ran, ...sighting.foreign, ...sighting.asked];
      if (what.length > 0) {
        ran.set(ours.name, ran.get(ours.name)! + 1);
        problems.push(`in Chromium (${way}), ${JSON.stringify(given)} does ${what.join(', ')}`);
      }
    }
    for (const { name, clean } of controls)
      if (await runs(chromium, clean(given))) ran.set(name, ran.get(name)! + 1);
  }
  // The watch sees no ghosts: markup that does nothing is seen to do nothing.
  const calm = await chromium.show('<p>Hello <b>world</b> <a href="https://x.example/">x</a></p>', 'page');
  if ([...calm.ran, ...calm.foreign, ...calm.asked].length > 0)
    problems.push('a harmless page is seen to act');
} finally {
  await browser.close();
}
if (shown < SHOWN)
  problems.push(`only ${shown} inputs of ${tried} run in Chromium as they are, not ${SHOWN}`);
for (const { name } of controls)
  if (ran.get(name) === 0) problems.push(`nothing that the control "${name}" lets through runs in Chromium`);

const seconds = Math.round((performance.now() - started) / 1000);
const tables = report();
console.log(tables);
console.log(
  `sanitize: ${INPUTS} inputs in ${parsedSeconds.toFixed(0)} s, then ${shown} of ${tried} in Chromium; ${seconds} s in total`,
);
if (flags.write) writeFileSync(new URL('../../../docs/proofs/sanitize.md', import.meta.url), page());
for (const problem of problems.slice(0, 20)) console.log(`PROBLEM ${problem.slice(0, 600)}`);
if (problems.length > 20) console.log(`and ${problems.length - 20} more problems`);
process.exit(problems.length === 0 ? 0 : 1);

function judge({ name, clean, mustBreak }: Cleaner, given: string): void {
  const counts = faults.get(name)!;
  const from = performance.now();
  try {
    const output = clean(given);
    if (mustBreak.length === 0) {
      slowest = Math.max(slowest, performance.now() - from);
      if (output !== given) changed++;
    }
    for (const [claim, fault] of faultsOf(clean, given)) {
      counts.set(claim, (counts.get(claim) ?? 0) + 1);
      if (mustBreak.length === 0) problems.push(`${claim} (${fault}): ${JSON.stringify(given)}`);
    }
  } catch (error) {
    problems.push(`${name} throws ${String(error)}: ${JSON.stringify(given)}`);
  }
}

async function runs(chromium: Chromium, html: string): Promise<boolean> {
  for (const way of WAYS) {
    let sighting: Sighting;
    try {
      sighting = await chromium.show(html, way);
    } catch {
      continue; // Some of it leads the page away, or keeps it from ever being loaded: then nothing is claimed about it.
    }
    if (sighting.ran.length > 0) return true;
  }
  return false;
}

/** What others have published: libinjection's payloads, as written and decoded, and the big list of naughty strings. */
function published(): readonly string[] {
  const texts: string[] = [];
  const injection = vectorsDirectory('injection', 'xss.txt');
  if (injection)
    for (const line of readFileSync(join(injection, 'xss.txt'), 'utf8').split('\n')) {
      const payload = line.replace(/^test \S+ /, '');
      texts.push(payload);
      try {
        texts.push(decodeURIComponent(payload));
      } catch {
        // Not everything with a percent sign is encoded.
      }
    }
  const naughty = vectorsDirectory('blns', 'blns.json');
  if (naughty) texts.push(...(JSON.parse(readFileSync(join(naughty, 'blns.json'), 'utf8')) as string[]));
  return [...new Set(texts)].filter((text) => text !== '');
}

function report(): string {
  const looked = Math.min(INPUTS, CONTROLLED);
  return markdownTable(
    ['cleaned by', 'inputs', 'not allowed', 'not idempotent', 'not stable', 'ran in Chromium'],
    [ours, ...controls].map(({ name }) => [
      name,
      String(name === ours.name ? INPUTS : looked),
      ...CLAIMS.map((claim) => String(faults.get(name)!.get(claim) ?? 0)),
      `${ran.get(name)} of ${shown}`,
    ]),
  );
}

/** The page under docs/proofs. */
function page(): string {
  return `# Rich text: hostile markup

\`pnpm prove:sanitize --write --seed ${seed}\`, ${new Date().toISOString().slice(0, 10)}, ${seconds} s, Node.js ${process.version}, Chromium ${version}. sanitize-html ${versionOf('packages/validation', 'sanitize-html')}, parse5 ${versionOf('tooling/proofs', 'parse5')}.

${INPUTS} inputs: ${hostile.seeds.length} known attacks (${found.length} of them published by others), then markup from a grammar of elements that are parsed by rules of their
own, and changed attacks. ${changed} of them came out as something else. The slowest took ${slowest.toFixed(0)} ms.

- **allowed**: parse5 finds listed elements, links with listed protocols, and nothing else, in the output as a fragment, as a document, and
  inside of eight elements, some of which have rules of their own.
- **idempotent**: cleaned again it is the same text.
- **stable**: parsed, written and parsed again it is the same tree (line ends at the start of \`pre\` aside, which HTML itself loses), and nothing
  appears in it.
- **Chromium**: of ${tried} inputs ${shown} ran code as they were. Cleaned they are shown as a page, and as innerHTML of what innerHTML made of them;
  everything in them is touched and clicked. No code may run, no policy be violated, no address be asked for, and Chromium's own tree may
  have nothing that is not listed.

The controls must break what the proof claims, and run in Chromium.

${tables}
`;
}

function versionOf(owner: string, name: string): string {
  const manifest = new URL(`../../../${owner}/node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
