import { expect, jest, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import request from 'supertest';
import { policies, type RateLimitOptions } from '../src/index.js';
import { redisLimits } from '../src/redis.js';
import { appOf, handClock, recorded } from './support.js';

// What went wrong in other limiters, by its identifier. Redis itself is on trial in redis.test.ts and outages.test.ts; here
// clients fail in the ways that were reported.
onBothExpress((express) => {
  const hangs = () => new Promise<never>(() => undefined);
  const fails = () => Promise.reject(new Error('ECONNRESET'));
  const down = (call: () => Promise<unknown>, timeoutMs = 100) =>
    redisLimits({ call }, { timeoutMs, probeEveryMs: 10_000 });
  const limited = (options: Partial<RateLimitOptions>) => appOf(express, [options]);
  const get = (app: ReturnType<typeof appOf>, ip = '203.0.113.9') =>
    request(app).get('/').set('X-Forwarded-For', ip);
  async function statuses(app: ReturnType<typeof appOf>, count: number, ip?: string): Promise<number[]> {
    const seen: number[] = [];
    for (let i = 0; i < count; i++) seen.push((await get(app, ip)).status);
    return seen;
  }
  /** Takes back what `appOf()` says for all. */
  const noWindow = { limit: undefined, window: undefined } as unknown as object;
  const both = [
    ['a window', { limit: 3, window: '1h' }],
    ['a rate', { rate: '1/h', burst: 2, strict: true, ...noWindow }],
  ] as [string, Partial<RateLimitOptions>][];

  test.each(both)(
    'rate-limit-redis#72, #166, nestjs-rate-limiter#77: %s whose Redis is lost goes on, and no rejection is left unhandled',
    async (_what, options) => {
      const unhandled: unknown[] = [];
      const note = (reason: unknown): void => void unhandled.push(reason);
      process.on('unhandledRejection', note);
      try {
        expect(await statuses(limited({ ...options, store: down(fails) }), 5)).toEqual([
          200, 200, 200, 429, 429,
        ]);
        await new Promise((resolve) => setImmediate(resolve));
      } finally {
        process.off('unhandledRejection', note);
      }
      expect(unhandled).toEqual([]);
    },
  );

  test.each(both)(
    'express-rate-limit#485 (passOnStoreError), shenyu#6645: %s does not become no limit when the store fails, and that is told once',
    async (_what, options) => {
      const events = recorded();
      const app = limited({ ...options, events, store: down(fails) });
      expect(await statuses(app, 20)).toEqual([200, 200, 200, ...Array.from({ length: 17 }, () => 429)]);
      expect(events.all.filter(({ type }) => type === 'rate-limit.degraded')).toHaveLength(1);
    },
  );

  test.each(both)(
    'fastify-rate-limit#84 (skipOnError hangs), docs.plus#211: %s whose Redis never answers lets one request wait, and no other',
    async (_what, options) => {
      let calls = 0;
      const call = (): Promise<never> => {
        calls++;
        return hangs();
      };
      const app = limited({ ...options, store: down(call) });
      expect(await statuses(app, 6)).toEqual([200, 200, 200, 429, 429, 429]);
      expect(calls).toBe(1);
    },
  );

  test.each(both)(
    'rate-limiter-flexible#315, #337 (a time-out broke the insurance): %s counts a request that timed out once',
    async (_what, options) => {
      const app = limited({ ...options, store: down(hangs) });
      const [first] = await statuses(app, 1);
      expect([first, (await get(app)).headers['ratelimit']]).toEqual([
        200,
        expect.stringMatching(/^"test";r=1;/),
      ]);
    },
  );

  test.each(both)(
    'firecrawl#3728 (a hang, then 429 for nothing): %s refuses nobody who is within the limit, whatever Redis does',
    async (_what, options) => {
      const app = limited({ ...options, store: down(hangs) });
      for (let i = 1; i <= 20; i++) expect(await statuses(app, 1, `198.51.100.${i}`)).toEqual([200]);
    },
  );

  test('express-rate-limit#134, #363, #549, anonymous_github#750, mcp-uptime-kuma#90, Actual-sync#245: a chain that is longer or shorter than the trust says never puts everybody into one bucket of the proxy', async () => {
    const app = limited({ limit: 1 });
    // One proxy is trusted; a new one in front makes the chain longer: the hop that ours has seen counts.
    expect(await statuses(app, 2, '198.51.100.1, 203.0.113.1')).toEqual([200, 429]);
    expect(await statuses(app, 1, '198.51.100.1, 203.0.113.2')).toEqual([200]);
  });

  test('express-rate-limit#502, #503, better-auth#7300: rotating the low 64 bits of an IPv6 address stays in one bucket', async () => {
    const app = limited({ limit: 2 });
    const seen: number[] = [];
    for (let i = 1; i <= 4; i++) seen.push(...(await statuses(app, 1, `2001:db8:1:2::${i}`)));
    expect(seen).toEqual([200, 200, 429, 429]);
  });

  test('express-rate-limit#667, GHSA-46wh-pxpv-q5gq, GHSA-v2v4-37r5-5v8g, meshmonitor#2001: all spellings of one IPv4 client are one, and two IPv4 clients of an IPv6 socket are two', async () => {
    const app = limited({ limit: 2 });
    const spellings = ['1.2.3.4', '::ffff:1.2.3.4', '::ffff:102:304', '::FFFF:0102:0304'];
    const seen: number[] = [];
    for (const ip of spellings) seen.push(...(await statuses(app, 1, ip)));
    expect(seen).toEqual([200, 200, 429, 429]);
    expect(await statuses(app, 1, '::ffff:1.2.3.5')).toEqual([200]);
    // Not mapped, only written like it.
    expect(await statuses(app, 1, '2001:db8::1.2.3.4')).toEqual([200]);
  });

  test('express-typescript#494: odd proxies and addresses print no warnings', async () => {
    const printed = (['warn', 'error', 'log'] as const).map((name) =>
      jest.spyOn(console, name).mockImplementation(() => undefined),
    );
    try {
      await statuses(limited({ limit: 2 }), 3, '::ffff:1.2.3.4');
      await statuses(limited({ limit: 2, store: down(fails) }), 3);
      for (const spy of printed) expect(spy).not.toHaveBeenCalled();
    } finally {
      for (const spy of printed) spy.mockRestore();
    }
  });

  test('ietf-wg-httpapi/ratelimit-headers#135 (pk is noisy): header fields carry no partition key', async () => {
    const { headers } = await get(limited({ limit: 2 }));
    expect(`${headers['ratelimit']} ${headers['ratelimit-policy']}`).not.toContain('pk');
  });

  test('Django REST framework, throttling.py: requests at once are not counted by reading and writing apart', async () => {
    const { name, rate, burst } = policies.login;
    const server = limited({ name, rate, burst, clock: handClock(), ...noWindow }).listen(0);
    try {
      const answers = await Promise.all(Array.from({ length: 40 }, () => get(server as never)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(6);
    } finally {
      server.close();
    }
  });
});
