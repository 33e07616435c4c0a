import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  context,
  createFreshness,
  createMemoryStore,
  isSecurityError,
  type Freshness,
  type Sql,
} from '@portcullis/core';
import { feedMigrations, fromPg, migrate, postgresFeed } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import express, { type NextFunction, type Request, type Response } from 'express';
import pg from 'pg';
import request from 'supertest';
import { createAuth, generateKeys, type Auth } from '../src/index.js';
import { accountMigrations, authMigrations, postgresSessions, postgresUsers } from '../src/postgres.js';
import { testHasher } from '../src/testing.js';

const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };
const from = { address: undefined };
const keys = generateKeys();

describeWithPostgres('accounts and sessions in PostgreSQL, two processes', () => {
  let server: PostgresServer;
  const closing: (() => Promise<unknown>)[] = [];

  /** One process of the service: its own pool, feed and lease. */
  function processOf(sql: Sql, freshness?: Freshness): Auth {
    const feed = postgresFeed({ sql });
    closing.push(() => feed.close());
    return createAuth({
      issuer: 'i',
      audience: 'a',
      keys,
      users: postgresUsers({ sql }),
      store: createMemoryStore(),
      sessions: { store: postgresSessions({ sql, feed }), ...(freshness ? { freshness } : {}) },
      passwords: { hash: testHasher() },
    });
  }
  function connect(): Sql {
    const pool = new pg.Pool({ connectionString: server.url, max: 5 });
    closing.unshift(() => pool.end());
    return fromPg(pool, { timeoutMs: 1_000 });
  }
  function leased(sql: Sql): Freshness {
    const feed = postgresFeed({ sql });
    const freshness = createFreshness({ feed });
    closing.push(() => freshness.stop().then(() => feed.close()));
    return freshness;
  }

  beforeAll(async () => {
    server = await startPostgres({ durable: true });
    await migrate(connect(), [...feedMigrations, ...authMigrations, ...accountMigrations]);
  }, 60_000);
  afterAll(async () => {
    for (const close of closing.toReversed()) await close().catch(() => undefined);
    await server.stop();
  }, 30_000);

  function appOf(auth: Auth) {
    const app = express();
    app.use(context({ trustProxy: false }), express.json(), auth.authenticate());
    app.use('/auth', auth.router());
    app.get('/me', auth.required(), (_req: Request, res: Response) => void res.json({ ok: true }));
    app.get('/open', (_req: Request, res: Response) => void res.json({ ok: true }));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const status = isSecurityError(error) ? error.status : 500;
      res.status(status).json({ code: (error as { code?: string }).code, message: (error as Error).message });
    });
    return app;
  }

  test('a revoke in one process ends the session in the other within the lease; 50 refreshes over both make one successor', async () => {
    const [here, sql] = [processOf(connect()), connect()];
    const there = processOf(sql, leased(sql));
    await here.register(ada, from);
    const pair = await here.signIn(ada, from);
    const check = () => there.sessions.check(there.tokens.verify(pair.accessToken));
    await check();
    await check();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? here : there).refresh(pair.refreshToken)),
    );
    expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1);
    await check();
    await here.sessions.revoke(pair.userId, pair.sessionId);
    // The lease is a second; the rest is what a busy machine may take to come round. `prove:revocation` measures it.
    await eventually(() => expect(check()).rejects.toMatchObject({ code: 'E_SESSION_ENDED' }), 10_000);
  }, 30_000);

  test.each([
    ['paused', async () => server.pause(), async () => server.resume()],
    ['killed', () => server.kill(), () => server.restart()],
  ])(
    'PostgreSQL %s: nobody signs in, refreshes or passes as somebody; afterwards everything goes on without a restart',
    async (_how, stop, start) => {
      const sql = connect();
      const plain = processOf(sql);
      const quickSql = connect();
      const quick = processOf(quickSql, leased(quickSql));
      await plain.register({ ...ada, login: `${_how}@library.example` }, from);
      const login = { ...ada, login: `${_how}@library.example` };
      const pair = await plain.signIn(login, from);
      const [app, quickApp] = [appOf(plain), appOf(quick)];
      const headers = { authorization: `Bearer ${pair.accessToken}` };
      expect((await request(quickApp).get('/me').set(headers)).status).toBe(200);

      await stop();
      try {
        const outcomes = await Promise.all([
          request(app).post('/auth/sign-in').send(login),
          request(app).post('/auth/refresh').send({ refresh_token: pair.refreshToken }),
          request(app)
            .post('/auth/register')
            .send({ ...ada, login: 'new@library.example' }),
          request(app).get('/me').set(headers),
          request(app).get('/open').set(headers),
          request(app).post('/auth/sign-out').set(headers),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503, 503]);
        expect(outcomes.map(({ text }) => text).join()).not.toMatch(/select|ECONN|127\.0\.0\.1|postgres/i);
        expect((await request(app).get('/open')).status).toBe(200);
        // What is remembered counts until the lease ends, and not longer.
        await eventually(async () =>
          expect((await request(quickApp).get('/me').set(headers)).status).toBe(503),
        );
        expect((await request(quickApp).get('/open')).status).toBe(200);
      } finally {
        await start();
      }
      await eventually(async () => expect((await request(app).get('/me').set(headers)).status).toBe(200));
      await eventually(async () =>
        expect((await request(quickApp).get('/me').set(headers)).status).toBe(200),
      );
      // Whether the refresh that timed out had been written or not, the same token leads on: that is what grace is for.
      expect(
        (await request(app).post('/auth/refresh').send({ refresh_token: pair.refreshToken })).status,
      ).toBe(200);
      expect((await request(app).post('/auth/sign-in').send(login)).status).toBe(200);
    },
    60_000,
  );
});
