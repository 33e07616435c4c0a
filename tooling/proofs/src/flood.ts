// pnpm prove:flood [--short] [--write]: 50 people sign in at once, over and over. How long does an unrelated fs.stat wait, and how many
// sign-ins are judged, with the gate and its threads, and as the asynchronous functions of the libraries do it without any bound (the
// control)? And is what does not fit into the queue refused at once?
import { mkdirSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import {
  argon2id,
  bcrypt,
  context,
  createAuth,
  createMemoryStore,
  generateKeys,
  type PasswordHasher,
} from '@portcullis/auth';
import { memoryUsers } from '@portcullis/auth/testing';
import { isSecurityError } from '@portcullis/core';
import express, { type NextFunction, type Request, type Response } from 'express';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const AT_ONCE = 50;
const ROUNDS = flags.short ? 1 : 3;
const PROBE_MS = 10;
/** One round beside whatever else a machine of CI does measures its noise too; the full run is judged by the claim. */
const LEAST = flags.short ? 20 : 50;
/** How often each of the 50 signs in, one after another. */
const hashers: readonly { name: string; hash: PasswordHasher; each: number }[] = [
  { name: 'argon2id, 19 MiB', hash: argon2id(), each: flags.short ? 2 : 6 },
  flags.short
    ? { name: 'bcrypt, cost 10', hash: bcrypt({ cost: 10 }), each: 1 }
    : { name: 'bcrypt, cost 12', hash: bcrypt({ cost: 12 }), each: 1 },
];
/** More slots than clients: nobody waits. */
const OPEN = { slots: 64, maxQueue: 10_000 };
const GATE = { slots: 2, maxQueue: 100 };
/** Without "compute" a hasher calls the asynchronous function of its library, which takes a thread of libuv's pool. */
const inPool = (hash: PasswordHasher): PasswordHasher => ({
  ...hash,
  hash: (password) => hash.hash(password),
  verify: (password, stored) => hash.verify(password, stored),
});
const started = performance.now();
const problems: string[] = [];
const rows: string[][] = [];
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

interface Round {
  readonly perSecond: number;
  readonly p99: number;
}

for (const { name, hash, each } of hashers) {
  const rounds: { open: Round; gated: Round; again: Round }[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    const open = await flooded(inPool(hash), OPEN, each);
    const gated = await flooded(hash, GATE, each);
    // The control: without a gate once more, judged as if it were the gated one.
    const again = await flooded(inPool(hash), OPEN, each);
    rounds.push({ open, gated, again });
  }
  const wait = median(rounds.map(({ open, gated }) => open.p99 / gated.p99));
  const controlWait = median(rounds.map(({ open, again }) => open.p99 / again.p99));
  const throughput = median(
    rounds.map(({ open, gated, again }) => gated.perSecond / ((open.perSecond + again.perSecond) / 2)),
  );
  const ms = (pick: (round: (typeof rounds)[number]) => number) =>
    `${median(rounds.map(pick)).toFixed(1)} ms`;
  rows.push([
    name,
    ms(({ open }) => open.p99),
    ms(({ gated }) => gated.p99),
    `1/${wait.toFixed(0)}`,
    `${(throughput * 100).toFixed(0)} %`,
    `1/${controlWait.toFixed(1)}`,
  ]);
  if (wait < LEAST)
    problems.push(`${name}: the wait at p99 is 1/${wait.toFixed(1)} of the ungated one, not 1/${LEAST}`);
  if (throughput < (flags.short ? 0.8 : 0.95))
    problems.push(`${name}: throughput is ${(throughput * 100).toFixed(1)} % of unbounded`);
  if (controlWait >= LEAST) problems.push(`${name}: the control passes, so the measurement proves nothing`);
}
const refused = await overflow();
agent.destroy();

const seconds = Math.round((performance.now() - started) / 1000);
const text = `${markdownTable(
  [
    'hash',
    'fs.stat p99, ungated',
    'with the gate (2 slots)',
    `ratio (limit 1/${LEAST})`,
    `sign-ins per second, gated / ungated (limit ${flags.short ? 80 : 95} %)`,
    'control: ungated / ungated',
  ],
  rows,
)}

${AT_ONCE} clients sign in at once, each again as soon as it is answered, at one server over HTTP; a probe asks \`fs.stat\` every ${PROBE_MS} ms.
Ungated: as many calls of the library's asynchronous function at once as there are sign-ins, in libuv's pool.
${ROUNDS} ${ROUNDS === 1 ? 'round' : 'rounds, interleaved; medians'}. UV_THREADPOOL_SIZE ${process.env['UV_THREADPOOL_SIZE'] ?? '4 (default)'}, ${cpus().length} cores.

A full queue (2 slots, 10 waiting, ${AT_ONCE} sign-ins at once with bcrypt of cost 12): ${refused}`;
console.log(text);
if (flags.write) write();
for (const problem of problems) console.error(`PROBLEM: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

async function serve(hash: PasswordHasher, gate: { slots: number; maxQueue: number }): Promise<Server> {
  const auth = createAuth({
    issuer: 'i',
    audience: 'a',
    keys: generateKeys(),
    users: memoryUsers(),
    store: createMemoryStore(),
    passwords: { hash, accept: [], ...gate },
    guesses: { perNetwork: 100_000 },
  });
  const app = express();
  app.use(context({ trustProxy: false }), express.json());
  app.use('/auth', auth.router());
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const known = isSecurityError(error) ? error : undefined;
    for (const [name, value] of Object.entries(known?.headers ?? {})) res.setHeader(name, value);
    res.status(known?.status ?? 500).end();
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

/** Sign-ins of unknown accounts: each costs exactly one hash. */
async function flooded(
  hash: PasswordHasher,
  gate: { slots: number; maxQueue: number },
  each: number,
): Promise<Round> {
  const server = await serve(hash, gate);
  const { port } = server.address() as AddressInfo;
  const waits: number[] = [];
  const probes: Promise<void>[] = [];
  const probe = setInterval(() => {
    const from = performance.now();
    probes.push(stat('.').then(() => void waits.push(performance.now() - from)));
  }, PROBE_MS);
  const from = performance.now();
  const statuses = await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, client) => {
      const seen: number[] = [];
      for (let n = 0; n < each; n++)
        seen.push((await signIn(port, `u${client}-${n}@library.example`)).status);
      return seen;
    }),
  );
  const took = (performance.now() - from) / 1000;
  clearInterval(probe);
  await Promise.all(probes);
  server.close();
  const odd = statuses.flat().filter((status) => status !== 401);
  if (odd.length > 0) problems.push(`answers that are no 401: ${odd.join(', ')}`);
  waits.sort((a, b) => a - b);
  return { perSecond: (AT_ONCE * each) / took, p99: waits[Math.floor(waits.length * 0.99)] ?? Number.NaN };
}

/** Those who do not fit are answered before the first one that fits. */
async function overflow(): Promise<string> {
  const server = await serve(bcrypt({ cost: 12 }), { slots: 2, maxQueue: 10 });
  const { port } = server.address() as AddressInfo;
  const order: number[] = [];
  const answers = await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, n) => {
      const answer = await signIn(port, `o${n}@library.example`);
      order.push(answer.status);
      return answer;
    }),
  );
  server.close();
  const busy = answers.filter(({ status }) => status === 503);
  const slowest = Math.max(...busy.map(({ ms }) => ms));
  const fastest = Math.min(...answers.filter(({ status }) => status === 401).map(({ ms }) => ms));
  if (busy.length !== AT_ONCE - 12) problems.push(`${busy.length} were refused, not ${AT_ONCE - 12}`);
  if (busy.some(({ retryAfter }) => !(Number(retryAfter) >= 1))) problems.push('a 503 without Retry-After');
  if (order.lastIndexOf(503) > order.indexOf(401))
    problems.push('a refusal came after the first judged sign-in');
  return `${busy.length} are refused with 503 and Retry-After, the last after ${slowest.toFixed(0)} ms, before the first judged one (${fastest.toFixed(0)} ms).`;
}

function signIn(
  port: number,
  login: string,
): Promise<{ status: number; retryAfter: string | undefined; ms: number }> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/auth/sign-in',
        headers: { 'content-type': 'application/json' },
      },
      (answer) => {
        answer.resume().on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            retryAfter: answer.headers['retry-after'],
            ms: performance.now() - from,
          }),
        );
      },
    );
    sent.on('error', reject).end(JSON.stringify({ login, password: 'kestrel bakes ochre bread' }));
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function write(): void {
  const require = createRequire(new URL('../../../packages/auth/package.json', import.meta.url));
  const { dependencies } = require('./package.json') as { dependencies: Record<string, string> };
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const head = `# A flood of sign-ins

\`pnpm prove:flood --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, @node-rs/argon2 ${dependencies['@node-rs/argon2']}, bcrypt ${dependencies['bcrypt']}, ${seconds} s.`;
  writeFileSync(new URL('flood.md', folder), `${head}\n\n${text}\n`);
}
