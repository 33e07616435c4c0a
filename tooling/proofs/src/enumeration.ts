// pnpm prove:enumeration [--short] [--write] [--seed <number>]: does an answer, the time it takes, or the time of the request after it tell whether
// there is an account and what state it is in? Eight states by four flows over HTTP, interleaved at random; a planted difference must be found.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { loginOf, password, states, type State } from './enumeration/accounts.js';
import { markdownTable } from './markdown-table.js';
import { chanceOf } from './tokens/chance.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, seed: { type: 'string' } },
});
const seed = Number(flags.seed ?? 20_261_129);
const chance = chanceOf(seed);
const SAMPLES = flags.short ? 60 : 1_000;
const LIMIT = 0.55;
/** With few samples on a busy machine two milliseconds are not found. */
const PLANTED_MS = flags.short ? 20 : 2;
const WARM_UP = flags.short ? 10 : 100;
const flows = ['sign-in', 'register', 'reset', 'resend'] as const;
type Flow = (typeof flows)[number];

interface Sample {
  /** Until the answer was there. */
  readonly ms: number;
  /** Until another request, sent at once on another connection, was answered: does what is done after an answer show in it? */
  readonly nextMs: number;
  readonly seen: string;
}
type Samples = Map<string, Sample[]>;
const times = ['ms', 'nextMs'] as const;
type Time = (typeof times)[number];

const started = performance.now();
const problems: string[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const nextAgent = new Agent({ keepAlive: true, maxSockets: 1 });
const comparisons = states.length * flows.length * times.length;
/** Two-sided 5 % over all comparisons (Bonferroni), and the error of an AUC of equal samples (Mann-Whitney). */
const z = quantile(1 - 0.025 / comparisons);
const error = Math.sqrt((2 * SAMPLES + 1) / (12 * SAMPLES * SAMPLES));

const honest = await measure(0, flows);
const planted = await measure(PLANTED_MS, flags.short ? ['sign-in', 'reset'] : flows);
agent.destroy();
nextAgent.destroy();

const rows = flows.map((flow) => {
  const answers = new Set([...states, 'unknown' as const].flatMap((state) => seenOf(honest, flow, state)));
  if (answers.size !== 1)
    problems.push(
      `${flow}: ${answers.size} different answers: ${[...answers].slice(0, 3).join(' | ').slice(0, 600)}`,
    );
  const cells = times.flatMap((time) => {
    const worst = worstOf(honest, flow, time);
    const control = planted.has(`${flow} unknown`) ? worstOf(planted, flow, time) : undefined;
    // With few samples chance alone goes beyond the limit: then only what chance does not explain counts.
    if ((flags.short ? worst.auc - z * error : worst.auc) > LIMIT)
      problems.push(`${flow}: ${worst.state} is told apart by ${time} with AUC ${worst.auc.toFixed(3)}`);
    return [
      `${worst.auc.toFixed(3)} (${worst.state})`,
      control ? control.auc.toFixed(3) : 'not in the short lane',
    ];
  });
  return [flow, String(answers.size), ...cells];
});
for (const [flow, time] of [
  ['sign-in', 'ms'],
  ['reset', 'nextMs'],
] as const) {
  const found = worstOf(planted, flow, time);
  if (found.auc - z * error <= LIMIT)
    problems.push(
      `${flow}: what was planted was not found by ${time} (AUC ${found.auc.toFixed(3)}): it proves nothing`,
    );
}

const seconds = Math.round((performance.now() - started) / 1000);
const columns = [
  'flow',
  'different answers',
  `the answer: worst AUC (limit ${LIMIT})`,
  'planted',
  `the next request: worst AUC (limit ${LIMIT})`,
  'planted',
];
const text = `${markdownTable(columns, rows)}

States: unknown, ${states.join(', ')}. ${SAMPLES.toLocaleString('en')} requests of each state and flow to a service in a process of its own, in random order, each to an account that is
used once in each flow, and each when nothing of the one before goes on. An answer is its status, headers and body; Date and the request id are left out. The next request is sent at once on another
connection and looks up nothing: it waits for what the service does after the answer. AUC: the better of both directions, each state against "unknown"; of equal times it is 0.5 with an
error of ${error.toFixed(3)}, and ${(0.5 + z * error).toFixed(3)} is the bound over all ${comparisons} comparisons (5 %, Bonferroni).

Planted: the service computes for ${PLANTED_MS} ms where it finds an account, and messages are made at once and not at a random moment of the next second. Sign-in looks the account up before its
answer; the flows that go through a mailbox do so afterwards, which only the next request shows.

Left out: hashes of older costs, whose sign-ins take another time. \`passwords.equalise\` closes that: one more hash of each older cost at every sign-in. Seed ${seed}.`;
console.log(text);
if (flags.write) write();
for (const problem of problems) console.error(`PROBLEM: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

async function measure(plantedMs: number, asked: readonly Flow[]): Promise<Samples> {
  const { port, idle, close } = await openHouse(plantedMs);
  const all: Samples = new Map();
  const order: [Flow, State, number][] = [];
  for (const flow of asked)
    for (const state of [...states, 'unknown' as const])
      for (let n = 0; n < SAMPLES; n++) order.push([flow, state, n]);
  for (let i = order.length - 1; i > 0; i--) {
    const j = chance.number(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const sample = async (flow: Flow, state: State, n: number): Promise<Sample> => {
    const { ms, seen } = await ask(port, flow, state, n);
    const { ms: nextMs } = await send(port, nextAgent, 'GET', '/next', '');
    await idle();
    return { ms, nextMs, seen };
  };
  for (let n = 0; n < WARM_UP; n++) for (const flow of asked) await sample(flow, 'unknown', -1 - n);
  for (const [flow, state, n] of order) {
    const key = `${flow} ${state}`;
    const samples = all.get(key) ?? [];
    all.set(key, samples);
    samples.push(await sample(flow, state, n));
  }
  close();
  return all;
}

interface House {
  readonly port: number;
  /** Resolves when nothing of an earlier request goes on. */
  idle(): Promise<void>;
  close(): void;
}

/** In another process: with a client in the same one, what is done after an answer would count as its time. */
async function openHouse(plantedMs: number): Promise<House> {
  const child = fork(new URL('enumeration/house.ts', import.meta.url), [String(SAMPLES), String(plantedMs)]);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    port,
    async idle() {
      const said = once(child, 'message');
      child.send('idle?');
      await said;
    },
    close: () => child.disconnect(),
  };
}

function ask(port: number, flow: Flow, state: State, n: number): Promise<Pick<Sample, 'ms' | 'seen'>> {
  // The right password where it must not help, a wrong one where it would.
  const typed =
    state === 'over-72-bytes'
      ? 'x'.repeat(100)
      : state === 'wrong-password' || state === 'second-factor'
        ? 'kestrel bakes ochre brood'
        : password;
  const login = loginOf(state, n);
  const [path, body] =
    flow === 'sign-in'
      ? ['/auth/sign-in', { login, password: typed }]
      : [flow === 'reset' ? '/auth/reset' : '/auth/register', { login }];
  return send(port, agent, 'POST', path, JSON.stringify(body));
}

function send(
  port: number,
  over: Agent,
  method: string,
  path: string,
  text: string,
): Promise<Pick<Sample, 'ms' | 'seen'>> {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const sent = request({ agent: over, port, host: '127.0.0.1', method, path, headers }, (answer) => {
      let got = '';
      answer.setEncoding('utf8').on('data', (part: string) => (got += part));
      answer.on('end', () => {
        const ms = performance.now() - from;
        const { date: _date, 'x-request-id': _id, ...rest } = answer.headers;
        const said = got.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<request>');
        resolve({ ms, seen: JSON.stringify([answer.statusCode, rest, said]) });
      });
    });
    sent.on('error', reject).end(text);
  });
}

function seenOf(all: Samples, flow: Flow, state: State): string[] {
  return all.get(`${flow} ${state}`)!.map(({ seen }) => seen);
}

/** The state that is told best from "unknown", by a threshold on the time in whichever direction is better. */
function worstOf(all: Samples, flow: Flow, time: Time): { readonly state: State; readonly auc: number } {
  const times = (state: State) => all.get(`${flow} ${state}`)!.map((sample) => sample[time]);
  const base = times('unknown');
  return states
    .map((state) => {
      const auc = areaUnderCurve(times(state), base);
      return { state, auc: Math.max(auc, 1 - auc) };
    })
    .reduce((worst, one) => (one.auc > worst.auc ? one : worst));
}

/** The chance that one of `a` is greater than one of `b` (Mann-Whitney U over the number of pairs). */
function areaUnderCurve(a: readonly number[], b: readonly number[]): number {
  const sorted = b.toSorted((x, y) => x - y);
  const below = (value: number, inclusive: boolean): number => {
    let [from, to] = [0, sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (inclusive ? sorted[middle]! <= value : sorted[middle]! < value) from = middle + 1;
      else to = middle;
    }
    return from;
  };
  const wins = a.reduce((sum, value) => sum + (below(value, false) + below(value, true)) / 2, 0);
  return wins / (a.length * b.length);
}

/** Of the standard normal distribution, by bisection over its distribution function (Abramowitz and Stegun 7.1.26). */
function quantile(p: number): number {
  const distribution = (x: number): number => {
    const t = 1 / (1 + (0.327_591_1 * x) / Math.SQRT2);
    const poly =
      ((((1.061_405_429 * t - 1.453_152_027) * t + 1.421_413_741) * t - 0.284_496_736) * t + 0.254_829_592) *
      t;
    return 1 - (poly * Math.exp((-x * x) / 2)) / 2;
  };
  let [low, high] = [0, 8];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (distribution(middle) < p) low = middle;
    else high = middle;
  }
  return low;
}

function write(): void {
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const head = `# Telling who has an account

\`pnpm prove:enumeration --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${seconds} s.`;
  writeFileSync(new URL('enumeration.md', folder), `${head}\n\n${text}\n`);
}
