// pnpm prove:refresh [--short] [--write] [--seed <number>]: 10,000 rounds of 50 uses of one refresh token at once, on memory, Redis and
// PostgreSQL, with answers that get lost. Exactly one successor, nobody signed out in the window, every theft ends the family. Controls:
// rotation that reads and then writes, and no window, must fail in the same rounds.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { markdownTable } from './markdown-table.js';
import { losingAnswers, readThenWrite } from './refresh/flawed.js';
import { inMemory, onPostgres, onRedis, type Place } from './refresh/places.js';
import { runRounds, USES, type Tally } from './refresh/rounds.js';
import { chanceOf } from './tokens/chance.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, seed: { type: 'string' } },
});
const seed = Number(flags.seed ?? 20_261_129);
const ROUNDS = flags.short ? 120 : 10_000;
/** Few: fifty writers that contend for one record without end are slow, and the first round shows it. */
const CONTROL_ROUNDS = flags.short ? 8 : 40;
/** Families at the same time. */
const LANES = 4;
const DROP = 30;
const THEFT_EVERY = 10;

interface Result {
  readonly place: string;
  readonly what: 'ours' | 'control: read, then write' | 'control: no window';
  readonly tally: Tally;
  readonly seconds: number;
}

const results: Result[] = [];
for (const make of [inMemory, onRedis, onPostgres]) {
  const place = await make();
  await measure(place, 'ours');
  await measure(place, 'control: read, then write');
  await measure(place, 'control: no window');
  await place.stop();
}

const problems = results.flatMap(({ place, what, tally }) => {
  const { forked, signedOut, survived, lostByStore, thefts, allDropped } = tally;
  const fault = (text: string) => `${place}, ${what}: ${text}`;
  if (what === 'control: read, then write')
    return forked === 0 ? [fault('found no second successor: the rounds prove nothing')] : [];
  if (what === 'control: no window')
    return signedOut === 0 ? [fault('signed nobody out: the rounds prove nothing')] : [];
  return [
    ...(forked > 0 ? [fault(`${forked} rounds without exactly one successor`)] : []),
    ...(signedOut > 0 ? [fault(`${signedOut} honest clients signed out`)] : []),
    ...(survived > 0 ? [fault(`${survived} thefts survived`)] : []),
    ...(lostByStore === 0 || thefts === 0 || allDropped === 0
      ? [fault('some kind of fault never happened')]
      : []),
  ];
});

const text = report();
console.log(text);
if (flags.write) {
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('refresh.md', folder), text);
}
for (const problem of problems) console.error(`PROBLEM: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

async function measure(place: Place, what: Result['what']): Promise<void> {
  const started = performance.now();
  const tally: Tally = {
    rounds: 0,
    uses: 0,
    dropped: 0,
    allDropped: 0,
    lostByStore: 0,
    forked: 0,
    signedOut: 0,
    thefts: 0,
    survived: 0,
  };
  const ours = what === 'ours';
  const rounds = (ours ? ROUNDS : CONTROL_ROUNDS) / LANES;
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      const chance = chanceOf(seed + lane);
      const stores = place.stores.map((store) => {
        if (what === 'control: read, then write') return readThenWrite(store);
        return losingAnswers(
          store,
          () => chance.number(10) === 0,
          () => tally.lostByStore++,
        );
      }) as unknown as Place['stores'];
      // Now and then nobody hears anything at all.
      const halves = [
        { rounds: Math.ceil(rounds * 0.9), drop: DROP },
        { rounds: rounds - Math.ceil(rounds * 0.9), drop: 98 },
      ];
      for (const [i, half] of halves.entries()) {
        await runRounds(
          {
            stores,
            chance,
            ...half,
            theftEvery: THEFT_EVERY,
            ...(what === 'control: no window' ? { grace: 0 } : {}),
          },
          tally,
          `${what}-${lane}-${i}`,
        );
      }
    }),
  );
  results.push({ place: place.name, what, tally, seconds: Math.round((performance.now() - started) / 1000) });
}

function report(): string {
  const n = (value: number) => value.toLocaleString('en-US');
  const rows = results.map(({ place, what, tally, seconds }) => [
    place,
    what,
    n(tally.rounds),
    n(tally.uses),
    n(tally.dropped),
    n(tally.allDropped),
    n(tally.lostByStore),
    n(tally.forked),
    n(tally.signedOut),
    `${n(tally.thefts - tally.survived)} of ${n(tally.thefts)}`,
    n(seconds),
  ]);
  const head = [
    'sessions in',
    'rotation',
    'rounds',
    'uses',
    'answers dropped',
    'rounds that nobody heard of',
    'answers of the store lost',
    'rounds without exactly one successor',
    'honest clients signed out',
    'thefts that ended the family',
    'seconds',
  ];
  return `# Refresh under fire

\`pnpm prove:refresh${flags.short ? ' --short' : ''} --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}. Seed ${seed}.

A round is ${USES} uses of one refresh token from two processes' connections, the last five at a random moment of the 20 s window. ${DROP} % of the
answers do not reach their client, in one round of ten 98 %; who heard nothing tries again. Of the store's own answers to a rotation 10 % are lost after it
was written: the service answers 503 and the client tries again. Every tenth round ends in a theft: ${USES} uses of the token before, after the window, or
of an older one within it.

${markdownTable(head, rows)}

One successor means: all clients that heard anything have the same pair, the store's record is one generation on, and it holds the hash of that very
refresh token. A theft has ended the family when every use was refused, with the newest tokens too, the record is gone, \`auth.token-reused\` was emitted and
\`auth.session-revoked\` exactly once. The controls run in the same rounds: a rotation that reads, compares and then writes makes several successors,
and without the window honest clients are signed out.
`;
}
