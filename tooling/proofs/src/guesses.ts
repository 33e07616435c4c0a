// pnpm prove:guesses [--short] [--write] [--seed <number>]: guessing at passwords from 10,000 networks, a million times a day, while the
// owners sign in on devices that are known and 500 people share one address. A limit per address only, the control, must fail.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import {
  argon2id,
  createAuth,
  createMemoryStore,
  generateKeys,
  type PasswordsOptions,
  type RequestMeta,
} from '@portcullis/auth';
import { memoryUsers, testHasher } from '@portcullis/auth/testing';
import { parseAddress } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { markdownTable } from './markdown-table.js';
import { chanceOf } from './tokens/chance.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, seed: { type: 'string' } },
});
const seed = Number(flags.seed ?? 20_261_129);
const chance = chanceOf(seed);
const NETWORKS = 10_000;
const ACCOUNTS = flags.short ? 4 : 20;
const TRIES = flags.short ? 40_000 : 1_000_000;
const REAL_TRIES = flags.short ? 100 : 1_000;
const CONTROL_TRIES = flags.short ? 300 : 1_000;
const MOST = 100;
const DAY = 86_400_000;
const password = 'kestrel bakes ochre bread';
const started = performance.now();
const problems: string[] = [];
const rows: string[][] = [];

/** 10,000 networks of which no two are one /24. */
const networks = Array.from({ length: NETWORKS }, (_, n) =>
  from(`${20 + Math.floor(n / 250)}.${n % 250}.7.9`),
);
const office = from('198.51.100.10');

await attacked('counting hasher', TRIES, { hash: testHasher(), accept: [] }, ACCOUNTS);
await attacked('argon2id (19 MiB)', REAL_TRIES, { hash: argon2id() }, 1);
await sharedAddress();
await control();

const seconds = Math.round((performance.now() - started) / 1000);
const text = `${markdownTable(['claim', 'measured', 'holds'], rows)}

Seed ${seed}. A day of a manual clock; the tries are spread evenly over the day, ${NETWORKS.toLocaleString('en')} networks (each a /24 of its own) and the accounts.
A try is judged if its password was compared for the answer; every other one is refused with the same answer after the same work.`;
console.log(text);
if (flags.write) write();
for (const problem of problems) console.error(`PROBLEM: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

function claim(name: string, measured: string, holds: boolean): void {
  rows.push([name, measured, holds ? 'yes' : 'NO']);
  if (!holds) problems.push(`${name}: ${measured}`);
}

function house(passwords: PasswordsOptions) {
  const clock = manualClock({ now: 1_800_000_000_000 });
  const events = recordedEvents({ clock });
  const users = memoryUsers();
  const store = createMemoryStore({ clock, maxEntries: 10_000_000 });
  const auth = createAuth({
    issuer: 'i',
    audience: 'a',
    keys: generateKeys(),
    users,
    store,
    passwords,
    devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] },
    clock,
    events,
  });
  return { auth, clock, events };
}

/** Strangers guess all day at each account; each owner signs in on a known device every ten minutes. */
async function attacked(
  name: string,
  tries: number,
  passwords: PasswordsOptions,
  accounts: number,
): Promise<void> {
  const { auth, clock, events } = house(passwords);
  const owners = await Promise.all(
    Array.from({ length: accounts }, async (_, n) => {
      const login = `owner${n}@library.example`;
      await auth.register({ login, password }, from('192.0.2.1'));
      const { deviceToken } = await auth.signIn({ login, password }, from('192.0.2.1'));
      return { login, meta: { ...from('203.0.113.5'), devices: [deviceToken!] }, judged: 0, told: 0 };
    }),
  );
  let [asked, entered, stranger] = [0, 0, 0];
  let ownerNext = 0;
  for (let n = 0; n < tries; n++) {
    const owner = owners[n % accounts]!;
    events.clear();
    const attempt = { login: owner.login, password: `guess ${n}` };
    await auth.signIn(attempt, networks[chance.number(NETWORKS)]!).then(
      () => stranger++,
      () => undefined,
    );
    if (events.of('auth.failed').some(({ reason }) => reason === 'wrong-password')) owner.judged++;
    owner.told += events.of('auth.locked-out').length;
    clock.advance(DAY / tries);
    const at = (n / tries) * 144;
    if (at < ownerNext) continue;
    ownerNext++;
    for (const { login, meta } of accounts > 4 ? [owners[ownerNext % accounts]!] : owners) {
      asked++;
      await auth.signIn({ login, password }, meta).then(
        () => entered++,
        () => undefined,
      );
    }
  }
  const most = Math.max(...owners.map(({ judged }) => judged));
  const told = owners.filter((owner) => owner.told === 1).length;
  const scale = `${tries.toLocaleString('en')} tries at ${accounts} ${accounts === 1 ? 'account' : 'accounts'}, ${name}`;
  claim(`${scale}: judged per account`, `at most ${most} (limit ${MOST})`, most <= MOST && most >= 20);
  claim(`${scale}: strangers let in`, String(stranger), stranger === 0);
  claim(
    `${scale}: owners on a known device`,
    `${entered} of ${asked} sign-ins`,
    asked >= 100 && entered === asked,
  );
  if (tries / accounts >= 1_000)
    claim(`${scale}: owners told once of the lockout`, `${told} of ${accounts}`, told === accounts);
}

/** 500 people behind one address, none on a known device, with typos, while strangers guess at 20 of them. */
async function sharedAddress(): Promise<void> {
  const { auth, clock, events } = house({ hash: testHasher(), accept: [] });
  const people = Array.from({ length: 500 }, (_, n) => `p${n}@library.example`);
  for (const login of people) await auth.register({ login, password }, office);
  let [locked, typos, signIns] = [0, 0, 0];
  for (const login of people) {
    // Everybody within half an hour in the morning.
    clock.advance('3s');
    const mistakes = chance.of([0, 0, 0, 0, 0, 1, 1, 1, 2, 3]);
    for (let n = 0; n < mistakes; n++) {
      typos++;
      events.clear();
      await auth.signIn({ login, password: 'kestrel bakes ocre bread' }, office).catch(() => undefined);
      locked += events.of('auth.limited').length;
    }
    signIns++;
    await auth.signIn({ login, password }, office).catch(() => locked++);
    for (let n = 0; n < 3; n++) {
      const guessed = people[chance.number(20)]!;
      await auth
        .signIn({ login: guessed, password: 'guess' }, networks[chance.number(NETWORKS)]!)
        .catch(() => undefined);
    }
  }
  claim(
    '500 people behind one address',
    `${signIns} sign-ins, ${typos} typos, ${locked} locked out`,
    locked === 0,
  );
}

/** The limit that most services have: 5 tries in 15 minutes for each address. */
async function control(): Promise<void> {
  const app = express();
  app.set('trust proxy', true);
  let judged = 0;
  app.post('/sign-in', rateLimit({ windowMs: 15 * 60_000, limit: 5, validate: false }), (_req, res) => {
    judged++;
    res.status(401).end();
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  for (let n = 0; n < CONTROL_TRIES; n++) await post(port, networks[n]!.address!.ip);
  server.close();
  const { dependencies } = createRequire(import.meta.url)('../package.json') as {
    dependencies: Record<string, string>;
  };
  claim(
    `control: express-rate-limit ${dependencies['express-rate-limit']}, 5 per address in 15 minutes, one try from each of ${CONTROL_TRIES} networks`,
    `${judged} judged at one account: fails, as it must`,
    judged > MOST,
  );
}

function post(port: number, ip: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', method: 'POST', path: '/sign-in', headers: { 'x-forwarded-for': ip } },
      (answer) => void answer.resume().on('end', resolve),
    );
    sent.on('error', reject).end();
  });
}

function from(text: string): RequestMeta {
  const address = parseAddress(text);
  if (!address) throw new Error(`no address: ${text}`);
  return { address };
}

function write(): void {
  const folder = new URL('../../../docs/proofs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const head = `# Guessing at passwords

\`pnpm prove:guesses --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${seconds} s.`;
  writeFileSync(new URL('guesses.md', folder), `${head}\n\n${text}\n`);
}
