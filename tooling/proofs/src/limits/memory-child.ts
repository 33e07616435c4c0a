// One engine in a process of its own: how much memory so many keys take, or how many cells of its tables one call touches.
import type { Charge, LimitStore, RateMeter } from '@portcullis/rate-limit';

export type Engine = 'window' | 'rate' | 'redis' | 'swept' | 'express-rate-limit' | 'rate-limiter-flexible';

export interface Filled {
  readonly mib: number;
  /** After as many further keys. */
  readonly moreMib: number;
  readonly longestMs: number;
  readonly overflows: number;
  /** Of 1,000 keys that were there before the bound. */
  readonly forgotten: number;
}

export interface Worked {
  readonly worst: number;
  readonly mean: number;
  readonly worstAtEnd: number;
}

/** Counts one request of a key; says what stands there then. */
type Hit = (key: string) => number | Promise<number>;

const [what, engine, amount] = process.argv.slice(2) as ['fill' | 'work', Engine, string];
const keys = Number(amount);
const WINDOW_MS = 60_000;

/** Cells that the tables have read or written. */
let touched = 0;
if (what === 'work') countCells();
// Loaded when cells are counted already.
const { memoryLimits, rateLimit } = await import('@portcullis/rate-limit');

let offsetMs = 0;
const clock = { now: () => performance.now() + offsetMs, monotonic: () => performance.now() + offsetMs };
let overflows = 0;
const events = {
  emit: ({ type }: { readonly type: string }) => void (overflows += type === 'rate-limit.overflowed' ? 1 : 0),
} as never;

const hit = await openEngine();
process.send!(what === 'fill' ? await fill() : await work());

async function fill(): Promise<Filled> {
  for (let i = 0; i < 1000; i++) await hit(`a:198.51.100.${i}`);
  const before = held();
  const longestMs = await ask(0, keys - 1000);
  const mib = held() - before;
  await ask(keys, 2 * keys);
  const moreMib = held() - before;
  let forgotten = 0;
  for (let i = 0; i < 1000; i++) if ((await hit(`a:198.51.100.${i}`)) !== 2) forgotten++;
  return { mib, moreMib, longestMs, overflows, forgotten };
}

async function work(): Promise<Worked> {
  let [worst, sum] = [0, 0];
  for (let i = 0; i < keys; i++) {
    touched = 0;
    await hit(addressOf(i));
    worst = Math.max(worst, touched);
    sum += touched;
  }
  offsetMs += 2 * WINDOW_MS;
  let worstAtEnd = 0;
  for (let i = 0; i < 1000; i++) {
    touched = 0;
    await hit(addressOf(i));
    worstAtEnd = Math.max(worstAtEnd, touched);
  }
  return { worst, mean: sum / keys, worstAtEnd };
}

/** The longest call in milliseconds. */
async function ask(from: number, to: number): Promise<number> {
  let longestMs = 0;
  for (let i = from; i < to; i++) {
    const key = addressOf(i);
    const began = performance.now();
    const answer = hit(key);
    longestMs = Math.max(longestMs, performance.now() - began);
    if (answer instanceof Promise) await answer;
  }
  return longestMs;
}

function addressOf(i: number): string {
  return `a:${10 + (i >>> 24)}.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`;
}

/** MiB that are held now. */
function held(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
}

async function openEngine(): Promise<Hit> {
  if (engine === 'express-rate-limit') {
    const { MemoryStore } = await import('express-rate-limit');
    const store = new MemoryStore();
    store.init({ windowMs: 3_600_000 } as never);
    return async (key) => (await store.increment(key)).totalHits;
  }
  if (engine === 'rate-limiter-flexible') {
    const { RateLimiterMemory } = await import('rate-limiter-flexible');
    const limiter = new RateLimiterMemory({ points: 1_000_000, duration: 3600 });
    return async (key) => (await limiter.consume(key)).consumedPoints;
  }
  if (engine === 'swept') return sweptTable();
  if (engine === 'redis') {
    const { redisLimits } = await import('@portcullis/rate-limit/redis');
    return ofMeters(
      redisLimits(obligingRedis(), { maxKeys: keys, clock, timeoutMs: '10s', slowMs: '10s' }),
      10,
    );
  }
  const store = memoryLimits({ maxKeys: keys, clock });
  if (engine === 'rate') return ofMeters(store, 1);
  const counter = store.open({ name: 'proof', windowMs: WINDOW_MS, onStoreDown: 'local', events });
  return async (key) => (await counter.increment(key)).hits;
}

/** A rate of one a minute with room for ten, whose meter is that of the product. */
function ofMeters(store: LimitStore, lease: number): Hit {
  let meter: RateMeter | undefined;
  const probe = {
    kind: 'probe',
    shared: false,
    open: () => undefined as never,
    meters: (policy: { meters: readonly unknown[] }) => {
      meter = policy.meters[0] as RateMeter;
      return undefined as never;
    },
  };
  rateLimit({ name: 'proof', rate: '1/min', burst: 9, store: probe });
  const meters = store.meters!({ name: 'proof', meters: [meter!], lease, onStoreDown: 'local', events });
  return async (key) => {
    const charge: Charge = { meter: meter!, key, tag: key, cost: 1, limit: 10 };
    const [reading] = await meters.take([charge]);
    return reading!.used;
  };
}

/** Answers every script as Redis does for a key that asks for the first time: its request, and five permits ahead. */
function obligingRedis() {
  const unit = 60_000_000;
  const answer = [1, 6 * unit, 0, 6 * unit, 0, 6, 0, 0].map(String);
  return { call: async () => answer };
}

/** The control: a map that is looked through when its time has come. */
function sweptTable(): Hit {
  const table = new Map<string, { hits: number; readonly endsAt: number }>();
  let sweepAt = clock.now() + WINDOW_MS;
  return (key) => {
    const now = clock.now();
    if (now >= sweepAt) {
      for (const [there, { endsAt }] of table) {
        touched++;
        if (endsAt <= now) table.delete(there);
      }
      sweepAt = now + WINDOW_MS;
    }
    touched++;
    const entry = table.get(key) ?? { hits: 0, endsAt: now + WINDOW_MS };
    table.set(key, entry);
    return ++entry.hits;
  };
}

/** From now on the typed arrays that the tables are made of count what is read and written. */
function countCells(): void {
  const counting: ProxyHandler<Uint32Array | Float64Array> = {
    get(array, name) {
      touched++;
      return Reflect.get(array, name, array) as unknown;
    },
    set(array, name, value) {
      touched++;
      return Reflect.set(array, name, value, array);
    },
  };
  for (const name of ['Uint32Array', 'Float64Array'] as const) {
    const counted = new Proxy(globalThis[name], {
      construct: (target, given: [number]) => new Proxy(new target(...given), counting),
    });
    Object.assign(globalThis, { [name]: counted });
  }
}
