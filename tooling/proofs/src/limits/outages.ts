import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createEvents } from '@portcullis/core';
import { rateLimit, type RateLimitMiddleware } from '@portcullis/rate-limit';
import { redisLimits } from '@portcullis/rate-limit/redis';
import { startProxy, startRedis, type RedisServer, type TcpProxy } from '@portcullis/test-support/servers';
import { rateLimit as expressRateLimit } from 'express-rate-limit';
import { Redis } from 'ioredis';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { ask, type Handler } from './admits.js';
import { control, type Claim, type Section } from './claim.js';

const TIMEOUT_MS = 100;
const SLOW_MS = 50;
const PROBE_MS = 200;
/** What each key may do; the busy ones ask for more. */
const LIMIT = 60;
const KEYS = 24;
const LEASE = 6;

interface House {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
}

/** Something that happens to Redis; resolves when it is over. */
interface Fault {
  readonly name: string;
  /** Whether connections break, so that nobody can know whether Redis has carried out what was under way. */
  readonly cuts?: true;
  /** Part of the short form. */
  readonly brief?: true;
  run(house: House, forMs: number): Promise<void>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const FAULTS: readonly Fault[] = [
  {
    name: 'hung (SIGSTOP)',
    brief: true,
    async run({ server }, forMs) {
      server.pause();
      await pause(forMs);
      server.resume();
    },
  },
  {
    name: 'dead (SIGKILL, port closed, restarted empty)',
    cuts: true,
    async run({ server }, forMs) {
      await server.kill();
      await pause(forMs);
      await server.restart();
    },
  },
  {
    name: `slow (answers ${2.5 * TIMEOUT_MS} ms late, the time-out is ${TIMEOUT_MS} ms)`,
    brief: true,
    async run({ proxy }, forMs) {
      proxy.delayAnswers(2.5 * TIMEOUT_MS);
      await pause(forMs);
      proxy.delayAnswers(0);
    },
  },
  {
    name: `slow within the time-out (answers ${1.5 * SLOW_MS} ms late, slow is ${SLOW_MS} ms)`,
    async run({ proxy }, forMs) {
      proxy.delayAnswers(1.5 * SLOW_MS);
      await pause(forMs);
      proxy.delayAnswers(0);
    },
  },
  {
    name: 'flapping (connections cut and mended every 150 ms)',
    brief: true,
    cuts: true,
    async run({ proxy }, forMs) {
      for (const end = performance.now() + forMs; performance.now() < end;) {
        proxy.cut();
        await pause(150);
        proxy.mend();
        await pause(150);
      }
    },
  },
  {
    name: 'flapping (stopped and resumed every 150 ms)',
    async run({ server }, forMs) {
      for (const end = performance.now() + forMs; performance.now() < end;) {
        server.pause();
        await pause(150);
        server.resume();
        await pause(150);
      }
    },
  },
];

/** One kind of limit, and how many requests Redis has counted for a key. */
interface Kind {
  readonly name: string;
  readonly limit: RateLimitMiddleware;
  counted(client: Redis, ip: string): Promise<number>;
  /** What Redis should have counted: refused requests stay in a window of express-rate-limit, not in a rate. */
  expected(asked: number, admitted: number): number;
  /** Permits that were paid for and not used. */
  readonly unused: number;
}

interface Traffic {
  readonly asked: Map<string, number>;
  readonly admitted: Map<string, number>;
  /** Requests that began while the breaker was open, and those of them that waited for anything. */
  whileOpen: number;
  waitedWhileOpen: number;
  /** Requests that waited for at least the time-out. */
  stuck: number;
  /** For how many openings of the breaker requests had been waiting for the time-out. */
  readonly batches: Set<number>;
  longestMs: number;
  errors: number;
  unanswered: number;
}

/** All keys ask, one of them much more often; requests do not wait for each other. */
function startTraffic(handlers: readonly Handler[], state: { open: boolean; openings: number }) {
  const traffic: Traffic = {
    asked: new Map(),
    admitted: new Map(),
    whileOpen: 0,
    waitedWhileOpen: 0,
    stuck: 0,
    batches: new Set(),
    longestMs: 0,
    errors: 0,
    unanswered: 0,
  };
  const more = (of: Map<string, number>, key: string): void => void of.set(key, (of.get(key) ?? 0) + 1);
  let turn = 0;
  const over = new AbortController();
  const pending = new Set<Promise<void>>();

  async function one(ip: string): Promise<void> {
    const { open, openings } = state;
    const began = performance.now();
    more(traffic.asked, ip);
    traffic.unanswered++;
    if (open) traffic.whileOpen++;
    // Whoever has no answer when the event loop has turned once has waited for a timer or for input.
    let [settled, waited] = [false, false];
    setImmediate(() => (waited = !settled));
    const answer = await ask(handlers, ip).catch(() => undefined);
    settled = true;
    traffic.unanswered--;
    const tookMs = performance.now() - began;
    traffic.longestMs = Math.max(traffic.longestMs, tookMs);
    if (answer === undefined) traffic.errors++;
    if (answer === true) more(traffic.admitted, ip);
    if (open && waited) traffic.waitedWhileOpen++;
    // Measured at the breaker, not by the clock: it opened, or was opened by this one, while it waited.
    if (!open && state.openings > openings) {
      traffic.stuck++;
      traffic.batches.add(state.openings);
    }
  }

  const loop = (async () => {
    while (!over.signal.aborted) {
      turn++;
      for (const ip of [`198.51.100.${turn % KEYS}`, '203.0.113.9']) {
        const asking = one(ip).finally(() => pending.delete(asking));
        pending.add(asking);
      }
      await pause(4);
    }
  })();
  return {
    traffic,
    async stop(forMs = 10_000) {
      over.abort();
      await loop;
      await Promise.race([Promise.all(pending), pause(forMs)]);
    },
  };
}

function kindsOf(store: ReturnType<typeof redisLimits>, events: ReturnType<typeof createEvents>): Kind[] {
  const common = { store, events };
  const rate = { rate: '1/h', burst: LIMIT - 1, ...common };
  const held = async (client: Redis, name: string, ip: string): Promise<number> => {
    const text = await client.get(`portcullis:limit:${name}:r3600000000-1-${LIMIT - 1}:{a:${ip}}:a:${ip}`);
    return Math.ceil(Number(text?.split(':')[0] ?? 0) / 3_600_000_000);
  };
  return [
    {
      name: 'window',
      limit: rateLimit({ name: 'window', limit: LIMIT, window: '1h', ...common }),
      counted: async (client, ip) => Number(await client.get(`portcullis:limit:window:3600000:a:${ip}`)),
      expected: (asked) => asked,
      unused: 0,
    },
    {
      name: 'strict rate',
      limit: rateLimit({ name: 'strict', strict: true, ...rate }),
      counted: (client, ip) => held(client, 'strict', ip),
      expected: (_asked, admitted) => admitted,
      unused: 0,
    },
    {
      name: 'rate with permits',
      limit: rateLimit({ name: 'lease', lease: LEASE, ...rate }),
      counted: (client, ip) => held(client, 'lease', ip),
      expected: (_asked, admitted) => admitted,
      unused: LEASE,
    },
  ];
}

/** Code that runs for the first time is slow: it must not look like a slow Redis. Other keys ask meanwhile. */
async function warmUp(kinds: readonly Kind[], state: { readonly open: boolean }): Promise<void> {
  for (let turn = 0; turn < 200 || state.open; turn++) {
    await Promise.all(kinds.map(({ limit }) => ask([limit as unknown as Handler], `192.0.2.${turn % 250}`)));
    await pause(2);
  }
}

/** `mute`: what Redis is told after the outage does not reach it. */
async function ours(fault: Fault, forMs: number, mute = false): Promise<Claim[]> {
  const server = await startRedis();
  const proxy = await startProxy(server.port);
  const client = new Redis({ port: proxy.port, host: '127.0.0.1', retryStrategy: () => 50 });
  client.on('error', () => undefined);
  const events = createEvents();
  const log: { readonly type: string; readonly reason?: string }[] = [];
  const state = { open: false, openings: 0 };
  let probes = 0;
  const lost = new Set<Promise<unknown>>();
  let broken = 0;
  events.on('*', (event) => {
    if (event.type !== 'rate-limit.degraded' && event.type !== 'rate-limit.restored') return;
    log.push(event);
    state.open = event.type === 'rate-limit.degraded';
    if (state.open) state.openings++;
  });
  client.on('close', () => (broken += lost.size));
  const watched = {
    get status() {
      return client.status;
    },
    call(command: string, ...args: string[]) {
      if (command === 'SET' && args[0]!.endsWith('probe')) probes++;
      else if (mute && state.open && command.startsWith('EVAL'))
        return Promise.resolve(Array.from({ length: 4 * Number(args[1]) }, () => '0'));
      const call = client.call(command, ...args);
      lost.add(call);
      call.finally(() => lost.delete(call)).catch(() => undefined);
      return call;
    },
  };
  const store = redisLimits(watched, { timeoutMs: TIMEOUT_MS, slowMs: SLOW_MS, probeEveryMs: PROBE_MS });
  const claims: Claim[] = [];
  try {
    const kinds = kindsOf(store, events);
    await warmUp(kinds, state);
    log.length = state.openings = probes = broken = 0;
    const lateness = monitorEventLoopDelay({ resolution: 1 });
    lateness.enable();
    const running = kinds.map((kind) => ({
      kind,
      ...startTraffic([kind.limit as unknown as Handler], state),
    }));
    await pause(400);
    const began = performance.now();
    await fault.run({ server, proxy }, forMs);
    for (const end = performance.now() + 20_000; state.open && performance.now() < end;) await pause(20);
    const tookMs = performance.now() - began;
    await pause(600);
    for (const { stop } of running) await stop();
    // Answers that nobody waits for any more still come in.
    await pause(4 * TIMEOUT_MS);
    lateness.disable();
    const lateMs = lateness.max / 1e6;
    const longestMs = Math.max(...running.map(({ traffic }) => traffic.longestMs));
    const total = (of: (traffic: Traffic) => number): number =>
      running.reduce((sum, { traffic }) => sum + of(traffic), 0);

    const alternate = log.every(({ type }, i) => type.endsWith(i % 2 === 0 ? 'degraded' : 'restored'));
    claims.push({
      what: `${fault.name}: one event a change of state`,
      measured: `${log.length} events, ${log.map(({ type, reason }) => (type.endsWith('restored') ? 'restored' : reason)).join(', ')}; ${probes} probes in ${(tookMs / 1000).toFixed(1)} s`,
      holds:
        alternate &&
        log.length >= 2 &&
        log.length % 2 === 0 &&
        probes <= tookMs / PROBE_MS + 1 + state.openings,
    });
    claims.push({
      what: `${fault.name}: while the breaker is open no request waits`,
      measured: `${total((t) => t.whileOpen)} requests began while it was open, ${total((t) => t.waitedWhileOpen)} waited`,
      holds: total((t) => t.whileOpen) > forMs / 10 && total((t) => t.waitedWhileOpen) === 0,
    });
    const batches = new Set(running.flatMap(({ traffic }) => [...traffic.batches]));
    claims.push({
      what: `${fault.name}: at most one batch waits for an opening`,
      measured: `${total((t) => t.stuck)} requests waited, in ${batches.size} batches for ${state.openings} openings; the longest ${Math.round(longestMs)} ms, the event loop was late by ${Math.round(lateMs)} ms at most; ${total((t) => t.errors)} errors, ${total((t) => t.unanswered)} without answer`,
      holds:
        batches.size <= state.openings && total((t) => t.errors) === 0 && total((t) => t.unanswered) === 0,
    });
    const direct = new Redis(server.url);
    try {
      for (const { kind, traffic } of running) {
        let [over, requests, passed, different, most, least] = [0, 0, 0, 0, 0, 0];
        for (const [ip, asked] of traffic.asked) {
          const admitted = traffic.admitted.get(ip) ?? 0;
          requests += asked;
          passed += admitted;
          over += Math.max(0, admitted - LIMIT);
          const off = (await kind.counted(direct, ip)) - kind.expected(asked, admitted);
          if (off !== 0) different++;
          most = Math.max(most, off);
          least = Math.min(least, off);
        }
        claims.push({
          what: `${fault.name}: ${kind.name}: the limit holds`,
          measured: `${requests} requests, ${passed} admitted, ${over} beyond the limit of a key`,
          holds: over === 0 && passed > LIMIT,
        });
        const unknown = fault.cuts ? broken : 0;
        claims.push({
          what: `${fault.name}: ${kind.name}: Redis has counted what was ${kind.name === 'window' ? 'asked' : 'admitted'}`,
          measured: `${traffic.asked.size} keys, ${different} differ${different === 0 ? '' : ` (by ${least} to ${most})`}${fault.cuts ? `; ${broken} calls were under way when connections broke` : ''}`,
          holds:
            least === 0 && most <= kind.unused + unknown && (kind.unused + unknown > 0 || different === 0),
        });
      }
    } finally {
      direct.disconnect();
    }
  } finally {
    client.disconnect();
    proxy.stop();
    await server.stop();
  }
  return claims;
}

/** express-rate-limit and rate-limit-redis on ioredis, as the README of rate-limit-redis has them. */
async function readme(fault: Fault, forMs: number): Promise<Claim> {
  const server = await startRedis();
  const proxy = await startProxy(server.port);
  const client = new Redis(proxy.port, '127.0.0.1');
  client.on('error', () => undefined);
  try {
    const limiter = expressRateLimit({
      windowMs: 15 * 60 * 1000,
      max: LIMIT,
      standardHeaders: true,
      legacyHeaders: false,
      store: new RedisStore({
        sendCommand: (command: string, ...args: string[]) =>
          client.call(command, ...args) as Promise<RedisReply>,
      }),
    });
    const state = { open: false, openings: 0 };
    const { traffic, stop } = startTraffic([limiter as unknown as Handler], state);
    await pause(400);
    const before = traffic.whileOpen;
    // What ours is asked while its breaker is open.
    await Promise.all([
      fault.run({ server, proxy }, forMs),
      pause(2 * TIMEOUT_MS).then(() => (state.open = true)),
    ]);
    state.open = false;
    const [asked, unanswered] = [traffic.whileOpen - before, traffic.unanswered];
    await stop(forMs);
    return control(
      `${fault.name}: express-rate-limit and rate-limit-redis as their README has them`,
      `of ${asked} requests during the outage ${traffic.waitedWhileOpen} waited for Redis, the longest ${Math.round(traffic.longestMs)} ms; ${unanswered} had no answer at its end; ${traffic.errors} errors`,
      traffic.waitedWhileOpen > asked / 4,
    );
  } finally {
    client.disconnect();
    proxy.stop();
    await server.stop();
  }
}

export async function proveOutages(_url: string, short: boolean): Promise<Section> {
  const forMs = short ? 800 : 6000;
  const claims: Claim[] = [];
  for (const fault of short ? FAULTS.filter(({ brief }) => brief) : FAULTS) {
    claims.push(...(await ours(fault, forMs)));
    claims.push(await readme(fault, forMs));
  }
  // The controls of the comparison: Redis is not told what happened while it was away.
  for (const { what, measured, holds } of await ours(FAULTS[0]!, forMs, true))
    if (/(window|strict rate): Redis has counted/.test(what))
      claims.push(control(`${what}, but it is told nothing after the outage`, measured, !holds));
  return {
    title: 'Redis in trouble',
    note: `A window, a strict rate and a rate with permits ahead (${LEASE}), each of ${LIMIT} a key, on one store with a time-out of ${TIMEOUT_MS} ms: ${KEYS} keys ask in turn and one more asks all the time, before the outage, during it (${forMs / 1000} s) and after it. A request waited if it had no answer when the event loop had turned once. Afterwards the numbers in Redis are compared with what was admitted key by key; of windows with what was asked, for express-rate-limit counts refused ones too. Of what was under way when a connection broke nobody can know whether Redis has counted it: it may be counted twice, never not at all. Permits that were paid for and not used stay counted until they run out.`,
    claims,
  };
}
