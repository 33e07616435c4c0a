import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  describeWithRedis,
  eventually,
  onBothExpress,
  startProxy,
  startRedis,
  type RedisServer,
  type TcpProxy,
} from '@portcullis/test-support';
import { Redis } from 'ioredis';
import request from 'supertest';
import type { Charge, RateMeter } from '../src/index.js';
import { rateMeter } from '../src/meter.js';
import { redisLimits, type RedisLimitsOptions } from '../src/redis.js';
import { appOf, handClock, recorded } from './support.js';

const HOUR_MS = 3_600_000;
const KINDS = ['window', 'rate'] as const;
type Kind = (typeof KINDS)[number];

/** Redis behind a proxy that may be slow or cut: what stands there is compared with what was asked, request by request. */
describeWithRedis('Redis that is slow, comes and goes, or comes back empty', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let direct: Redis;
  const clients: Redis[] = [];
  const connect = (port: number): Redis => {
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20 });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    server = await startRedis();
    direct = connect(server.port);
  });
  beforeEach(async () => {
    proxy = await startProxy(server.port);
    await direct.flushall();
  });
  afterEach(() => proxy.stop());
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
  });

  /** A client through the proxy, and what it is asked. */
  async function watched(onCall: (call: string, answer: Promise<unknown>) => void = () => undefined) {
    const client = connect(proxy.port);
    await client.ping();
    return {
      get status() {
        return client.status;
      },
      call(command: string, ...args: string[]) {
        const answer = client.call(command, ...args);
        onCall(args[0]!.endsWith('probe') ? 'probe' : command, answer);
        return answer;
      },
    };
  }
  const states = (events: ReturnType<typeof recorded>): string[] =>
    events.all.flatMap((event) => {
      if (event.type === 'rate-limit.degraded') return [event.reason as string];
      return event.type === 'rate-limit.restored' ? ['restored'] : [];
    });

  /** A limit of 1,000 an hour on the store, as a window of rate-limit-redis or as a rate. */
  function limitOf(kind: Kind, store: ReturnType<typeof redisLimits>, events = recorded()) {
    const common = { name: 'test', onStoreDown: 'local', events } as const;
    if (kind === 'window') {
      const counter = store.open({ ...common, windowMs: HOUR_MS });
      return {
        events,
        take: async (key: string) => void (await counter.increment(key)),
        giveBack: async (key: string) => counter.undo(key),
        reset: async (key: string) => counter.reset(key),
        counted: async (key: string) => Number(await direct.get(`portcullis:limit:test:${HOUR_MS}:${key}`)),
      };
    }
    const meter: RateMeter = rateMeter('test', { count: 1, perMs: HOUR_MS }, 999, 'test');
    const meters = store.meters!({ ...common, meters: [meter], lease: 1 });
    const charge = (key: string, cost: number): Charge => ({ meter, key, tag: key, cost, limit: 1000 });
    return {
      events,
      take: async (key: string) => void (await meters.take([charge(key, 1)])),
      giveBack: async (key: string) => void (await meters.take([charge(key, -1)])),
      reset: async (key: string) => meters.reset([charge(key, 0)]),
      async counted(key: string) {
        const text = await direct.get(`portcullis:limit:${meter.id}:{${key}}:${key}`);
        return Math.ceil(Number(text?.split(':')[0] ?? 0) / meter.unit);
      },
    };
  }
  type Limit = ReturnType<typeof limitOf>;
  const times = async (count: number, work: () => Promise<unknown>): Promise<void> => {
    for (let i = 0; i < count; i++) await work();
  };
  const restored = ({ take, events }: Limit, often = 1): Promise<void> =>
    eventually(async () => {
      await take('passer-by');
      expect(states(events).filter((state) => state === 'restored')).toHaveLength(often);
    });
  // Where it is not the subject, a slow machine must not look like a slow Redis.
  const patient: RedisLimitsOptions = { timeoutMs: 1000, slowMs: 10_000, probeEveryMs: 50 };

  describe.each(KINDS)('a %s', (kind) => {
    test('slow beyond the time-out: what Redis counts late is counted once, and each change is told once', async () => {
      const limit = limitOf(kind, redisLimits(await watched(), patient));
      await times(3, () => limit.take('ann'));
      proxy.holdAnswers();
      // These wait together; Redis has counted them, and nobody knows.
      await Promise.all([1, 2, 3, 4].map(() => limit.take('ann')));
      expect(states(limit.events)).toEqual(['timeout']);
      await times(5, () => limit.take('ann'));
      proxy.releaseAnswers();
      await restored(limit);
      expect(states(limit.events)).toEqual(['timeout', 'restored']);
      expect(await limit.counted('ann')).toBe(12);
    });

    test('late answers that come together with that of the probe are counted once', async () => {
      let probes = 0;
      const client = await watched((call) => (probes += call === 'probe' ? 1 : 0));
      const limit = limitOf(kind, redisLimits(client, patient));
      proxy.holdAnswers();
      await Promise.all([1, 2, 3, 4].map(() => limit.take('ann')));
      await eventually(async () => {
        await limit.take('bob');
        expect(probes).toBe(1);
      });
      proxy.releaseAnswers();
      await restored(limit);
      expect(await limit.counted('ann')).toBe(4);
    });

    test('slow within the time-out: the running average opens the breaker, and a probe has to be quick to close it', async () => {
      const clock = handClock();
      const timing = { timeoutMs: '10s', slowMs: 100, probeEveryMs: 1000, clock } as const;
      const limit = limitOf(kind, redisLimits(await watched(), timing));
      const slowly = async (ms: number): Promise<void> => {
        proxy.holdAnswers();
        const taken = limit.take('ann');
        await eventually(() => expect(proxy.heldAnswers()).toBeGreaterThan(0));
        clock.advance(ms);
        proxy.releaseAnswers();
        await taken;
      };
      // A tenth of each call counts: 40, 76, 108 ms.
      await slowly(400);
      await slowly(400);
      expect(states(limit.events)).toEqual([]);
      await slowly(400);
      expect(states(limit.events)).toEqual(['slow']);
      expect(await limit.counted('ann')).toBe(3);
      await times(2, () => limit.take('ann'));
      expect(await limit.counted('ann')).toBe(3);

      clock.advance(1000);
      proxy.holdAnswers();
      await limit.take('ann');
      await eventually(() => expect(proxy.heldAnswers()).toBeGreaterThan(0));
      clock.advance(101);
      proxy.releaseAnswers();
      // It was too slow: only the next one closes it.
      await eventually(async () => {
        clock.advance(1000);
        await limit.take('ann');
        expect(states(limit.events)).toEqual(['slow', 'restored']);
      });
    });

    test('flapping: each change is told once, and everything is counted', async () => {
      const limit = limitOf(kind, redisLimits(await watched(), patient));
      let asked = 0;
      const take = async (): Promise<void> => {
        asked++;
        await limit.take('ann');
      };
      for (let round = 1; round <= 4; round++) {
        await times(2, take);
        proxy.cut();
        await eventually(async () => {
          await take();
          expect(states(limit.events)).toHaveLength(2 * round - 1);
        });
        await times(2, take);
        proxy.mend();
        await restored(limit, round);
      }
      const told = states(limit.events);
      expect(told.filter((_state, i) => i % 2 === 1)).toEqual(Array.from({ length: 4 }, () => 'restored'));
      expect(told.filter((_state, i) => i % 2 === 0)).not.toContain('restored');
      // Of a call that was under way when its connection broke nobody can know: it may be counted twice, never not at all.
      const stands = await limit.counted('ann');
      expect(stands).toBeGreaterThanOrEqual(asked);
      expect(stands).toBeLessThanOrEqual(asked + 4);
    });

    test('killed and restarted empty: Redis learns what stood before the outage too', async () => {
      const limit = limitOf(kind, redisLimits(await watched(), patient));
      await times(5, () => limit.take('ann'));
      await server.kill();
      await eventually(async () => {
        await limit.take('bob');
        expect(states(limit.events)).toHaveLength(1);
      });
      await times(2, () => limit.take('ann'));
      await server.restart();
      await restored(limit);
      expect(await limit.counted('ann')).toBe(7);
    });

    test('what is given back during the outage is given back to Redis', async () => {
      const limit = limitOf(kind, redisLimits(await watched(), patient));
      await times(5, () => limit.take('ann'));
      proxy.cut();
      await eventually(async () => {
        await limit.take('bob');
        expect(states(limit.events)).toHaveLength(1);
      });
      await times(2, () => limit.giveBack('ann'));
      proxy.mend();
      await restored(limit);
      expect(await limit.counted('ann')).toBe(3);
    });

    test('who is forgotten during the outage is not remembered after it', async () => {
      const limit = limitOf(kind, redisLimits(await watched(), patient));
      proxy.cut();
      await eventually(async () => {
        await limit.take('bob');
        expect(states(limit.events)).toHaveLength(1);
      });
      await times(3, () => limit.take('ann'));
      await expect(limit.reset('ann')).rejects.toMatchObject({ code: 'E_STORE_UNAVAILABLE' });
      proxy.mend();
      await restored(limit);
      expect(await limit.counted('ann')).toBe(0);
    });

    test('slow while it is told what happened: what it has carried out late is not told again', async () => {
      let hold = true;
      const client = await watched((call, answer) => {
        if (call !== 'probe' || !hold) return;
        // The probe succeeds, and the answers to all that follows wait.
        answer.then(
          () => {
            if (hold) proxy.holdAnswers();
            hold = false;
          },
          () => undefined,
        );
      });
      const limit = limitOf(kind, redisLimits(client, { ...patient, timeoutMs: 500 }));
      await times(3, () => limit.take('ann'));
      proxy.cut();
      await eventually(async () => {
        await limit.take('bob');
        expect(states(limit.events)).toHaveLength(1);
      });
      await times(4, () => limit.take('ann'));
      proxy.mend();
      await eventually(async () => {
        await limit.take('bob');
        expect(await limit.counted('ann')).toBe(7);
        expect(proxy.heldAnswers()).toBeGreaterThan(1);
      });
      proxy.releaseAnswers();
      await restored(limit);
      expect(await limit.counted('ann')).toBe(7);
    });
  });

  onBothExpress((express) => {
    test.each([
      ['slow', () => proxy.holdAnswers(), () => proxy.releaseAnswers()],
      ['away', () => proxy.cut(), () => proxy.mend()],
    ])(
      'Redis is %s again and again: the limit holds, nobody is forgiven, no request fails',
      async (_how, begin, end) => {
        const events = recorded();
        const store = redisLimits(await watched(), { ...patient, timeoutMs: 500 });
        const app = appOf(express, [{ limit: 8, window: '1h', events, store }]).listen(0);
        const get = async (ip: string): Promise<number> =>
          (await request(app).get('/').set('X-Forwarded-For', ip)).status;
        const seen: number[] = [];
        try {
          for (let round = 1; round <= 3; round++) {
            seen.push(await get('203.0.113.9'), await get('203.0.113.9'));
            begin();
            await eventually(async () => {
              expect(await get('192.0.2.7')).toBe(200);
              expect(states(events)).toHaveLength(2 * round - 1);
            });
            seen.push(await get('203.0.113.9'), await get('203.0.113.9'));
            end();
            await eventually(async () => {
              await get('192.0.2.8');
              expect(states(events)).toHaveLength(2 * round);
            });
          }
        } finally {
          app.close();
        }
        expect(seen).toEqual([
          ...Array.from({ length: 8 }, () => 200),
          ...Array.from({ length: 4 }, () => 429),
        ]);
      },
    );
  });
});
