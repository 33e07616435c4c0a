// pnpm prove:enumeration [--short] [--write] [--seed <number>]: does an answer, or the time it takes, tell whether there is an account and what
// state it is in? Eight states by four flows over HTTP, interleaved at random; a planted difference must be found.
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import {
  argon2id,
  context,
  createAuth,
  createMemoryStore,
  generateKeys,
  type UserPort,
} from '@portcullis/auth';
import { memoryUsers } from '@portcullis/auth/testing';
import { parseAddress } from '@portcullis/core';
import { recordedEvents } from '@portcullis/core/testing';
import { errorHandler } from '@portcullis/errors';
import express from 'express';
import { markdownTable } from './markdown-table.js';
import { chanceOf } from './tokens/chance.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, seed: { type: 'string' } },
});
const seed = Number(flags.seed ?? 20_261_129);
const chance = chanceOf(seed);
const SAMPLES = flags.short ? 40 : 1_000;
const LIMIT = 0.55;
/** With few samples on a busy machine two milliseconds are not found. */
const PLANTED_MS = flags.short ? 25 : 2;
const WARM_UP = flags.short ? 10 : 100;
const password = 'kestrel bakes ochre bread';
/** What is told apart from "there is no such account". */
const states = [
  'wrong-password',
  'unverified',
  'locked',
  'deactivated',
  'passkey-only',
  'second-factor',
  'over-72-bytes',
] as const;
type State = (typeof states)[number] | 'unknown';
const flows = ['sign-in', 'register', 'reset', 'resend'] as const;
type Flow = (typeof flows)[number];

interface Sample {
  readonly ms: number;
  readonly seen: string;
}
type Samples = Map<string, Sample[]>;

// The work of the hash is the same whatever its parameters; small ones let small differences stand out.
const hash = argon2id({ memoryKib: 7_168, passes: 1 });
const started = performance.now();
const problems: string[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const comparisons = states.length * flows.length;
/** Two-sided 5 % over all comparisons (Bonferroni), and the error of an AUC of equal samples (Mann-Whitney). */
const z = quantile(1 - 0.025 / comparisons);
const error = Math.sqrt((2 * SAMPLES + 1) / (12 * SAMPLES * SAMPLES));

const honest = await measure(0, flows);
const planted = await measure(PLANTED_MS, flags.short ? ['sign-in'] : flows);
agent.destroy();

const rows = flows.map((flow) => {
  const answers = new Set([...states, 'unknown' as const].flatMap((state) => seenOf(honest, flow, state)));
  if (answers.size !== 1)
    problems.push(
      `${flow}: ${answers.size} different answers: ${[...answers].slice(0, 3).join(' | ').slice(0, 600)}`,
    );
  const worst = worstOf(honest, flow);
  const control = planted.has(`${flow} unknown`) ? worstOf(planted, flow) : undefined;
  // With few samples chance alone goes beyond the limit: then only what chance does not explain counts.
  if ((flags.short ? worst.auc - z * error : worst.auc) > LIMIT)
    problems.push(`${flow}: ${worst.state} is told apart with AUC ${worst.auc.toFixed(3)}`);
  return [
    flow,
    String(answers.size),
    `${worst.auc.toFixed(3)} (${worst.state})`,
    control ? `${control.auc.toFixed(3)} (${control.state})` : 'not in the short lane',
  ];
});
const found = worstOf(planted, 'sign-in');
if (found.auc - z * error <= LIMIT)
  problems.push(
    `the planted oracle was not found (AUC ${found.auc.toFixed(3)}): the classifier proves nothing`,
  );

const seconds = Math.round((performance.now() - started) / 1000);
const text = `${markdownTable(['flow', 'different answers', `worst AUC (limit ${LIMIT})`, `with ${PLANTED_MS} ms planted in findByLogin`], rows)}

States: unknown, ${states.join(', ')}. ${SAMPLES.toLocaleString('en')} requests of each state and flow, in random order over one connection, each to an account that is used
once in each flow. An answer is its status, headers and body; Date and the request id are left out. AUC: the better of both directions, each state against "unknown"; of equal
times it is 0.5 with an error of ${error.toFixed(3)}, and ${(0.5 + z * error).toFixed(3)} is the bound over all ${comparisons} comparisons (5 %, Bonferroni). The planted difference shows where the
account is looked up before the answer: in sign-in, and not in the flows that go through a mailbox, which look it up afterwards.

Left out: hashes of older costs, whose sign-ins take another time. \`passwords.equalise\` closes that: one more hash of each older cost at every sign-in. Seed ${seed}.`;
console.log(text);
if (flags.write) write();
for (const problem of problems) console.error(`PROBLEM: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

async function measure(plantedMs: number, asked: readonly Flow[]): Promise<Samples> {
  const { server, close } = await house(plantedMs);
  const { port } = server.address() as AddressInfo;
  const all: Samples = new Map();
  const order: [Flow, State, number][] = [];
  for (const flow of asked)
    for (const state of [...states, 'unknown' as const])
      for (let n = 0; n < SAMPLES; n++) order.push([flow, state, n]);
  for (let i = order.length - 1; i > 0; i--) {
    const j = chance.number(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  for (let n = 0; n < WARM_UP; n++) for (const flow of asked) await ask(port, flow, 'unknown', -1 - n);
  for (const [flow, state, n] of order) {
    const key = `${flow} ${state}`;
    const samples = all.get(key) ?? [];
    all.set(key, samples);
    samples.push(await ask(port, flow, state, n));
  }
  await close();
  return all;
}

async function house(plantedMs: number): Promise<{ server: Server; close: () => Promise<void> }> {
  const users = memoryUsers();
  const byLogin = new Map<string, Awaited<ReturnType<UserPort['findByLogin']>>>();
  const stored = await hash.hash({ raw: password, normal: password });
  for (const state of states) {
    for (let n = 0; n < SAMPLES; n++) {
      byLogin.set(loginOf(state, n), {
        id: `${state}-${n}`,
        login: loginOf(state, n),
        active: state !== 'deactivated',
        emailVerified: state !== 'unverified',
        passwordHash: state === 'passkey-only' ? null : stored,
        ...(state === 'second-factor' ? { factors: JSON.stringify({ totp: 'a.b.c.d', recovery: [] }) } : {}),
      });
    }
  }
  const auth = createAuth({
    issuer: 'i',
    audience: 'a',
    keys: generateKeys(),
    // A Map: looking up takes the same time whoever it is; the database of an app is the app's.
    users: {
      ...users,
      async findByLogin(login) {
        const user = byLogin.get(login);
        if (user && plantedMs > 0) await new Promise((resolve) => setTimeout(resolve, plantedMs));
        return user;
      },
    },
    store: createMemoryStore({ maxEntries: 5_000_000 }),
    passwords: { hash, accept: [] },
    guesses: { perNetwork: 100_000 },
    factors: { keys: [{ id: 'a', key: Buffer.alloc(32, 1).toString('base64url') }], issuer: 'Library' },
    notify: async () => undefined,
  });
  const accounts: string[] = [];
  const probe = recordedEvents();
  const keyed = createAuth({
    issuer: 'i',
    audience: 'a',
    keys: generateKeys(),
    users,
    store: createMemoryStore({ maxEntries: 5_000_000 }),
    passwords: { hash: { ...hash, hash: async () => '', verify: async () => false }, accept: [] },
    guesses: { perNetwork: 100_000 },
    events: probe,
  });
  for (let n = 0; n < SAMPLES; n++) {
    await keyed
      .signIn({ login: loginOf('locked', n), password }, { address: undefined })
      .catch(() => undefined);
    accounts.push(probe.of('auth.failed').at(-1)!.account);
    probe.clear();
  }
  for (const account of accounts)
    for (let n = 0; n < 25; n++) await auth.guesses.take({ account, address: parseAddress(`10.${n}.0.1`)! });

  const app = express();
  app.use(context({ trustProxy: false }), express.json());
  app.use('/auth', auth.router());
  app.use(errorHandler());
  const server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    server,
    close: async () => {
      server.close();
      await auth.settled();
    },
  };
}

function loginOf(state: State, n: number): string {
  return `${state}-${String(n).padStart(6, '0')}@library.example`;
}

function ask(port: number, flow: Flow, state: State, n: number): Promise<Sample> {
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
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      (answer) => {
        let got = '';
        answer.setEncoding('utf8').on('data', (part: string) => (got += part));
        answer.on('end', () => {
          const ms = performance.now() - from;
          const { date: _date, 'x-request-id': _id, ...headers } = answer.headers;
          const said = got.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<request>');
          resolve({ ms, seen: JSON.stringify([answer.statusCode, headers, said]) });
        });
      },
    );
    sent.on('error', reject).end(text);
  });
}

function seenOf(all: Samples, flow: Flow, state: State): string[] {
  return all.get(`${flow} ${state}`)!.map(({ seen }) => seen);
}

/** The state that is told best from "unknown", by a threshold on the time in whichever direction is better. */
function worstOf(all: Samples, flow: Flow): { readonly state: State; readonly auc: number } {
  const times = (state: State) => all.get(`${flow} ${state}`)!.map(({ ms }) => ms);
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
