import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { context } from '@portcullis/core';
import {
  describeWithRedis,
  eventually,
  onBothExpress,
  startRedis,
  type ExpressLike,
  type RedisServer,
} from '@portcullis/test-support';
import { Redis } from 'ioredis';
import request from 'supertest';
import {
  policies,
  rateLimit,
  rateLimits,
  type LimitStore,
  type RateLimitMiddleware,
  type RateLimitOptions,
} from '../src/index.js';
import { redisLimits, type RedisLimitsOptions } from '../src/redis.js';
import { problems, recorded } from './support.js';

/** A client whose commands are counted. */
interface Counted {
  readonly commands: string[];
  call(command: string, ...args: string[]): Promise<unknown>;
}

describeWithRedis('rates, bans and several limits on a real Redis', () => {
  let server: RedisServer;
  const clients: Redis[] = [];
  const connect = (): Redis => {
    const client = new Redis(server.url, { retryStrategy: () => 50 });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  const counted = (): Counted => {
    const client = connect();
    const commands: string[] = [];
    return {
      commands,
      call(command, ...args) {
        commands.push(command);
        return client.call(command, ...args);
      },
    };
  };
  const patient = { timeoutMs: 5000 } as const; // Where the time-out is not the subject, a slow machine must not trip it.
  const storeOf = (options: RedisLimitsOptions = patient): LimitStore => redisLimits(connect(), options);

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    await connect().flushall();
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
  });

  function served(express: ExpressLike, limit: RateLimitMiddleware) {
    const app = express();
    app.set('trust proxy', 1);
    app.use(context({ trustProxy: 1 }), limit);
    app.post('/reset', async (req, res) => {
      await limit.reset(req);
      res.send('done');
    });
    app.get('/back', async (req, res) => {
      await limit.refund(req);
      res.json(await limit.peek(req));
    });
    app.get('/status/:code', (req, res) => void res.status(Number(req.params['code'])).send('done'));
    app.use((_req, res) => void res.send('through'));
    return problems(app);
  }
  type App = ReturnType<typeof served>;
  const get = (app: App, ip = '203.0.113.9', path = '/') => request(app).get(path).set('X-Forwarded-For', ip);
  async function admitted(app: App, times: number, ip?: string) {
    let passed = 0;
    const listening = app.listen(0);
    for (let i = 0; i < times; i++) if ((await get(listening as never, ip)).status === 200) passed++;
    listening.close();
    return passed;
  }

  onBothExpress((express) => {
    const limited = (options: Partial<RateLimitOptions>) =>
      served(express, rateLimit({ name: 'test', store: storeOf(), ...options }));

    test('a rate is one bucket for two processes, and each refusal says how long to wait', async () => {
      const [one, two] = [0, 1].map(() => limited({ rate: '1/h', burst: 3, strict: true }));
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push((await get(one!)).status, (await get(two!)).status);
      expect(statuses).toEqual([200, 200, 200, 200, 429, 429]);
      const { headers, body } = await get(one!);
      expect(headers['ratelimit-policy']).toBe('"test";q=4;w=14400');
      expect(Number(headers['retry-after'])).toBeGreaterThan(3500);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(3600);
      expect(body.code).toBe('E_RATE_LIMITED');
      expect(await admitted(two!, 1, '203.0.113.10')).toBe(1);
    });

    test.each([
      ['strict', { strict: true }],
      ['with permits held ahead', { lease: 40 }],
    ])(
      '%s: 90 requests at once over three processes admit exactly what the bucket holds',
      async (_how, how) => {
        const servers = [0, 1, 2].map(() => limited({ rate: '1/h', burst: 29, ...how }).listen(0));
        try {
          const seen = await Promise.all(
            Array.from({ length: 90 }, async (_, i) => (await get(servers[i % 3] as never)).status),
          );
          const passed = seen.filter((status) => status === 200).length;
          if ('strict' in how) expect(passed).toBe(30);
          // Permits that one process holds are not there for another: fewer may pass at first, never more.
          else expect(passed).toBeLessThanOrEqual(30);
          expect(passed).toBeGreaterThan(10);
        } finally {
          for (const listening of servers) listening.close();
        }
      },
    );

    test('the ready policies hold across processes: login admits 6 and api 21 at once, whoever asks', async () => {
      const login = [0, 1].map(() => limited(policies.login));
      expect((await admitted(login[0]!, 4)) + (await admitted(login[1]!, 4))).toBe(6);
      // The rate itself is told apart from the burst by one that hardly runs.
      const api = [0, 1].map(() => limited({ ...policies.api, rate: '10/h', strict: true }));
      expect((await admitted(api[0]!, 15)) + (await admitted(api[1]!, 15))).toBe(21);
    });

    test('cost, refund, onlyFailures and reset work in Redis, and every key ends by itself', async () => {
      const app = limited({ rate: '1/h', burst: 9, cost: 5 });
      expect((await get(app, undefined, '/back')).body).toMatchObject([{ limit: 10, remaining: 10 }]);
      expect(await admitted(app, 3)).toBe(2);
      await connect().flushall();
      const forgetful = limited({ name: 'forget', rate: '1/h', burst: 1 });
      expect(await admitted(forgetful, 1)).toBe(1);
      await request(forgetful).post('/reset').set('X-Forwarded-For', '203.0.113.9');
      expect(await admitted(forgetful, 3)).toBe(2);
      const failures = limited({ name: 'failures', rate: '1/h', burst: 1, onlyFailures: true });
      const to = async (code: number) => (await get(failures, undefined, `/status/${code}`)).status;
      for (let i = 0; i < 4; i++) expect(await to(200)).toBe(200);
      await eventually(async () => expect(await to(200)).toBe(200));
      const client = connect();
      for (const key of await client.keys('*')) expect(await client.pttl(key)).toBeGreaterThan(0);
    });

    test('several limits take one trip together, and all of them count or none', async () => {
      const client = counted();
      const limit = rateLimits(
        [
          { name: 'second', rate: '1/h' },
          { name: 'day', limit: 3, window: '1d' },
          { name: 'hour', rate: '1/h', burst: 4, by: 'all' },
        ],
        { store: redisLimits(client, patient) },
      );
      const app = served(express, limit);
      expect((await get(app)).status).toBe(200); // Redis learns the script.
      client.commands.length = 0;
      const refused = await get(app);
      expect(client.commands).toEqual(['EVALSHA']);
      expect(refused.headers['ratelimit']).toMatch(/^"second";r=0;t=\d+, "day";r=2;t=\d+, "hour";r=4;t=\d+$/);
      // Refused ones cost the other limits nothing: four other clients still find the room.
      expect(await admitted(app, 20)).toBe(0);
      const others = [];
      for (let i = 1; i <= 5; i++) others.push((await get(app, `192.0.2.${i}`)).status);
      expect(others).toEqual([200, 200, 200, 200, 429]);
    });

    test('a ban goes for all processes, and a refusal by it takes no place', async () => {
      const ban = { after: 3, within: '1m', for: ['2h', '1d'] } as const;
      const events = recorded();
      const [one, two] = [0, 1].map(() => limited({ rate: '1/h', ban, events }));
      expect(await admitted(one!, 3)).toBe(1);
      const third = await get(two!);
      expect([third.body.code, third.headers['retry-after']]).toEqual(['E_RATE_LIMIT_BANNED', '7200']);
      expect((await get(one!)).body.code).toBe('E_RATE_LIMIT_BANNED');
      expect(events.all.filter(({ type }) => type === 'rate-limit.banned')).toMatchObject([
        { forMs: 7_200_000, number: 1 },
      ]);
    });

    test('an IPv6 client counts by its /64 and its /48 in one trip', async () => {
      const client = counted();
      const app = limited({ rate: '1/h', strict: true, store: redisLimits(client, patient) });
      let passed = 0;
      for (let i = 0; i < 20; i++) passed += await admitted(app, 1, `2001:db8:7:${i.toString(16)}::1`);
      expect(passed).toBe(16);
      expect(client.commands.filter((command) => command !== 'EVAL')).toHaveLength(20);
      expect(await admitted(app, 1, '2001:db8:8::1')).toBe(1);
    });
  });

  describe('permits held ahead', () => {
    const express = async () => (await import('express')).default;
    /** Time stands still for the process, so that permits last as long as the test takes. */
    const still = { now: () => 1000, monotonic: () => 1000 };
    const appWith = async (options: Partial<RateLimitOptions>, client: Counted) =>
      served(
        await express(),
        rateLimit({ name: 'test', ...options, store: redisLimits(client, { ...patient, clock: still }) }),
      );

    test.each(['203.0.113.9', '2001:db8::1'])(
      'save trips: 40 requests of %s make at most 10, and strict makes 40',
      async (ip) => {
        const leased = counted();
        const app = await appWith({ rate: '1/h', burst: 499 }, leased);
        expect(await admitted(app, 40, ip)).toBe(40);
        expect(leased.commands.length).toBeLessThanOrEqual(10);
        const asking = counted();
        const strict = await appWith({ name: 'strict', rate: '1/h', burst: 499, strict: true }, asking);
        expect(await admitted(strict, 40, ip)).toBe(40);
        expect(asking.commands.filter((command) => command === 'EVALSHA')).toHaveLength(40);
      },
    );

    test('all processes together hold at most the lease', async () => {
      const apps: App[] = [];
      for (let i = 0; i < 4; i++) apps.push(await appWith({ rate: '1/h', burst: 199, lease: 20 }, counted()));
      for (const app of apps) expect(await admitted(app, 1)).toBe(1);
      const { used } = (
        await Promise.all(
          (await connect().keys('*')).map(async (key) => ({ used: await connect().get(key) })),
        )
      )[0]!;
      const [held, , ahead] = used!.split(':').map(Number);
      expect(ahead).toBeGreaterThan(0);
      expect(ahead).toBeLessThanOrEqual(20);
      // Four requests and what is held ahead, each of an hour.
      expect(Math.ceil(held! / 3_600_000_000)).toBe(4 + ahead!);
    });

    test('what was refused for its cost does not shut out what costs less', async () => {
      const cost = (req: { headers: Record<string, unknown> }) => Number(req.headers['x-cost']);
      const app = await appWith({ rate: '1/h', burst: 9, lease: 2, cost }, counted());
      const with_ = async (price: string) => (await get(app).set('X-Cost', price)).status;
      expect([await with_('50'), await with_('6'), await with_('6'), await with_('1')]).toEqual([
        429, 200, 429, 200,
      ]);
    });

    test('while Redis refuses, a hammering client makes no more trips than one a second', async () => {
      const client = counted();
      const app = await appWith({ rate: '1/h', burst: 19 }, client);
      await admitted(app, 20);
      await get(app);
      client.commands.length = 0;
      expect(await admitted(app, 50)).toBe(0);
      expect(client.commands).toEqual([]);
    });

    test.each([
      ['several limits', { limits: true }],
      ['a ban', { ban: { after: 3, within: '1m', for: ['1m'] } }],
      ['a delay', { delay: true }],
    ])(
      'do not go with %s, and that is said at start',
      (_what, { limits, ...more }: Record<string, unknown>) => {
        const one = { name: 'one', rate: '1/s', burst: 9, lease: 5 };
        const make = () =>
          limits ? rateLimits([one, { name: 'two', rate: '1/s' }]) : rateLimit({ ...one, ...more } as never);
        expect(make).toThrow(expect.objectContaining({ code: 'E_OPTION_CONFLICT' }));
      },
    );
  });

  describe('Redis in trouble', () => {
    const express = async () => (await import('express')).default;
    const changes = (events: ReturnType<typeof recorded>) =>
      events.all.map(({ type }) => type).filter((type) => type !== 'rate-limit.exceeded');

    test('hung: counting goes on from the last count; afterwards Redis has counted each request once', async () => {
      const events = recorded();
      const client = counted();
      const store = redisLimits(client, { timeoutMs: 300, slowMs: 10_000, probeEveryMs: 100 });
      const limit = rateLimit({ name: 'test', rate: '1/h', burst: 9, strict: true, events, store });
      const app = served(await express(), limit);
      expect(await admitted(app, 3)).toBe(3);
      server.pause();
      try {
        // The first of these lies in the socket of the hung Redis, and will be carried out when it wakes up.
        expect(await admitted(app, 3)).toBe(3);
        const asked = client.commands.filter((command) => command === 'EVALSHA').length;
        expect(await admitted(app, 10)).toBe(4);
        expect(client.commands.filter((command) => command === 'EVALSHA')).toHaveLength(asked);
        expect(changes(events)).toEqual(['rate-limit.degraded']);
      } finally {
        server.resume();
      }
      await eventually(async () => {
        await get(app, '192.0.2.1');
        expect(changes(events)).toEqual(['rate-limit.degraded', 'rate-limit.restored']);
      });
      const held = Number(
        (await connect().get('portcullis:limit:test:r3600000000-1-9:{a:203.0.113.9}:a:203.0.113.9'))!.split(
          ':',
        )[0],
      );
      expect(Math.ceil(held / 3_600_000_000)).toBe(10);
      const restored = events.all.find(({ type }) => type === 'rate-limit.restored');
      expect(restored).toMatchObject({ reconciled: expect.any(Number) });
      expect((restored as unknown as { reconciled: number }).reconciled).toBeGreaterThanOrEqual(1);
      expect(
        await admitted(
          served(await express(), rateLimit({ name: 'test', rate: '1/h', burst: 9, store: storeOf() })),
          1,
        ),
      ).toBe(0);
    });

    test('killed and restarted empty: who was limited before or meanwhile stays limited, in all processes', async () => {
      const options = { name: 'test', rate: '1/h', burst: 4, strict: true } as const;
      const events = recorded();
      const app = served(
        await express(),
        rateLimit({ ...options, events, store: storeOf({ timeoutMs: 300, probeEveryMs: 50 }) }),
      );
      expect(await admitted(app, 6)).toBe(5);
      await server.kill();
      expect(await admitted(app, 3)).toBe(0);
      await server.restart();
      await eventually(async () => {
        await get(app, '192.0.2.2');
        expect(changes(events)).toEqual(['rate-limit.degraded', 'rate-limit.restored']);
      });
      const other = served(await express(), rateLimit({ ...options, store: storeOf() }));
      expect(await admitted(other, 3)).toBe(0);
    });

    test('a ban outlives Redis: known ones go on without it, new ones are told to it', async () => {
      const ban = { after: 2, within: '1m', for: ['1h'] } as const;
      const events = recorded();
      const make = async (store: LimitStore) =>
        served(await express(), rateLimit({ name: 'test', rate: '1/h', ban, events, store }));
      const app = await make(storeOf({ timeoutMs: 300, probeEveryMs: 50 }));
      const code = async (ip: string) => (await get(app, ip)).body.code as string | undefined;
      for (let i = 0; i < 3; i++) await get(app, '192.0.2.3');
      expect(await code('192.0.2.3')).toBe('E_RATE_LIMIT_BANNED');
      await server.kill();
      expect(await code('192.0.2.3')).toBe('E_RATE_LIMIT_BANNED');
      for (let i = 0; i < 3; i++) await get(app, '192.0.2.4');
      expect(await code('192.0.2.4')).toBe('E_RATE_LIMIT_BANNED');
      await server.restart();
      await eventually(async () => {
        await get(app, '192.0.2.5');
        expect(changes(events)).toContain('rate-limit.restored');
      });
      const other = await make(storeOf());
      for (const ip of ['192.0.2.3', '192.0.2.4'])
        expect((await get(other, ip)).body.code).toBe('E_RATE_LIMIT_BANNED');
    });

    test("a dry run refuses nobody for want of Redis, not even with onStoreDown: 'refuse'", async () => {
      const down = { call: () => Promise.reject(new Error('down')) };
      const options = { name: 'test', rate: '1/h', onStoreDown: 'refuse', store: redisLimits(down) } as const;
      expect((await get(served(await express(), rateLimit(options)))).status).toBe(503);
      expect(await admitted(served(await express(), rateLimit({ ...options, dryRun: true })), 3)).toBe(3);
    });

    test('a Redis that answers nonsense counts as down', async () => {
      for (const answer of ['OK', [], [1, 2, 3], ['x', 0, 0, 0, 0, 0, 0, 0], null, undefined]) {
        const odd = { call: async () => answer };
        const limit = rateLimit({ name: 'test', rate: '1/h', burst: 1, store: redisLimits(odd) });
        expect(await admitted(served(await express(), limit), 3)).toBe(2);
      }
    });
  });
});
