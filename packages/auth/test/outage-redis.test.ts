import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { context, createFreshness, isSecurityError, parseAddress } from '@portcullis/core';
import { redisFeed, redisStore } from '@portcullis/core/redis';
import { describeWithRedis, eventually, startRedis, type RedisServer } from '@portcullis/test-support';
import express, { type NextFunction, type Request, type Response } from 'express';
import { Redis } from 'ioredis';
import request from 'supertest';
import { createAuth, generateKeys, keyValueSessions } from '../src/index.js';
import { memoryUsers, testHasher } from '../src/testing.js';

const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };
const from = { address: undefined };
const keys = generateKeys();

describeWithRedis('guesses and sessions in Redis, two processes', () => {
  let server: RedisServer;
  const closing: (() => unknown)[] = [];
  const users = memoryUsers();

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    for (const close of closing.toReversed()) await close();
    await server.stop();
  });

  function connect(): Redis {
    const client = new Redis(server.url, { retryStrategy: () => 20, autoResendUnfulfilledCommands: false });
    client.on('error', () => undefined);
    closing.push(() => client.disconnect());
    return client;
  }
  function processOf({ lease }: { lease: boolean }) {
    const client = connect();
    const store = redisStore(client, { timeoutMs: 1_000 });
    const feed = redisFeed(client, { subscriber: connect(), timeoutMs: 1_000 });
    const freshness = lease ? createFreshness({ feed }) : undefined;
    closing.push(
      () => freshness?.stop(),
      () => feed.close(),
    );
    const auth = createAuth({
      issuer: 'i',
      audience: 'a',
      keys,
      users,
      store,
      sessions: { store: keyValueSessions({ store, feed }), ...(freshness ? { freshness } : {}) },
      passwords: { hash: testHasher() },
    });
    const app = express();
    app.use(context({ trustProxy: false }), express.json(), auth.authenticate());
    app.use('/auth', auth.router());
    app.get('/me', auth.required(), (_req: Request, res: Response) => void res.json({ ok: true }));
    app.get('/open', (_req: Request, res: Response) => void res.json({ ok: true }));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const status = isSecurityError(error) ? error.status : 500;
      res.status(status).json({ code: (error as { code?: string }).code, message: (error as Error).message });
    });
    return { auth, app };
  }

  test('the budget of guesses is one for all processes, and a revoke reaches the other one within the lease', async () => {
    const [here, there] = [processOf({ lease: false }), processOf({ lease: true })];
    await here.auth.register({ ...ada, login: 'bob@library.example' }, from);
    const bob = { ...ada, login: 'bob@library.example' };
    const network = { address: parseAddress('192.0.2.1') };
    for (let i = 0; i < 6; i++) {
      const { auth } = i % 2 ? here : there;
      await expect(auth.signIn({ ...bob, password: 'guess' }, network)).rejects.toMatchObject({
        code: 'E_SIGN_IN_FAILED',
      });
    }
    for (const { auth } of [here, there])
      await expect(auth.signIn(bob, network)).rejects.toMatchObject({ details: { reason: 'limited' } });

    const pair = await here.auth.sessions.create({
      userId: 'eve',
      epoch: await here.auth.sessions.epoch('eve'),
    });
    const check = () => there.auth.sessions.check(there.auth.tokens.verify(pair.accessToken));
    await eventually(check);
    await here.auth.sessions.revokeAll('eve');
    await eventually(() => expect(check()).rejects.toMatchObject({ code: 'E_SESSION_ENDED' }), 10_000);
  }, 30_000);

  test.each([
    ['paused', async () => server.pause(), async () => server.resume()],
    ['killed', () => server.kill(), () => server.restart()],
  ])(
    'Redis %s: nobody signs in, refreshes or passes as somebody; afterwards everything goes on without a restart',
    async (how, stop, start) => {
      const plain = processOf({ lease: false });
      const quick = processOf({ lease: true });
      const login = { ...ada, login: `${how}@library.example` };
      await plain.auth.register(login, from);
      const pair = await plain.auth.signIn(login, from);
      const headers = { authorization: `Bearer ${pair.accessToken}` };
      await eventually(async () =>
        expect((await request(quick.app).get('/me').set(headers)).status).toBe(200),
      );

      await stop();
      try {
        const outcomes = await Promise.all([
          request(plain.app).post('/auth/sign-in').send(login),
          request(plain.app).post('/auth/refresh').send({ refresh_token: pair.refreshToken }),
          request(plain.app).get('/me').set(headers),
          request(plain.app).get('/open').set(headers),
          request(plain.app).post('/auth/sign-out').set(headers),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
        await expect(plain.auth.sessions.revoke(pair.userId, pair.sessionId)).rejects.toMatchObject({
          status: 503,
        });
        expect((await request(plain.app).get('/open')).status).toBe(200);
        await eventually(async () =>
          expect((await request(quick.app).get('/me').set(headers)).status).toBe(503),
        );
      } finally {
        await start();
      }
      await eventually(async () =>
        expect((await request(plain.app).post('/auth/sign-in').send(login)).status).toBe(200),
      );
      // This Redis keeps nothing: killed, its sessions are over. Paused, nothing has got as far as ending one.
      const after = how === 'killed' ? 401 : 200;
      await eventually(async () =>
        expect((await request(plain.app).get('/me').set(headers)).status).toBe(after),
      );
      await eventually(async () =>
        expect((await request(quick.app).get('/me').set(headers)).status).toBe(after),
      );
    },
    60_000,
  );
});
