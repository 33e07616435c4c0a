import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { context, stageOf, type Principal } from '@portcullis/core';
import { eventually, onBothExpress, vectorsDirectory } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  bodyField,
  policies,
  rateLimit,
  rateLimits,
  type LimitOptions,
  type RateLimitMiddleware,
  type RateLimitOptions,
  type SharedLimitOptions,
} from '../src/index.js';
import { handClock, problems, recorded } from './support.js';

const people: Record<string, Principal> = {
  ann: { id: 'ann', kind: 'user', tenant: 'acme' },
  bob: { id: 'bob', kind: 'user', tenant: 'acme' },
  key: { id: 'key-1', kind: 'api-key', tenant: 'acme' },
};

onBothExpress((express) => {
  function served(limit: RateLimitMiddleware) {
    const app = express();
    app.set('trust proxy', 1);
    app.use(context({ trustProxy: 1 }), express.json());
    app.use((req, _res, next) => {
      const who = people[req.get('X-Test-User') ?? ''];
      if (who) req.security.principal = who;
      next();
    });
    app.use(limit);
    app.all('/status/:code', (req, res) => void res.status(Number(req.params['code'])).send('done'));
    app.use((req, res) => void res.json(req.security.rateLimits ?? []));
    return problems(app);
  }
  const limited = (options: Partial<RateLimitOptions>) => served(rateLimit({ name: 'test', ...options }));
  type App = ReturnType<typeof served>;
  const get = (app: App, ip = '203.0.113.9', headers: Record<string, string> = {}) =>
    request(app).get('/').set('X-Forwarded-For', ip).set(headers);
  async function admitted(app: App, times: number, ip?: string, headers?: Record<string, string>) {
    let passed = 0;
    for (let i = 0; i < times; i++) if ((await get(app, ip, headers)).status === 200) passed++;
    return passed;
  }

  describe("nginx's limit_req", () => {
    const folder = vectorsDirectory('http', 'nginx-limit_req-vectors.json');
    const measured = folder
      ? (JSON.parse(readFileSync(join(folder, 'nginx-limit_req-vectors.json'), 'utf8')) as Record<
          string,
          number
        >)
      : undefined;
    const testVectors = measured ? test : test.skip;
    const near = (seen: number, name: string) =>
      expect(Math.abs(seen - measured![name]!)).toBeLessThanOrEqual(1);

    testVectors('rate=10r/s burst=20 nodelay admits as many as nginx did, within 1', async () => {
      const clock = handClock();
      const app = limited({ ...policies.api, clock });
      near(await admitted(app, 50), 'api_burst50_accepted');
      clock.advance(1000);
      near(await admitted(app, 50), 'api_after_1s_accepted');
      clock.advance(350);
      near(await admitted(app, 50), 'api_after_350ms_accepted');
    });

    testVectors('rate=5r/m burst=5 nodelay admits as many as nginx did, within 1', async () => {
      const clock = handClock();
      const app = limited({ ...policies.login, clock });
      near(await admitted(app, 20), 'login_burst20_accepted');
      clock.advance(6000);
      near(await admitted(app, 5), 'login_after_6s');
      clock.advance(6500);
      near(await admitted(app, 5), 'login_after_12_5s');
    });

    testVectors(
      'burst=5 without nodelay: six pass, each 100 ms after the one before, two are refused',
      async () => {
        const statuses = String(measured!['delay_8_at_once']).split(' ');
        // For the limit all come at once, however long the machine takes.
        const server = limited({ rate: '10/s', burst: 5, delay: true, clock: handClock() }).listen(0);
        try {
          const began = performance.now();
          const answers = await Promise.all(
            Array.from({ length: 8 }, async () => {
              const { status } = await get(server as never);
              return { status, at: performance.now() - began };
            }),
          );
          const passed = answers.filter(({ status }) => status === 200).map(({ at }) => at);
          expect(passed).toHaveLength(statuses.filter((text) => text.startsWith('200')).length);
          // Only never too early: a noisy machine may be late.
          passed.sort((a, b) => a - b).forEach((at, i) => expect(at).toBeGreaterThanOrEqual(i * 100 - 10));
        } finally {
          server.close();
        }
      },
    );

    test('delay: 3 lets the first ones within the burst pass at once and holds back the others', async () => {
      const clock = handClock();
      const limit = rateLimit({ name: 'test', rate: '1000/s', burst: 5, delay: 3, clock });
      const app = served(limit);
      expect(await admitted(app, 8)).toBe(6);
    });
  });

  describe('a rate', () => {
    test('is told by the RateLimit fields: burst + 1 as quota, the time in which it runs out as window', async () => {
      const clock = handClock();
      const app = limited({ rate: '1/s', burst: 9, clock });
      const first = await get(app);
      expect(first.headers).toMatchObject({
        'ratelimit-policy': '"test";q=10;w=10',
        ratelimit: '"test";r=9;t=1',
      });
      await admitted(app, 9);
      const refused = await get(app);
      expect(refused.status).toBe(429);
      expect(refused.headers).toMatchObject({ 'retry-after': '1', ratelimit: '"test";r=0;t=10' });
      expect(refused.body.code).toBe('E_RATE_LIMITED');
    });

    test('Retry-After is honest: who waits so long is admitted, who comes a millisecond before is not', async () => {
      const clock = handClock();
      const app = limited({ rate: '5/min', clock });
      expect(await admitted(app, 2)).toBe(1);
      const { headers } = await get(app);
      expect(headers['retry-after']).toBe('12');
      clock.advance(11_999);
      expect(await admitted(app, 1)).toBe(0);
      clock.advance(1);
      expect(await admitted(app, 1)).toBe(1);
    });

    test('no window boundary lets twice the limit pass: at any time at most burst + 1 and what has run out', async () => {
      const clock = handClock();
      const app = limited({ rate: '10/s', burst: 9, clock });
      clock.advance(950);
      const before = await admitted(app, 20);
      clock.advance(100);
      expect([before, await admitted(app, 20)]).toEqual([10, 1]);
    });

    test('ASVS V2.4.1: a burst above the quota gets 429 with Retry-After and RateLimit, by address, principal, route and cost', async () => {
      const clock = handClock();
      const byAddress = limited({ rate: '1/s', burst: 1, clock });
      expect(await admitted(byAddress, 5)).toBe(2);
      expect((await get(byAddress)).headers).toMatchObject({
        'retry-after': expect.stringMatching(/^\d+$/),
        ratelimit: expect.stringContaining('r=0'),
      });
      const byPrincipal = limited({ rate: '1/s', burst: 1, by: 'principal', clock });
      expect(await admitted(byPrincipal, 5, '192.0.2.1', { 'X-Test-User': 'ann' })).toBe(2);
      expect(await admitted(byPrincipal, 5, '192.0.2.2', { 'X-Test-User': 'ann' })).toBe(0);
      expect(await admitted(byPrincipal, 5, '192.0.2.1', { 'X-Test-User': 'bob' })).toBe(2);
      const byCost = limited({ rate: '1/s', burst: 9, cost: 4, clock });
      expect(await admitted(byCost, 5)).toBe(2);
    });

    test('ASVS V2.4.2: a second submission sooner than people need for one is refused, whoever hurries', async () => {
      const clock = handClock();
      const app = limited({ minInterval: '3s', by: 'principal', clock });
      const ann = { 'X-Test-User': 'ann' };
      expect(await admitted(app, 1, undefined, ann)).toBe(1);
      clock.advance(2999);
      const hasty = await get(app, undefined, ann);
      expect([hasty.status, hasty.headers['retry-after']]).toEqual([429, '1']);
      clock.advance(1);
      expect(await admitted(app, 2, undefined, ann)).toBe(1);
    });
  });

  describe('ready policies', () => {
    test('anonymous: 100 a day by address, for those who are not signed in only', async () => {
      const clock = handClock();
      const app = limited({ ...policies.anonymous, clock });
      expect(await admitted(app, 102)).toBe(100);
      expect(await admitted(app, 3, undefined, { 'X-Test-User': 'ann' })).toBe(3);
      clock.advance(86_400_000);
      expect(await admitted(app, 1)).toBe(1);
    });

    test('user: 1,000 a day for each one who is signed in', async () => {
      const clock = handClock();
      const limit = rateLimit({ ...policies.user, clock });
      const app = served(limit);
      const ann = { 'X-Test-User': 'ann' };
      const server = app.listen(0);
      try {
        for (let i = 0; i < 20; i++)
          await Promise.all(Array.from({ length: 50 }, () => get(server as never, undefined, ann)));
        expect((await get(server as never, undefined, ann)).status).toBe(429);
        expect((await get(server as never, undefined, { 'X-Test-User': 'bob' })).status).toBe(200);
        expect((await get(server as never)).status).toBe(200);
      } finally {
        server.close();
      }
    });

    test('api: 20 more at once and then 10 a second, by address', async () => {
      const clock = handClock();
      const app = limited({ ...policies.api, clock });
      expect(await admitted(app, 25)).toBe(21);
      clock.advance(1000);
      expect(await admitted(app, 15)).toBe(10);
      expect(await admitted(app, 1, '203.0.113.10')).toBe(1);
      expect(stageOf(rateLimit(policies.api))?.detail).toBe('api 10/s burst 20');
    });

    test('login: 5 more at once and then 5 a minute, by address, with a wait that is honest', async () => {
      const clock = handClock();
      const app = limited({ ...policies.login, clock });
      expect(await admitted(app, 10)).toBe(6);
      expect((await get(app)).headers['retry-after']).toBe('12');
      clock.advance(11_999);
      expect(await admitted(app, 1)).toBe(0);
      clock.advance(1);
      expect(await admitted(app, 3)).toBe(1);
      clock.advance(60_000);
      expect(await admitted(app, 10)).toBe(5);
      expect(stageOf(rateLimit(policies.login))?.detail).toBe('login 5/min burst 5');
    });

    test('login with onlyFailures: those who sign in rightly are not counted, those who guess are', async () => {
      const app = limited({ ...policies.login, onlyFailures: true, clock: handClock() });
      const server = app.listen(0);
      const attempt = async (code: number): Promise<number> =>
        (await request(server).post(`/status/${code}`).set('X-Forwarded-For', '203.0.113.9')).status;
      try {
        for (let i = 0; i < 20; i++) expect(await attempt(200)).toBe(200);
        const seen: number[] = [];
        for (let i = 0; i < 8; i++) seen.push(await attempt(401));
        expect(seen).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
      } finally {
        server.close();
      }
    });
  });

  describe('whom it counts for', () => {
    test('an IPv6 client by its /64, and all of its /48 together with 16 times as much (zulip#21544)', async () => {
      for (const options of [
        { rate: '1/h', burst: 1 },
        { limit: 2, window: '1h' },
      ] as const) {
        const app = limited({ ...options, clock: handClock() });
        let passed = 0;
        for (let i = 0; i < 60; i++) passed += await admitted(app, 1, `2001:db8:7:${i.toString(16)}::1`);
        expect(passed).toBe(32);
        expect(await admitted(app, 3, '2001:db8:8::1')).toBe(2);
        expect(await admitted(app, 3, '203.0.113.7')).toBe(2);
      }
    });

    test('the tiers can be moved and switched off', async () => {
      const moved = limited({ rate: '1/h', ipv6: { prefix: 56, wider: 32, times: 3 }, clock: handClock() });
      expect(await admitted(moved, 1, '2001:db8:1:100::1')).toBe(1);
      expect(await admitted(moved, 1, '2001:db8:1:1ff::1')).toBe(0);
      expect(await admitted(moved, 1, '2001:db8:2::1')).toBe(1);
      expect(await admitted(moved, 1, '2001:db8:3::1')).toBe(1);
      expect(await admitted(moved, 1, '2001:db8:4::1')).toBe(0);
      const off = limited({ rate: '1/h', ipv6: { wider: false }, clock: handClock() });
      let passed = 0;
      for (let i = 0; i < 40; i++) passed += await admitted(off, 1, `2001:db8:7:${i.toString(16)}::1`);
      expect(passed).toBe(40);
    });

    test('ASVS V15.3.4: a forged chain, ports, zones and mapped spellings never change whom a request counts for', async () => {
      const app = limited({ rate: '1/h', burst: 4, clock: handClock() });
      const spellings = [
        '6.6.6.6, 203.0.113.9',
        '::ffff:203.0.113.9',
        '203.0.113.9:4711',
        '[::ffff:203.0.113.9]:80',
        '64:ff9b::203.0.113.9',
        '1.2.3.4, ::ffff:cb00:7109',
      ];
      const passed: number[] = [];
      for (const spelling of spellings) passed.push(await admitted(app, 1, spelling));
      expect(passed).toEqual([1, 1, 1, 1, 1, 0]);
    });

    test('a tenant together, an API key alone, a route for all, a combination of both', async () => {
      const one = { rate: '1/h', clock: handClock() } as const;
      const tenant = limited({ ...one, by: 'tenant' });
      expect(await admitted(tenant, 1, '192.0.2.1', { 'X-Test-User': 'ann' })).toBe(1);
      expect(await admitted(tenant, 1, '192.0.2.2', { 'X-Test-User': 'bob' })).toBe(0);
      const apiKey = limited({ ...one, by: 'api-key' });
      expect(await admitted(apiKey, 2, '192.0.2.1', { 'X-Test-User': 'key' })).toBe(1);
      expect(await admitted(apiKey, 2, '192.0.2.1', { 'X-Test-User': 'ann' })).toBe(1);

      const app = express();
      app.use(context({ trustProxy: false }));
      const route = rateLimit({ name: 'route', ...one, by: ['address', 'route'] });
      app.get('/a/:id', route, (_req, res) => void res.send('through'));
      app.get('/b', route, (_req, res) => void res.send('through'));
      problems(app);
      const statuses = [];
      for (const path of ['/a/1', '/a/2', '/b', '/b']) statuses.push((await request(app).get(path)).status);
      expect(statuses).toEqual([200, 429, 200, 429]);
    });

    test('an invented API key header does not escape: only a verified key counts as one', async () => {
      const app = limited({ rate: '1/h', by: 'api-key', clock: handClock() });
      expect(await admitted(app, 1, undefined, { 'X-Api-Key': 'one', Authorization: 'Bearer one' })).toBe(1);
      expect(await admitted(app, 1, undefined, { 'X-Api-Key': 'two', Authorization: 'Bearer two' })).toBe(0);
    });

    test('an account from the body, in any spelling, together with the address', async () => {
      const app = limited({ rate: '1/h', by: [bodyField('email'), 'address'], clock: handClock() });
      const post = async (email: string, ip: string) =>
        (await request(app).post('/').set('X-Forwarded-For', ip).send({ email })).status;
      expect(await post('ann@example.org', '192.0.2.1')).toBe(200);
      expect(await post(' ANN@example.org', '192.0.2.1')).toBe(429);
      expect(await post('ann@example.org', '192.0.2.2')).toBe(200);
      expect(await post('bob@example.org', '192.0.2.1')).toBe(200);
    });
  });

  describe('cost', () => {
    test('by request; nothing costs nothing, too much is always refused, nonsense is a fault', async () => {
      const clock = handClock();
      const app = limited({ rate: '1/s', burst: 9, clock, cost: (req) => Number(req.headers['x-cost']) });
      const with_ = async (cost: string) => (await get(app, undefined, { 'X-Cost': cost })).status;
      expect([
        await with_('0'),
        await with_('6'),
        await with_('6'),
        await with_('4'),
        await with_('1'),
      ]).toEqual([200, 200, 429, 200, 429]);
      clock.advance(60_000);
      expect([await with_('11'), await with_('10')]).toEqual([429, 200]);
      for (const odd of ['-1', '1.5', 'NaN', 'x', '1e9']) expect(await with_(odd)).toBe(500);
    });

    test('windows with a cost', async () => {
      const clock = handClock();
      const app = limited({ limit: 10, window: '1m', cost: 3, clock });
      expect(await admitted(app, 5)).toBe(3);
      clock.advance(60_000);
      expect(await admitted(app, 5)).toBe(3);
    });

    test('refund() gives back a part or everything, never more than was taken; peek() counts nothing', async () => {
      for (const options of [
        { rate: '1/h', burst: 9 },
        { limit: 10, window: '1h' },
      ] as const) {
        const clock = handClock();
        const limit = rateLimit({ name: 'test', ...options, cost: 5, clock });
        const app = express();
        app.use(context({ trustProxy: false }), limit);
        app.get('/back/:n', async (req, res) => {
          await limit.refund(req, Number(req.params['n']));
          await limit.refund(req, 1000);
          res.json(await limit.peek(req));
        });
        app.get('/peek', async (req, res) => void res.json(await limit.peek(req)));
        app.get('/part', async (req, res) => {
          await limit.refund(req, 2);
          res.json(await limit.peek(req));
        });
        problems(app);
        for (let i = 0; i < 5; i++) expect((await request(app).get('/back/3')).body[0].remaining).toBe(10);
        expect((await request(app).get('/part')).body[0].remaining).toBe(7);
        expect((await request(app).get('/peek')).body[0].remaining).toBe(2);
        expect((await request(app).get('/peek')).status).toBe(429);
      }
    });

    test('peek() and refund() of a plain window', async () => {
      const limit = rateLimit({ name: 'test', limit: 3, window: '1h', clock: handClock() });
      const app = express();
      app.use(context({ trustProxy: false }));
      app.get('/peek', async (req, res) => void res.json(await limit.peek(req)));
      app.use(limit);
      app.get('/back', async (req, res) => {
        await limit.refund(req);
        await limit.refund(req);
        res.send('through');
      });
      app.get('/', (_req, res) => void res.send('through'));
      const remaining = async () => (await request(app).get('/peek')).body[0].remaining as number;
      expect(await remaining()).toBe(3);
      await request(app).get('/');
      await request(app).get('/back');
      expect(await remaining()).toBe(2);
    });

    test('onlyFailures of a rate: successes give back what they cost', async () => {
      const app = limited({ rate: '1/h', burst: 1, onlyFailures: true, clock: handClock() });
      const to = async (code: number) =>
        (await request(app).get(`/status/${code}`).set('X-Forwarded-For', '192.0.2.1')).status;
      for (let i = 0; i < 5; i++) expect(await to(200)).toBe(200);
      expect([await to(401), await to(401), await to(401)]).toEqual([401, 401, 429]);
    });

    test('reset() forgets a rate', async () => {
      const limit = rateLimit({ name: 'test', rate: '1/h', clock: handClock() });
      const app = express();
      app.use(context({ trustProxy: false }));
      app.post('/reset', async (req, res) => {
        await limit.reset(req);
        res.send('through');
      });
      app.use(limit, (_req, res) => void res.send('through'));
      problems(app);
      expect([(await request(app).get('/')).status, (await request(app).get('/')).status]).toEqual([
        200, 429,
      ]);
      await request(app).post('/reset');
      expect((await request(app).get('/')).status).toBe(200);
    });
  });

  describe('several limits in one', () => {
    const several = (limits: readonly LimitOptions[], options: SharedLimitOptions = {}) =>
      served(rateLimits(limits, { clock: handClock(), ...options }));

    test('count a request all or none: what one refuses costs nothing at the others', async () => {
      const clock = handClock();
      const app = several(
        [
          { name: 'second', rate: '1/s' },
          { name: 'day', limit: 3, window: '1d' },
        ],
        { clock },
      );
      expect(await admitted(app, 10)).toBe(1);
      clock.advance(1000);
      expect(await admitted(app, 10)).toBe(1);
      clock.advance(1000);
      const last = await get(app);
      expect([last.status, last.headers['ratelimit']]).toEqual([200, '"second";r=0;t=1, "day";r=0;t=86398']);
      clock.advance(1000);
      const refused = await get(app);
      expect([refused.status, refused.headers['retry-after']]).toEqual([429, '86397']);
      expect(refused.headers['ratelimit-policy']).toBe('"second";q=1;w=1, "day";q=3;w=86400');
    });

    test('the problem names the violated policies, as the draft says', async () => {
      const app = express();
      app.use(context({ trustProxy: false }));
      app.use(
        rateLimits([
          { name: 'one', rate: '1/h' },
          { name: 'two', rate: '1/h' },
          { name: 'three', rate: '9/h', burst: 9 },
        ]),
        (_req, res) => void res.send('through'),
      );
      app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
        res.status(429).json((error as { problem: unknown }).problem);
      });
      await request(app).get('/');
      expect((await request(app).get('/')).body).toEqual({ 'violated-policies': ['one', 'two'] });
    });

    test('each goes for whom it goes for', async () => {
      const app = several([
        { ...policies.anonymous, limit: 1 },
        { ...policies.user, limit: 2 },
      ]);
      expect(await admitted(app, 5)).toBe(1);
      expect(await admitted(app, 5, undefined, { 'X-Test-User': 'ann' })).toBe(2);
    });
  });

  describe('requests at the same time', () => {
    /** A route that stays open until it is told to go on. */
    function holding(limit: RateLimitMiddleware) {
      const open: (() => void)[] = [];
      let [running, most] = [0, 0];
      const app = express();
      app.set('trust proxy', 1);
      app.use(context({ trustProxy: 1 }), limit, (_req, res) => {
        most = Math.max(most, ++running);
        res.once('close', () => void running--);
        open.push(() => res.send('done'));
      });
      problems(app);
      return { server: app.listen(0), open, most: () => most };
    }
    const settle = () => new Promise((resolve) => setTimeout(resolve, 100));

    test('ASVS V15.2.2: an expensive route runs at most so many at once; the others are refused at once, and places come back', async () => {
      const { server, open, most } = holding(rateLimit({ name: 'heavy', concurrency: 2, by: 'all' }));
      try {
        const seen: number[] = [];
        const all = Array.from({ length: 6 }, async () => seen.push((await get(server as never)).status));
        await eventually(() => expect([open.length, seen]).toEqual([2, [429, 429, 429, 429]]));
        for (const end of open.splice(0)) end();
        await Promise.all(all);
        expect(seen).toEqual([429, 429, 429, 429, 200, 200]);
        const again = get(server as never).then(({ status }) => status);
        await eventually(() => expect(open).toHaveLength(1));
        for (const end of open.splice(0)) end();
        expect(await again).toBe(200);
        expect(most()).toBe(2);
      } finally {
        server.close();
      }
    });

    test('ASVS V15.4.4: a client that takes all its places, and its queue, does not take those of another', async () => {
      const { server, open } = holding(
        rateLimit({ name: 'fair', concurrency: 1, queue: { size: 2, timeoutMs: '10s' } }),
      );
      try {
        const greedy = Array.from({ length: 5 }, () =>
          get(server as never, '192.0.2.1').then(({ status }) => status),
        );
        await settle();
        const modest = get(server as never, '192.0.2.2').then(({ status }) => status);
        await eventually(() => expect(open).toHaveLength(2));
        const ending = setInterval(() => open.shift()?.(), 20);
        expect(await modest).toBe(200);
        expect((await Promise.all(greedy)).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429, 429]);
        clearInterval(ending);
      } finally {
        server.close();
      }
    });

    test('who waits too long is refused; who goes away leaves the queue and gives the place back', async () => {
      const limit = rateLimit({
        name: 'queue',
        concurrency: 1,
        by: 'all',
        queue: { size: 5, timeoutMs: 300 },
      });
      const { server, open } = holding(limit);
      try {
        const first = get(server as never).then(({ status }) => status);
        await settle();
        const gone = get(server as never)
          .timeout(50)
          .catch(() => 'gone');
        const late = get(server as never).then(({ status }) => status);
        expect([await gone, await late]).toEqual(['gone', 429]);
        open.shift()!();
        expect(await first).toBe(200);
        const next = get(server as never).then(({ status }) => status);
        await settle();
        open.shift()!();
        expect(await next).toBe(200);
      } finally {
        server.close();
      }
    });

    test('beside a rate: who gets no place is not counted by the rate', async () => {
      const clock = handClock();
      const limit = rateLimits(
        [
          { name: 'at-once', concurrency: 1 },
          { name: 'steady', rate: '1/h', burst: 1 },
        ],
        { clock },
      );
      const { server, open } = holding(limit);
      try {
        const first = get(server as never).then(({ status }) => status);
        await settle();
        expect((await get(server as never)).status).toBe(429);
        expect((await get(server as never)).status).toBe(429);
        open.shift()!();
        expect(await first).toBe(200);
        const second = get(server as never).then(({ status }) => status);
        await settle();
        open.shift()!();
        expect(await second).toBe(200);
      } finally {
        server.close();
      }
    });
  });

  describe('bans', () => {
    const ban = { after: 3, within: '1m', for: ['10m', '1h'] } as const;

    test('repeated refusals end in a ban, the next ban is longer, and good behaviour forgets it', async () => {
      const clock = handClock();
      const events = recorded();
      const app = limited({ rate: '1/s', ban, clock, events });
      expect(await admitted(app, 3)).toBe(1); // Two refusals.
      const third = await get(app);
      expect([third.status, third.body.code, third.headers['retry-after']]).toEqual([
        429,
        'E_RATE_LIMIT_BANNED',
        '600',
      ]);
      clock.advance(599_999);
      expect(await admitted(app, 2)).toBe(0);
      clock.advance(1);
      expect(await admitted(app, 4)).toBe(1);
      expect((await get(app)).headers['retry-after']).toBe('3600');
      clock.advance(3_600_000 + 2 * 3_600_000);
      expect(await admitted(app, 4)).toBe(1);
      expect((await get(app)).headers['retry-after']).toBe('600');
      expect(events.all.filter(({ type }) => type === 'rate-limit.banned')).toMatchObject([
        { limit: 'test', by: 'address', ip: '203.0.113.9', forMs: 600_000, number: 1 },
        { forMs: 3_600_000, number: 2 },
        { forMs: 600_000, number: 1 },
      ]);
    });

    test('refusals that lie further apart than "within" do not add up, and nobody else is banned', async () => {
      const clock = handClock();
      const app = limited({ rate: '1/s', ban, clock });
      for (let i = 0; i < 5; i++) {
        expect(await admitted(app, 2)).toBe(1);
        clock.advance(31_000);
      }
      expect(await admitted(app, 5)).toBe(1);
      expect(await admitted(app, 1, '192.0.2.77')).toBe(1);
    });

    test('windows know bans too', async () => {
      const clock = handClock();
      const app = limited({ limit: 1, window: '1s', ban, clock });
      expect(await admitted(app, 4)).toBe(1);
      clock.advance(10_000);
      expect(await admitted(app, 1)).toBe(0);
    });
  });

  describe('header fields', () => {
    const fields = async (headers: NonNullable<RateLimitOptions['headers']>) => {
      const app = limited({ rate: '1/s', burst: 9, headers, clock: handClock() });
      const all = (await get(app)).headers as Record<string, string>;
      return Object.fromEntries(Object.entries(all).filter(([name]) => name.includes('ratelimit')));
    };

    test('the draft is an option, the legacy fields too (ERL#484, ERL#486)', async () => {
      const current = { 'ratelimit-policy': '"test";q=10;w=10', ratelimit: '"test";r=9;t=1' };
      for (const style of [true, 'draft-10', 'draft-9', 'draft-8'] as const)
        expect(await fields(style)).toEqual(current);
      expect(await fields('draft-7')).toEqual({
        'ratelimit-policy': '10;w=10',
        ratelimit: 'limit=10, remaining=9, reset=1',
      });
      expect(await fields('draft-6')).toEqual({
        'ratelimit-policy': '10;w=10',
        'ratelimit-limit': '10',
        'ratelimit-remaining': '9',
        'ratelimit-reset': '1',
      });
      const legacy = { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': '2' };
      expect(await fields('legacy')).toEqual(legacy);
      expect(await fields(['draft-8', 'legacy'])).toEqual({ ...current, ...legacy });
      expect(await fields(false)).toEqual({});
    });

    test('fields with room for one limit tell the one with least left', async () => {
      const limits = [
        { name: 'wide', rate: '1/s', burst: 99 },
        { name: 'narrow', rate: '1/s', burst: 4 },
        { name: 'middle', rate: '1/s', burst: 50 },
      ];
      const app = served(rateLimits(limits, { headers: ['draft-7', 'legacy'], clock: handClock() }));
      expect((await get(app)).headers).toMatchObject({
        ratelimit: 'limit=5, remaining=4, reset=1',
        'ratelimit-policy': '100;w=100, 5;w=5, 51;w=51',
        'x-ratelimit-limit': '5',
      });
    });
  });

  test('a dry run refuses, delays, bans and tells nobody; its events say what it would have done', async () => {
    const events = recorded();
    const app = limited({ rate: '1/h', dryRun: true, events, clock: handClock() });
    expect(await admitted(app, 3)).toBe(3);
    expect((await get(app)).headers['ratelimit']).toBeUndefined();
    expect(events.all).toMatchObject([
      { type: 'rate-limit.exceeded', limit: 'test', dryRun: true, first: true },
      { type: 'rate-limit.exceeded', dryRun: true, first: false },
      { type: 'rate-limit.exceeded', dryRun: true, first: false },
    ]);
  });

  test('a client that goes away while it is held back is not served afterwards', async () => {
    let served_ = 0;
    const app = express();
    app.use(
      context({ trustProxy: false }),
      rateLimit({ name: 'slow', rate: '2/s', burst: 5, delay: true }),
      (_req, res) => {
        served_++;
        res.send('through');
      },
    );
    problems(app);
    const server = app.listen(0);
    try {
      await request(server).get('/');
      await request(server)
        .get('/')
        .timeout(100)
        .catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 800));
      expect(served_).toBe(1);
    } finally {
      server.close();
    }
  });
});

describe('a wrong policy does not start', () => {
  test.each([
    ['no policy at all', {}, 'E_OPTION_REQUIRED'],
    ['a limit without a window', { limit: 5 }, 'E_OPTION_REQUIRED'],
    ['a window without a limit', { window: '1m' }, 'E_OPTION_REQUIRED'],
    ['two kinds at once', { limit: 5, window: '1m', rate: '1/s' }, 'E_OPTION_CONFLICT'],
    ['a rate without a unit', { rate: '10' }, 'E_OPTION_VALUE'],
    ['a rate of nothing', { rate: '0/s' }, 'E_OPTION_VALUE'],
    ['a rate as nginx spells it', { rate: '10r/s' }, 'E_OPTION_VALUE'],
    ['a burst of a window', { limit: 5, window: '1m', burst: 5 }, 'E_OPTION_CONFLICT'],
    ['a delay of an interval', { minInterval: '1s', delay: true }, 'E_OPTION_CONFLICT'],
    ['a burst that runs out in centuries', { rate: '1/31d', burst: 1_000_000 }, 'E_OPTION_RANGE'],
    ['a queue without places', { rate: '1/s', queue: { size: 5 } }, 'E_OPTION_CONFLICT'],
    ['a cost of a place', { concurrency: 5, cost: 2 }, 'E_OPTION_CONFLICT'],
    ['a cost of nothing', { rate: '1/s', cost: 0 }, 'E_OPTION_RANGE'],
    ['a strict lease', { rate: '1/s', strict: true, lease: 10 }, 'E_OPTION_CONFLICT'],
    [
      'a wider prefix that is narrower',
      { rate: '1/s', ipv6: { prefix: 64, wider: 72 } },
      'E_OPTION_CONFLICT',
    ],
    ['a misspelt draft', { rate: '1/s', headers: 'draft-88' }, 'E_OPTION_VALUE'],
    [
      'two drafts that use the same fields',
      { rate: '1/s', headers: ['draft-8', 'draft-7'] },
      'E_OPTION_VALUE',
    ],
    ['a ban without lengths', { rate: '1/s', ban: { after: 3, within: '1m', for: [] } }, 'E_OPTION_RANGE'],
    [
      'a ban of places',
      { concurrency: 1, ban: { after: 3, within: '1m', for: ['1m'] } },
      'E_OPTION_CONFLICT',
    ],
    ['failures of places', { concurrency: 1, onlyFailures: true }, 'E_OPTION_CONFLICT'],
    ['a misspelt combination', { rate: '1/s', by: ['address', 'rout'] }, 'E_OPTION_VALUE'],
  ])('%s', (_what, wrong, code) => {
    expect(() => rateLimit({ name: 'test', ...wrong } as never)).toThrow(expect.objectContaining({ code }));
  });

  test('two limits of one name in one middleware, a list that is none, a store that only counts windows', () => {
    const code = (make: () => unknown) => {
      try {
        make();
      } catch (error) {
        return (error as { code: string }).code;
      }
      return undefined;
    };
    const one = { name: 'one', rate: '1/s' };
    expect(code(() => rateLimits([one, one]))).toBe('E_OPTION_CONFLICT');
    expect(code(() => rateLimits('one' as never))).toBe('E_OPTION_TYPE');
    expect(code(() => rateLimits([]))).toBe('E_OPTION_RANGE');
    expect(code(() => rateLimits(['one' as never]))).toBe('E_OPTION_TYPE');
    const store = { kind: 'odd', shared: true, open: () => ({}) as never };
    expect(code(() => rateLimit({ ...one, store }))).toBe('E_OPTION_CONFLICT');
  });
});
