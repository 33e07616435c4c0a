// The service of prove:enumeration, in a process of its own: what it does after an answer must not delay the clock of its client.
// Arguments: accounts of each state, milliseconds that are planted in findByLogin(). Says its port, and "idle" to whoever asks.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import { loginOf, password, states } from './accounts.js';

const [SAMPLES, PLANTED_MS] = process.argv.slice(2).map(Number) as [number, number];

// The work of the hash is the same whatever its parameters; small ones let small differences stand out.
const hash = argon2id({ memoryKib: 7_168, passes: 1 });
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
// Who is locked stays so until the end.
const guesses = { perNetwork: 100_000, rest: '1h', maxRest: '1h' } as const;
const common = { issuer: 'i', audience: 'a', keys: generateKeys(), guesses };
const auth = createAuth({
  ...common,
  // A Map: looking up takes the same time whoever it is; the database of an app is the app's.
  users: {
    ...users,
    async findByLogin(login) {
      const user = byLogin.get(login);
      if (user) compute(PLANTED_MS);
      return user;
    },
  },
  store: createMemoryStore({ maxEntries: 5_000_000 }),
  passwords: { hash, accept: [] },
  factors: { keys: [{ id: 'a', key: Buffer.alloc(32, 1).toString('base64url') }], issuer: 'Library' },
  notify: async () => undefined,
});
await lock();

const app = express();
app.use(context({ trustProxy: false }), express.json());
if (PLANTED_MS > 0) {
  app.use((_req, res, next) => {
    res.on('finish', () => void auth.settled());
    next();
  });
}
app.use('/auth', auth.router());
app.get('/next', (_req, res) => void res.end('next'));
app.use(errorHandler());
const server = createServer(app).listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => void auth.settled().then(() => process.send!('idle')));
process.on('disconnect', () => process.exit(0));

function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Guesses from many networks at the accounts that are to be locked. */
async function lock(): Promise<void> {
  const probe = recordedEvents();
  const keyed = createAuth({
    ...common,
    users,
    store: createMemoryStore({ maxEntries: 5_000_000 }),
    passwords: { hash: { ...hash, hash: async () => '', verify: async () => false }, accept: [] },
    events: probe,
  });
  for (let n = 0; n < SAMPLES; n++) {
    const input = { login: loginOf('locked', n), password };
    await keyed.signIn(input, { address: undefined }).catch(() => undefined);
    const { account } = probe.of('auth.failed').at(-1)!;
    probe.clear();
    for (let k = 0; k < 25; k++) await auth.guesses.take({ account, address: parseAddress(`10.${k}.0.1`)! });
  }
}
