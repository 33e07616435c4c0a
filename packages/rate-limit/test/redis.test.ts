import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  describeWithRedis,
  eventually,
  onBothExpress,
  startRedis,
  type RedisServer,
} from '@portcullis/test-support';
import { Redis } from 'ioredis';
import request from 'supertest';
import { rateLimit } from '../src/index.js';
import { redisLimits } from '../src/redis.js';
import { appOf, recorded } from './support.js';

describeWithRedis('limits on a real Redis', () => {
  let server: RedisServer;
  const clients: Redis[] = [];
  const connect = (options: object = {}): Redis => {
    const client = new Redis(server.url, { retryStrategy: () => 50, ...options });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
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

  onBothExpress((express) => {
    const get = async (app: ReturnType<typeof appOf>, ip = '203.0.113.9', path = '/') =>
      (await request(app).get(path).set('X-Forwarded-For', ip)).status;
    const patient = { timeoutMs: 5000 }; // Where the time-out is not the subject, a slow machine must not trip it.

    test('two processes on one Redis share their counts, limits of other names do not', async () => {
      const [one, two] = [0, 1].map(() =>
        appOf(express, [{ limit: 4, store: redisLimits(connect(), patient) }]),
      );
      const seen = [];
      for (let i = 0; i < 3; i++) seen.push(await get(one!), await get(two!));
      expect(seen).toEqual([200, 200, 200, 200, 429, 429]);
      const other = appOf(express, [{ name: 'other', store: redisLimits(connect(), patient) }]);
      expect(await get(other)).toBe(200);
    });

    test('a burst of 60 over two processes admits exactly the limit', async () => {
      const servers = [0, 1].map(() =>
        appOf(express, [{ limit: 10, store: redisLimits(connect(), patient) }]).listen(0),
      );
      try {
        const seen = await Promise.all(Array.from({ length: 60 }, (_, i) => get(servers[i % 2] as never)));
        expect(seen.filter((status) => status === 200)).toHaveLength(10);
      } finally {
        for (const listening of servers) listening.close();
      }
    });

    test('onlyFailures gives places back in Redis, and never leaves a counter without expiry behind', async () => {
      const client = connect();
      const app = appOf(express, [{ limit: 2, onlyFailures: true, store: redisLimits(client, patient) }]);
      for (let i = 0; i < 4; i++) expect(await get(app, '203.0.113.9', '/status/200')).toBe(200);
      expect([
        await get(app, '203.0.113.9', '/status/401'),
        await get(app, '203.0.113.9', '/status/401'),
      ]).toEqual([401, 401]);
      expect(await get(app, '203.0.113.9', '/status/200')).toBe(429);
      for (const key of await client.keys('*')) expect(await client.pttl(key)).toBeGreaterThan(0);
    });

    test('no account name, address of a principal or API key stands in clear in a Redis key', async () => {
      const client = connect();
      const app = appOf(express, [{ by: () => 'ann@example.org', store: redisLimits(client, patient) }]);
      await get(app);
      const keys = await client.keys('*');
      expect(keys).toHaveLength(1);
      expect(keys[0]).toMatch(/^portcullis:limit:test:60000:k:[\w-]{22}$/);
    });

    test('Redis that forgot its scripts (restart, SCRIPT FLUSH) is taught again within the same request', async () => {
      const events = recorded();
      const client = connect();
      const app = appOf(express, [{ limit: 2, events, store: redisLimits(client, patient) }]);
      expect(await get(app)).toBe(200);
      await client.script('FLUSH');
      expect([await get(app), await get(app)]).toEqual([200, 429]);
      expect(events.all.map(({ type }) => type)).toEqual(['rate-limit.exceeded']);
    });
  });

  describe('Redis in trouble', () => {
    const express = async () => (await import('express')).default;
    const get = async (app: ReturnType<typeof appOf>, ip = '203.0.113.9') => {
      const began = performance.now();
      const { status, headers } = await request(app).get('/').set('X-Forwarded-For', ip);
      return { status, headers, tookMs: performance.now() - began };
    };
    const stateChanges = (events: ReturnType<typeof recorded>) =>
      events.all.map(({ type }) => type).filter((type) => type !== 'rate-limit.exceeded');

    test('hung (paused): one batch waits the time-out, then no call reaches Redis but one probe at a time; counting goes on from the last count; recovery is told once', async () => {
      const events = recorded();
      const client = connect();
      let inFlight = 0;
      let most = 0;
      let calls = 0;
      const watched = {
        call: async (command: string, ...args: string[]) => {
          calls++;
          most = Math.max(most, ++inFlight);
          try {
            return await client.call(command, ...args);
          } finally {
            inFlight--;
          }
        },
      };
      const store = redisLimits(watched, { timeoutMs: 400, probeEveryMs: 600 });
      // Two limits on one store: the change of state is still told once to their common events.
      const app = appOf(await express(), [
        { name: 'first', limit: 6, events, store },
        { name: 'second', limit: 100, events, store },
      ]);
      for (let i = 0; i < 3; i++) expect((await get(app)).status).toBe(200);
      expect(stateChanges(events)).toEqual([]);

      server.pause();
      try {
        expect(await get(app)).toMatchObject({ status: 200 }); // Waits the time-out, then counts here: 4 of 6.
        const callsBefore = calls;
        most = inFlight = 0;
        const statuses = [];
        for (let i = 0; i < 12; i++) statuses.push((await get(app)).status);
        expect(statuses).toEqual([200, 200, ...Array.from({ length: 10 }, () => 429)]);
        // While the breaker is open, requests leave no call behind: at most a probe per 600 ms.
        expect(calls - callsBefore).toBeLessThan(12);
        expect(most).toBeLessThanOrEqual(2);
        expect(stateChanges(events)).toEqual(['rate-limit.degraded']);
      } finally {
        server.resume();
      }
      await eventually(async () => {
        await get(app, '203.0.113.77');
        expect(stateChanges(events)).toEqual(['rate-limit.degraded', 'rate-limit.restored']);
      });
      // The outage forgave nobody.
      expect((await get(app)).status).toBe(429);
    });

    test('while it is hung, no request waits for it: 200 requests take less than one time-out each, by far', async () => {
      const client = connect();
      const counter = redisLimits(client, { timeoutMs: 2000, probeEveryMs: 60_000 }).open({
        name: 'test',
        windowMs: 60_000,
        onStoreDown: 'refuse',
        events: recorded(),
      });
      await counter.increment('a');
      server.pause();
      try {
        await expect(counter.increment('a')).rejects.toMatchObject({ code: 'E_STORE_TIMEOUT' });
        const began = performance.now();
        for (let i = 0; i < 200; i++) {
          await expect(counter.increment('a')).rejects.toMatchObject({ code: 'E_STORE_UNAVAILABLE' });
        }
        expect(performance.now() - began).toBeLessThan(2000); // Not even one time-out for all of them.
      } finally {
        server.resume();
      }
    });

    test('killed and restarted empty: limits hold meanwhile and after, without a restart of ours', async () => {
      const events = recorded();
      const client = connect();
      const app = appOf(await express(), [
        { limit: 5, events, store: redisLimits(client, { timeoutMs: 400, probeEveryMs: 50 }) },
      ]);
      for (let i = 0; i < 3; i++) expect((await get(app)).status).toBe(200);
      await server.kill();
      expect([(await get(app)).status, (await get(app)).status, (await get(app)).status]).toEqual([
        200, 200, 429,
      ]);
      await server.restart();
      await eventually(async () => {
        await get(app, '203.0.113.78');
        expect(stateChanges(events)).toEqual(['rate-limit.degraded', 'rate-limit.restored']);
      });
      // Redis has lost every count; what this process knows still stands.
      expect((await get(app)).status).toBe(429);
    });

    test('down at the start of the process: it counts here, and in Redis once that is there (rate-limit-redis alone never would)', async () => {
      await server.kill();
      const events = recorded();
      const client = connect();
      const app = appOf(await express(), [
        { limit: 3, events, store: redisLimits(client, { timeoutMs: 300, probeEveryMs: 50 }) },
      ]);
      expect([(await get(app)).status, (await get(app)).status]).toEqual([200, 200]);
      await server.restart();
      await eventually(async () => {
        await get(app, '203.0.113.79');
        expect(await client.exists('portcullis:limit:test:60000:a:203.0.113.79')).toBe(1);
      });
      await eventually(() => {
        expect(stateChanges(events)).toEqual(['rate-limit.degraded', 'rate-limit.restored']);
      });
    });

    test("with onStoreDown: 'refuse' the answer is 503 with Retry-After while it is down, and normal again after", async () => {
      const client = connect();
      const app = appOf(await express(), [
        {
          limit: 50,
          onStoreDown: 'refuse',
          store: redisLimits(client, { timeoutMs: 300, probeEveryMs: 50 }),
        },
      ]);
      expect((await get(app)).status).toBe(200);
      await server.kill();
      const refused = await get(app);
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
      await server.restart();
      await eventually(async () => expect((await get(app)).status).toBe(200));
    });

    test('a Redis that only reads (replica) is down for counting, and never shown as recovered', async () => {
      const events = recorded();
      const client = connect();
      const app = appOf(await express(), [
        { limit: 2, events, store: redisLimits(client, { timeoutMs: 2000, probeEveryMs: 10 }) },
      ]);
      await client.config('SET', 'min-replicas-to-write', '1');
      try {
        const statuses = [];
        for (let i = 0; i < 5; i++) statuses.push((await get(app)).status);
        expect(statuses).toEqual([200, 200, 429, 429, 429]);
        expect(stateChanges(events)).toEqual(['rate-limit.degraded']);
      } finally {
        await client.config('SET', 'min-replicas-to-write', '0');
      }
    });
  });

  test('a client that is none, or a misspelt option, does not start', () => {
    expect(() => redisLimits({} as never)).toThrow(expect.objectContaining({ code: 'E_OPTION_TYPE' }));
    expect(() => redisLimits(connect(), { timeout: 5 } as never)).toThrow(
      expect.objectContaining({ code: 'E_OPTION_UNKNOWN' }),
    );
    expect(() =>
      rateLimit({ name: 'x', limit: 1, window: '1m', store: redisLimits(connect()) }),
    ).not.toThrow();
  });
});
