// pnpm prove:uploads [--short] [--write]: a large body is taken in little memory, an aborted one leaves nothing, and kinds are told by
// content. Each claim has controls, built as the READMEs of other packages say, for which it must not hold.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { uploadKinds } from '@portcullis/validation/uploads';
import { Station } from './uploads/station.js';
import type { StackName } from './uploads/stacks.js';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' } },
});
const MIB = 2 ** 20;
const BODY = (flags.short ? 128 : 1024) * MIB;
/** Enough to see that memory follows the body. */
const CONTROL_BODY = 64 * MIB;
const WARM_UP = 4;
const MAX_GROWTH = 16 * MIB;
const ABORTS = flags.short ? 20 : 200;
const MIN_KINDS = 40;
/** Files that a control has not removed by then, it never will. */
const PATIENCE_MS = 1000;

interface Setting {
  readonly title: string;
  readonly nodeOptions: readonly string[];
}
const SMALL_YOUNG: Setting = {
  title: '--max-semi-space-size=1',
  nodeOptions: ['--max-semi-space-size=1'],
};
const DEFAULT: Setting = { title: 'none', nodeOptions: [] };

const typeOf = new Map(uploadKinds.map(({ name, type }) => [name, type]));

const OWN: readonly StackName[] = ['Portcullis on Express 5', 'Portcullis on Express 4'];
const CONTROLS = ['multer, memory storage', 'express.raw()'] as const;
const problems: string[] = [];
const memory: string[][] = [];
/** What the pipe grows by, by the options of Node.js. */
const floors = new Map<string, number>();
const aborts: (readonly [stack: string, aborted: number, seen: number, left: number])[] = [];
const told: (readonly [stack: string, told: readonly string[], disguised: number, refused: number])[] = [];

// The samples of the package's own tests; loaded by address, as they belong to another project of the compiler.
const { samples } = (await import(
  new URL('../../../packages/validation/test/uploads/files.ts', import.meta.url).href
)) as { samples: Readonly<Record<string, Buffer>> };

for (const setting of [SMALL_YOUNG, DEFAULT]) {
  // By default Node.js lets garbage pile up before it looks at it, whoever makes it: the pipe is the measure of that.
  const floor = await grown('bare pipe', setting, BODY);
  if (!flags.short) await grown('read and dropped', setting, BODY);
  const limit = setting === SMALL_YOUNG ? MAX_GROWTH : floor + MAX_GROWTH;
  for (const name of flags.short && setting === DEFAULT ? OWN.slice(0, 1) : OWN) {
    const growth = await grown(name, setting, BODY);
    if (!(growth < limit))
      problems.push(`${name} (${setting.title}) grows by ${mib(growth)} MiB; the limit is ${mib(limit)}`);
  }
  for (const name of flags.short ? CONTROLS.slice(0, 1) : CONTROLS) {
    const growth = await grown(name, setting, CONTROL_BODY);
    if (!(growth >= limit))
      problems.push(`the control "${name}" (${setting.title}) grows by ${mib(growth)} MiB only`);
  }
}
for (const name of OWN)
  await at(name, [], async (station) => {
    const { seen, left } = await aborted(name, station, ABORTS);
    if (seen < ABORTS) problems.push(`${name}: only ${seen} of ${ABORTS} uploads had a file when they ended`);
    if (left > 0) problems.push(`${name} leaves ${left} files of ${ABORTS} aborted uploads`);
    const { right, refused, disguised } = await recognised(name, station);
    if (right < MIN_KINDS) problems.push(`${name} tells ${right} kinds by content, not ${MIN_KINDS}`);
    if (refused < disguised) problems.push(`${name} takes ${disguised - refused} files under a false name`);
  });
await at('busboy, to disk', [], async (station) => {
  const name = 'busboy, to disk';
  const { left } = await aborted(name, station, 3);
  if (left === 0) problems.push(`the control "${name}" leaves no file of an aborted upload`);
});
await at('multer, memory storage', [], async (station) => {
  const name = 'multer, memory storage';
  const { right, refused } = await recognised(name, station);
  if (right >= MIN_KINDS || refused > 0)
    problems.push(`the control "${name}" tells ${right} kinds and refuses ${refused} false names`);
});

const tables = report();
console.log(tables);
if (flags.write) writeFileSync(new URL('../../../docs/proofs/uploads.md', import.meta.url), page(tables));
for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`uploads: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

async function at(
  name: StackName,
  nodeOptions: readonly string[],
  work: (station: Station) => Promise<void>,
): Promise<void> {
  const station = await Station.start(name, nodeOptions);
  try {
    await work(station);
  } catch (error) {
    problems.push(`${name}: ${String(error)}`);
  } finally {
    station.stop();
  }
}

/** NaN if it could not be measured. */
async function grown(name: StackName, { title, nodeOptions }: Setting, bytes: number): Promise<number> {
  let growth = Number.NaN;
  await at(name, nodeOptions, async (station) => {
    // The code is loaded and compiled; the buffers that a large body needs are not there yet.
    for (let i = 0; i < WARM_UP; i++) await station.sendFilm(MIB);
    const from = performance.now();
    const measured = await station.growthDuring(async () => {
      const { answer, sha256 } = await station.sendFilm(bytes);
      const { status, body } = answer;
      if (status !== 200 || (OWN.includes(name) && body.sha256 !== sha256) || !(body.size! >= bytes))
        problems.push(`${name} answers ${status} ${JSON.stringify(body)} to a film of ${bytes} bytes`);
    });
    growth = measured.growth;
    const seconds = (performance.now() - from) / 1000;
    // Only bodies of the same size say something of each other.
    if (name === 'bare pipe') floors.set(title, growth);
    const ratio = bytes === BODY ? (growth / floors.get(title)!).toFixed(2) : '';
    memory.push([name, title, mib(bytes), mib(measured.before), mib(growth), ratio, seconds.toFixed(1)]);
  });
  return growth;
}

async function aborted(
  name: string,
  station: Station,
  times: number,
): Promise<{ readonly seen: number; readonly left: number }> {
  let [seen, left] = [0, 0];
  for (let i = 0; i < times; i++) {
    // From the first bytes to all of it but the end.
    const wasThere = await station.abortFilm(2 * MIB, 100 + Math.round((i / times) * (2 * MIB - 100)));
    if (wasThere) seen++;
    const files = await station.left(PATIENCE_MS);
    left += files.length;
    station.clear();
  }
  aborts.push([name, times, seen, left]);
  return { seen, left };
}

/** Every sample without any name or type, and then as a picture that it is not. */
async function recognised(
  name: string,
  station: Station,
): Promise<{ readonly right: number; readonly refused: number; readonly disguised: number }> {
  const right: string[] = [];
  let [refused, disguised] = [0, 0];
  for (const [kind, content] of Object.entries(samples)) {
    const bare = await station.send({ name: 'blob', type: 'application/octet-stream' }, content);
    if (bare.status === 200 && bare.body.type === typeOf.get(kind)) right.push(kind);
    if (kind === 'png') continue;
    disguised++;
    const { status } = await station.send({ name: 'cover.png', type: 'image/png' }, content);
    if (status >= 400 && status < 500) refused++;
  }
  station.clear();
  told.push([name, right, disguised, refused]);
  return { right: right.length, refused, disguised };
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}

function report(): string {
  return [
    markdownTable(
      [
        'one body',
        'options of Node.js',
        'MiB',
        'resident before, MiB',
        'growth, MiB',
        'times the pipe',
        'seconds',
      ],
      memory,
    ),
    markdownTable(
      ['aborted uploads', 'number', 'had a file when they ended', 'files left'],
      aborts.map((row) => row.map(String)),
    ),
    markdownTable(
      ['kinds', 'told by content alone', 'sent as `cover.png`', 'of these refused'],
      told.map(([name, right, ...rest]) => [
        name,
        `${right.length} of ${Object.keys(samples).length}`,
        ...rest.map(String),
      ]),
    ),
  ].join('\n\n');
}

/** The page under docs/proofs. */
function page(tables: string): string {
  const versions = ['express', 'express4', 'multer', 'busboy'].map(
    (name) => `${name === 'express4' ? 'express' : name} ${versionOf(name)}`,
  );
  return `# Uploads: memory, aborted bodies, kinds

\`pnpm prove:uploads --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}. ${versions.join(', ')}.

Each stack is a process of its own. A film is made while it is sent; growth is the highest resident memory that the kernel saw during that body,
over the one before it, after ${WARM_UP} films of 1 MiB. Ours must report the SHA-256 of what was sent, and its growth must stay

- below ${mib(MAX_GROWTH)} MiB with \`--max-semi-space-size=1\`, by which Node.js looks at its garbage earlier;
- below ${mib(MAX_GROWTH)} MiB more than a bare \`req.pipe(file)\` with the options that Node.js has by default. There it is **not** below
  ${mib(MAX_GROWTH)} MiB by itself, and neither is the pipe, nor a server that reads the body and drops it: Node.js reads up to 64 KiB of a
  socket into a new buffer each time, and frees them when it collects garbage. Nobody behind the socket can reuse or free them: a smaller
  \`highWaterMark\` changes nothing, and there is nothing for a pool to hold. It does not follow the body.

The controls must not stay below either limit, with a body of ${mib(CONTROL_BODY)} MiB. Uploads are cut at places all over the body, once a file is seen
to be there; ours must leave none, and the control must leave some. Samples of all kinds are sent without name and type: at least ${MIN_KINDS} must
be told by their content. What the content alone does not tell (a table from other text, say) needs its extension. Sent as a picture, all
must be refused.

${tables}

Told by content: ${told[0]![1].join(', ')}.
`;
}

function versionOf(name: string): string {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
