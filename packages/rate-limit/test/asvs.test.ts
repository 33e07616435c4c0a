import { expect, test } from '@jest/globals';
import { describeWithRedis, eventually, onBothExpress, startRedis } from '@portcullis/test-support';
import { Redis } from 'ioredis';
import request from 'supertest';
import { redisLimits } from '../src/redis.js';
import { appOf, recorded } from './support.js';

describeWithRedis('when the store of the limits fails', () => {
  onBothExpress((express) => {
    test.each(['hung', 'killed'] as const)(
      'ASVS V16.5.2: Redis %s: the service goes on, the limit holds from the last count, nobody waits for it but one, and it recovers by itself',
      async (how) => {
        const server = await startRedis();
        const client = new Redis(server.url, { retryStrategy: () => 50 });
        client.on('error', () => undefined);
        const events = recorded();
        const timeoutMs = 1_000;
        const store = redisLimits(client, { timeoutMs, probeEveryMs: 200 });
        const app = appOf(express, [{ limit: 4, events, store }]);
        const get = async (ip = '203.0.113.9') =>
          (await request(app).get('/').set('X-Forwarded-For', ip)).status;
        const states = () =>
          events.all.map(({ type }) => type).filter((type) => type !== 'rate-limit.exceeded');
        try {
          expect([await get(), await get()]).toEqual([200, 200]);
          if (how === 'hung') server.pause();
          else await server.kill();
          // The outage forgives nobody: two of four were used before it.
          expect([await get(), await get(), await get()]).toEqual([200, 200, 429]);
          const began = performance.now();
          for (let i = 0; i < 30; i++) expect(await get(`198.51.100.${i}`)).toBe(200);
          // Thirty waits would take thirty seconds; a probe now and then is allowed.
          expect(performance.now() - began).toBeLessThan(15 * timeoutMs);
          expect(states()).toEqual(['rate-limit.degraded']);

          if (how === 'hung') server.resume();
          else await server.restart();
          await eventually(async () => {
            await get('203.0.113.77');
            expect(states()).toEqual(['rate-limit.degraded', 'rate-limit.restored']);
          });
          expect(await get()).toBe(429);
        } finally {
          server.resume();
          client.disconnect();
          await server.stop();
        }
      },
    );
  });
});
