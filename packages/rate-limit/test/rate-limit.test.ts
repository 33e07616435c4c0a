import { describe, expect, test } from '@jest/globals';
import { context, stageOf, type ErrorFactory, type Principal } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import request from 'supertest';
import {
  bodyField,
  memoryLimits,
  rateLimit,
  rateLimitErrors,
  type RateLimitOptions,
  type LimitStore,
} from '../src/index.js';
import { MemoryMeters } from '../src/memory-meters.js';
import { rateMeter, windowMeter } from '../src/meter.js';
import { appOf, handClock, problems, recorded } from './support.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(rateLimitErrors)) expect(make().code).toBe(code);
});

onBothExpress((express) => {
  type App = ReturnType<typeof appOf>;
  const get = (app: App, ip = '203.0.113.9', path = '/') => request(app).get(path).set('X-Forwarded-For', ip);
  async function statuses(app: App, ips: readonly string[]): Promise<number[]> {
    const seen: number[] = [];
    for (const ip of ips) seen.push((await get(app, ip)).status);
    return seen;
  }
  const times = (n: number, ip = '203.0.113.9') => Array.from({ length: n }, () => ip);

  describe('the window', () => {
    test('admits limit requests, then refuses with 429, Retry-After and the RateLimit fields, then admits again', async () => {
      const clock = handClock();
      const app = appOf(express, [{ limit: 2, window: '1m', clock }]);
      const first = await get(app);
      expect(first.headers).toMatchObject({
        'ratelimit-policy': '"test";q=2;w=60',
        ratelimit: '"test";r=1;t=60',
      });
      clock.advance(20_000);
      expect((await get(app)).headers['ratelimit']).toBe('"test";r=0;t=40');
      const refused = await get(app);
      expect(refused.status).toBe(429);
      expect(refused.body).toEqual({
        code: 'E_RATE_LIMITED',
        message: 'Too many requests. Please try again later.',
      });
      expect(refused.headers).toMatchObject({ 'retry-after': '40', ratelimit: '"test";r=0;t=40' });
      clock.advance(39_999);
      expect((await get(app)).status).toBe(429);
      clock.advance(1);
      expect((await get(app)).status).toBe(200);
    });

    test('a burst of 100 at once admits exactly the limit', async () => {
      const app = appOf(express, [{ limit: 10 }]);
      const server = app.listen(0);
      try {
        const answers = await Promise.all(times(100).map(() => get(server as never)));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
        expect(answers.filter(({ status }) => status === 429)).toHaveLength(90);
      } finally {
        server.close();
      }
    });

    test('several limits count for themselves, and each writes its member of the header fields', async () => {
      const app = appOf(express, [
        { name: 'burst', limit: 1, window: '1s' },
        { name: 'day', limit: 100, window: '1d' },
      ]);
      const { headers } = await get(app);
      expect(headers['ratelimit-policy']).toBe('"burst";q=1;w=1, "day";q=100;w=86400');
      expect(headers['ratelimit']).toMatch(/^"burst";r=0;t=1, "day";r=99;t=86400$/);
    });

    test('a window that has just begun is told as long as it is, whatever the clock says', async () => {
      let now = 0;
      const clock = { now: () => 1_700_000_000_000 + now, monotonic: () => now };
      const app = appOf(express, [{ limit: 5, window: '1s', clock }]);
      // (now + 1000) - now is a little more than 1000 for one of these in sixty.
      for (let i = 0; i < 300; i++) {
        now += 1000 + i / 7;
        const { headers } = await get(app);
        expect([now, headers['ratelimit']]).toEqual([now, expect.stringMatching(/;t=1$/)]);
      }
    });

    test('puts nothing on the request but req.security.rateLimits', async () => {
      let keys: string[] = [];
      const app = express();
      app.use(context({ trustProxy: false }));
      app.use((req, _res, next) => {
        keys = Object.keys(req);
        next();
      });
      app.use(rateLimit({ name: 'one', limit: 5, window: '1m' }), (req, res) => {
        res.json({ added: Object.keys(req).filter((key) => !keys.includes(key)), state: req.security });
      });
      const { body } = await request(app).get('/');
      expect(body.added).toEqual([]);
      expect(body.state.rateLimits).toEqual([
        { name: 'one', limit: 5, remaining: 4, resetMs: expect.any(Number) },
      ]);
    });

    test('each refusal is an event; the first of a window says so', async () => {
      const events = recorded();
      const app = appOf(express, [{ limit: 1, events }]);
      await statuses(app, times(3));
      expect(events.all).toMatchObject([
        { type: 'rate-limit.exceeded', limit: 'test', by: 'address', ip: '203.0.113.9', first: true },
        { type: 'rate-limit.exceeded', first: false },
      ]);
    });
  });

  describe('whom a request counts for', () => {
    test('rotating X-Forwarded-For without a trusted proxy never changes the key (better-auth#7300, DRF throttling)', async () => {
      const app = express();
      app.use(context({ trustProxy: false }), rateLimit({ name: 'test', limit: 3, window: '1m' }));
      app.use((_req, res) => void res.send('through'));
      problems(app);
      const seen: number[] = [];
      for (let i = 0; i < 6; i++) {
        const answer = await request(app)
          .get('/')
          .set('X-Forwarded-For', `198.51.100.${i}, 10.0.0.${i}`)
          .set('X-Real-IP', `198.51.100.${i}`)
          .set('Forwarded', `for=198.51.100.${i}`)
          .set('True-Client-IP', `198.51.100.${i}`);
        seen.push(answer.status);
      }
      expect(seen).toEqual([200, 200, 200, 429, 429, 429]);
    });

    test('behind a trusted proxy only the hop that it wrote counts, whatever the client put before it', async () => {
      const app = appOf(express, [{ limit: 2 }]);
      const seen = await statuses(app, [
        '1.1.1.1, 203.0.113.9',
        '2.2.2.2, 203.0.113.9',
        '3.3.3.3, 203.0.113.9',
      ]);
      expect(seen).toEqual([200, 200, 429]);
    });

    test('an IPv6 client counts by its /64: rotating the low 64 bits stays in one bucket (ERL#502)', async () => {
      const app = appOf(express, [{ limit: 2 }]);
      const seen = await statuses(app, [
        '2001:db8:1:2::1',
        '2001:db8:1:2:ffff::2',
        '2001:db8:1:2:a:b:c:d',
        '2001:db8:1:3::1',
      ]);
      expect(seen).toEqual([200, 200, 429, 200]);
    });

    test('mapped and NAT64 spellings are the IPv4 client inside; distinct mapped clients never share a bucket (GHSA-46wh-pxpv-q5gq, GHSA-v2v4-37r5-5v8g)', async () => {
      const app = appOf(express, [{ limit: 3 }]);
      const one = ['::ffff:1.2.3.4', '::ffff:102:304', '1.2.3.4', '64:ff9b::102:304'];
      expect(await statuses(app, one)).toEqual([200, 200, 200, 429]);
      expect(await statuses(app, ['::ffff:1.2.3.5', '2001:db8::1.2.3.4', '64:ff9b::5.6.7.8'])).toEqual([
        200, 200, 200,
      ]);
    });

    test('by principal: one account from many addresses is one bucket, anonymous ones count by address', async () => {
      const people: Record<string, Principal> = {
        ann: { id: 'ann', kind: 'user' },
        'ann-of-acme': { id: 'ann', kind: 'user', tenant: 'acme' },
      };
      const app = appOf(express, [{ limit: 2, by: 'principal' }], (before) => {
        before.use((req, _res, next) => {
          const who = people[req.get('X-Test-User') ?? ''];
          if (who) req.security.principal = who;
          next();
        });
      });
      const as = async (who: string, ip: string) => (await get(app, ip).set('X-Test-User', who)).status;
      expect([
        await as('ann', '192.0.2.1'),
        await as('ann', '192.0.2.2'),
        await as('ann', '192.0.2.3'),
      ]).toEqual([200, 200, 429]);
      expect(await as('ann-of-acme', '192.0.2.1')).toBe(200);
      expect([await as('', '192.0.2.9'), await as('', '192.0.2.9'), await as('', '192.0.2.9')]).toEqual([
        200, 200, 429,
      ]);
    });

    test('a sign-in counted by account stops credential stuffing from many addresses, in any spelling of the account', async () => {
      const app = appOf(express, [{ limit: 3, by: bodyField('email') }]);
      const attempt = async (email: unknown, i: number) =>
        (await request(app).post('/').set('X-Forwarded-For', `192.0.2.${i}`).send({ email })).status;
      const spellings = ['Ann@Example.org', ' ann@example.org', 'ANN@EXAMPLE.ORG ', '\uff41nn@example.org'];
      const seen: number[] = [];
      for (const [i, email] of spellings.entries()) seen.push(await attempt(email, i));
      expect(seen).toEqual([200, 200, 200, 429]);
      expect(await attempt('bob@example.org', 9)).toBe(200);
    });

    test('type confusion in the counted field does not escape the count: it counts by address', async () => {
      const app = appOf(express, [{ limit: 2, by: bodyField('email') }]);
      const seen: number[] = [];
      for (const email of [['a@b.c'], { $ne: null }, 7, null, true]) {
        seen.push((await request(app).post('/').set('X-Forwarded-For', '192.0.2.7').send({ email })).status);
      }
      expect(seen).toEqual([200, 200, 429, 429, 429]);
    });

    test.each([
      ['an empty string', () => ''],
      ['a number', () => 7],
      ['null', () => null],
      ['an object', () => ({ toString: () => 'x' })],
      ['5,000 characters', () => 'x'.repeat(5000)],
      ['a promise of null', async () => null],
      [
        'a thrown undefined',
        () => {
          throw undefined;
        },
      ],
      ['a rejection with "route"', () => Promise.reject('route')],
    ])('a key function that ends in %s refuses the request', async (_what, by) => {
      const app = appOf(express, [{ by: by as never }]);
      const { status, text } = await get(app);
      expect(status).toBe(500);
      expect(text).not.toContain('through');
    });

    test('without context() nobody is counted or let through: E_CONTEXT_MISSING', async () => {
      const app = problems(
        express().use(
          rateLimit({ name: 'test', limit: 3, window: '1m' }),
          (_req: unknown, res: { send(t: string): void }) => res.send('through'),
        ),
      );
      const { status, body } = await request(app).get('/');
      expect([status, body.code]).toEqual([500, 'E_CONTEXT_MISSING']);
    });

    test('networks on the allow list and skipped requests are not counted; only exactly true skips', async () => {
      const app = appOf(express, [{ limit: 1, allow: ['10.0.0.0/8', '2001:db8::/32'] }]);
      expect(await statuses(app, ['10.1.2.3', '10.1.2.3', '::ffff:10.1.2.3', '2001:db8:9::1'])).toEqual([
        200, 200, 200, 200,
      ]);
      expect(await statuses(app, times(2, '11.1.2.3'))).toEqual([200, 429]);
      const skipping = appOf(express, [
        { limit: 1, skip: (req) => (req.headers['x-skip'] === 'yes' ? true : ('truthy' as never)) },
      ]);
      const skip = async (value: string) => (await get(skipping).set('X-Skip', value)).status;
      expect([await skip('yes'), await skip('yes'), await skip('no'), await skip('no')]).toEqual([
        200, 200, 200, 429,
      ]);
    });

    test('the limit may depend on the request; a limit that is none refuses', async () => {
      const app = appOf(express, [{ limit: (req) => Number(req.headers['x-plan']) }]);
      const plan = async (value: string) => (await get(app).set('X-Plan', value)).status;
      expect([await plan('2'), await plan('2'), await plan('2'), await plan('9')]).toEqual([
        200, 200, 429, 200,
      ]);
      expect([
        await plan('none'),
        await plan('0'),
        await plan('-1'),
        await plan('1.5'),
        await plan('Infinity'),
      ]).toEqual([500, 500, 500, 500, 500]);
    });
  });

  describe('onlyFailures', () => {
    test('successful answers give their place back, failed ones keep it', async () => {
      const app = appOf(express, [{ limit: 2, onlyFailures: true }]);
      const to = async (code: number) => (await get(app, '203.0.113.9', `/status/${code}`)).status;
      for (let i = 0; i < 5; i++) expect(await to(200)).toBe(200);
      expect([await to(401), await to(401), await to(401), await to(200)]).toEqual([401, 401, 429, 429]);
    });

    test('while they run, all attempts count: 50 guesses at once do not slip through', async () => {
      let calls = 0;
      const app = appOf(express, [{ limit: 5, onlyFailures: true }], (before) => {
        before.set('etag', false);
      });
      const server = app.listen(0);
      try {
        const answers = await Promise.all(
          times(50).map(() => get(server as never, '203.0.113.9', '/status/401')),
        );
        calls = answers.filter(({ status }) => status === 401).length;
      } finally {
        server.close();
      }
      expect(calls).toBe(5);
    });

    test('a function may say what failed; a throwing or undecided one counts', async () => {
      const redirected = appOf(
        express,
        [{ limit: 1, onlyFailures: (_req, res) => res.getHeader('X-Signed-In') !== '1' }],
        (before) => {
          before.use('/ok', (_req, res, next) => {
            res.set('X-Signed-In', '1');
            next();
          });
        },
      );
      for (let i = 0; i < 3; i++) expect((await get(redirected, '203.0.113.9', '/ok')).status).toBe(200);
      expect(await statuses(redirected, times(2))).toEqual([200, 429]);
      for (const odd of [
        () => undefined,
        () => 0,
        () => {
          throw undefined;
        },
      ]) {
        expect(await statuses(appOf(express, [{ limit: 1, onlyFailures: odd as never }]), times(2))).toEqual([
          200, 429,
        ]);
      }
    });
  });

  describe('a store that misbehaves', () => {
    const store = (increment: () => unknown, shared = true): LimitStore => ({
      kind: 'odd',
      shared,
      open: () => ({ increment: increment as never, undo: () => undefined, reset: () => undefined }),
    });
    const odd: [string, () => unknown][] = [
      [
        'throws undefined',
        () => {
          throw undefined;
        },
      ],
      ['rejects with null', () => Promise.reject(null)],
      ['rejects with "route"', () => Promise.reject('route')],
      ['answers undefined', () => undefined],
      ['answers zero hits', () => ({ hits: 0, ttlMs: 1 })],
      ['answers NaN', () => ({ hits: Number.NaN, ttlMs: 1 })],
      ['answers a negative count', () => ({ hits: -5, ttlMs: 1 })],
      ['answers no time', () => ({ hits: 1 })],
    ];

    test.each(odd)(
      '%s: local counting goes on, and with "refuse" the answer is 503',
      async (_what, increment) => {
        const local = appOf(express, [{ limit: 2, store: store(increment) }]);
        expect(await statuses(local, times(3))).toEqual([200, 200, 429]);
        const strict = appOf(express, [{ limit: 2, store: store(increment), onStoreDown: 'refuse' }]);
        const { status, body, headers } = await get(strict);
        expect([status, body.code, headers['retry-after']]).toEqual([503, 'E_RATE_LIMIT_UNAVAILABLE', '1']);
      },
    );

    test.each(odd)('%s, though it is not a shared one: refused', async (_what, increment) => {
      const { status, text } = await get(appOf(express, [{ store: store(increment, false) }]));
      expect(status).toBeGreaterThanOrEqual(500);
      expect(text).not.toContain('through');
    });
  });
});

describe('windows in memory', () => {
  const policy = (events = recorded()) => ({
    name: 'test',
    windowMs: 60_000,
    onStoreDown: 'local' as const,
    events,
  });

  test('memory is bounded: beyond maxKeys new keys share buckets, no known count is forgotten, and it is told once', () => {
    const events = recorded();
    const clock = handClock();
    const meter = windowMeter('test', 60_000);
    const meters = new MemoryMeters([meter], {
      maxKeys: 1000,
      clock,
      seed: [7, 8],
      onOverflow: () => events.emit({ type: 'rate-limit.overflowed', limit: 'test', maxKeys: 1000 }),
    });
    for (let i = 0; i < 5; i++) meters.hit(meter, 'victim');
    for (let i = 0; i < 50_000; i++) meters.hit(meter, `attacker-${i}`);
    expect(meters.size).toBeLessThanOrEqual(1000 + 1024);
    expect(meters.hit(meter, 'victim').hits).toBe(6);
    // About 49 attackers stand in each shared bucket: a flood is counted, not waved through.
    expect(meters.hit(meter, 'attacker-49999').hits).toBeGreaterThan(10);
    expect(events.all).toMatchObject([{ type: 'rate-limit.overflowed', limit: 'test', maxKeys: 1000 }]);
    clock.advance(120_000);
    expect(meters.hit(meter, 'newcomer').hits).toBe(1);
    expect(meters.size).toBe(1);
  });

  test('a clock that is set back gives nothing twice', () => {
    let now = 1_000_000;
    const clock = { now: () => now, monotonic: () => now };
    const meter = rateMeter('test', { count: 1, perMs: 1000 }, 4, 'test');
    const meters = new MemoryMeters([meter], {
      maxKeys: 100,
      clock,
      seed: [7, 8],
      onOverflow: () => undefined,
    });
    const admitted = (times: number): number => {
      let passed = 0;
      for (let i = 0; i < times; i++)
        if (meters.take([{ meter, key: 'ann', tag: 'ann', cost: 1, limit: 5 }])[0]!.admitted) passed++;
      return passed;
    };
    expect(admitted(4)).toBe(4);
    now -= 1000;
    expect(admitted(10)).toBe(1);
    // This second has run out before.
    now += 1000;
    expect(admitted(10)).toBe(0);
    now += 1000;
    expect(admitted(10)).toBe(1);
  });

  test('a window ends on time, whichever generation its key is in', () => {
    const clock = handClock();
    const counter = memoryLimits({ clock }).open(policy());
    clock.advance(59_000); // Just before the generations change.
    expect(counter.increment('a')).toEqual({ hits: 1, ttlMs: 60_000 });
    clock.advance(2_000);
    expect(counter.increment('a')).toEqual({ hits: 2, ttlMs: 58_000 });
    clock.advance(57_999);
    expect(counter.increment('a')).toMatchObject({ hits: 3 });
    clock.advance(1);
    expect(counter.increment('a')).toEqual({ hits: 1, ttlMs: 60_000 });
  });

  test('equals a naive model over 20,000 random hits, undos and pauses', () => {
    const clock = handClock();
    const counter = memoryLimits({ clock }).open(policy());
    const model = new Map<string, { hits: number; endsAt: number }>();
    let seed = 42;
    const chance = (n: number) => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n;
    for (let i = 0; i < 20_000; i++) {
      clock.advance(chance(4) === 0 ? chance(20_000) : 1);
      const key = `k${chance(20)}`;
      let entry = model.get(key);
      const alive = entry !== undefined && entry.endsAt > clock.monotonic();
      if (chance(10) === 0) {
        void counter.undo(key);
        if (alive && entry!.hits > 0) entry!.hits--;
        continue;
      }
      if (!alive) model.set(key, (entry = { hits: 0, endsAt: clock.monotonic() + 60_000 }));
      entry!.hits++;
      expect(counter.increment(key)).toEqual({ hits: entry!.hits, ttlMs: entry!.endsAt - clock.monotonic() });
    }
  });
});

describe('a wrong configuration does not start', () => {
  const good: RateLimitOptions = { name: 'api', limit: 10, window: '1m' };
  test.each([
    ['no name', { name: undefined }, 'E_OPTION_REQUIRED'],
    ['a name that is no token', { name: 'Api "x"' }, 'E_OPTION_VALUE'],
    ['a limit of 0', { limit: 0 }, 'E_OPTION_RANGE'],
    ['a limit that is text', { limit: '10' }, 'E_OPTION_TYPE'],
    ['a window of 1 ms', { window: 1 }, 'E_OPTION_RANGE'],
    ['a window without a unit', { window: '15' }, 'E_OPTION_TYPE'],
    ['a misspelt key', { by: 'adress' }, 'E_OPTION_VALUE'],
    ['a misspelt option', { windowMs: 60_000 }, 'E_OPTION_UNKNOWN'],
    ['a network with host bits', { allow: ['10.1.2.3/8'] }, 'E_OPTION_VALUE'],
    ['everybody allowed', { allow: ['127.0.0.1', '0.0.0.0/0'] }, 'E_OPTION_VALUE'],
    ['everybody allowed, version 6', { allow: ['::/0'] }, 'E_OPTION_VALUE'],
    ['a store that is none', { store: {} }, 'E_OPTION_TYPE'],
    ['an unknown outage behaviour', { onStoreDown: 'allow' }, 'E_OPTION_VALUE'],
  ])('%s', (_what, wrong, code) => {
    expect(() => rateLimit({ ...good, ...wrong } as never)).toThrow(expect.objectContaining({ code }));
  });

  test('the stage tag says what is limited', () => {
    expect(stageOf(rateLimit(good))).toEqual({ kind: 'limit', name: 'rateLimit', detail: 'api 10/1m' });
  });
});
