import { expect, test } from '@jest/globals';
import { createBreaker, type BreakerOptions } from '../src/breaker.js';
import { handClock } from './support.js';

/** Calls that end when the test says so, and a clock that it moves. */
function bench(options: Partial<BreakerOptions> = {}) {
  const clock = handClock();
  const states: string[] = [];
  const probes: { ok(): void; fail(): void }[] = [];
  const breaker = createBreaker({
    timeoutMs: 2000,
    slowMs: 1000,
    probeEveryMs: 100,
    clock,
    probe: () =>
      new Promise((resolve, reject) =>
        probes.push({ ok: () => resolve(1), fail: () => reject(new Error('down')) }),
      ),
    onReturn: async () => undefined,
    onOpen: (reason) => void states.push(reason),
    onClose: (afterMs) => void states.push(`closed after ${afterMs}`),
    ...options,
  });
  const code = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      (value) => value,
      (error: { code?: string }) => error.code,
    );
  return {
    clock,
    states,
    probes,
    breaker,
    ask: () => code(breaker(async () => 'answer')),
    fails: () => code(breaker(() => Promise.reject(new Error('down')))),
    hangs: () => code(breaker(() => new Promise(() => undefined))),
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

test('the first failure frees everybody who waits, and is told once', async () => {
  const { hangs, fails, states } = bench();
  const waiting = Array.from({ length: 50 }, hangs);
  expect(await fails()).toBe('E_STORE_UNAVAILABLE');
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['E_STORE_UNAVAILABLE']));
  expect(states).toEqual(['error']);
});

test('one call that waits the time-out is enough: those who came later wait less', async () => {
  const { breaker, hangs, states } = bench({ timeoutMs: 50 });
  const first = hangs();
  const later = breaker(() => new Promise(() => undefined)).catch((error: { code: string }) => error.code);
  expect(await Promise.all([first, later])).toEqual(['E_STORE_TIMEOUT', 'E_STORE_UNAVAILABLE']);
  expect(states).toEqual(['timeout']);
});

test('while it is open nothing is called, and one probe at a time runs, not before its time', async () => {
  const { clock, fails, ask, probes, settled, breaker } = bench();
  await fails();
  let called = 0;
  const count = (): Promise<unknown> => breaker(async () => called++).catch(() => undefined);
  await count();
  clock.advance(99);
  await count();
  expect([called, probes.length]).toEqual([0, 0]);
  clock.advance(1);
  for (let i = 0; i < 20; i++) await count();
  expect([called, probes.length]).toEqual([0, 1]);
  probes[0]!.fail();
  await settled();
  await count();
  expect(probes).toHaveLength(1);
  clock.advance(100);
  await count();
  expect(probes).toHaveLength(2);
  probes[1]!.ok();
  await settled();
  expect(await ask()).toBe('answer');
});

test('nobody is let through before the store has been told what happened', async () => {
  let told!: () => void;
  const { clock, fails, ask, probes, states, settled } = bench({
    onReturn: () => new Promise((resolve) => (told = resolve)),
  });
  await fails();
  clock.advance(100);
  await ask();
  probes[0]!.ok();
  await settled();
  expect(await ask()).toBe('E_STORE_UNAVAILABLE');
  told();
  await settled();
  expect(await ask()).toBe('answer');
  expect(states).toEqual(['error', 'closed after 100']);
});

test('a store that cannot be told stays away', async () => {
  const { clock, fails, ask, probes, states, settled } = bench({
    onReturn: () => Promise.reject(new Error('down')),
  });
  await fails();
  clock.advance(100);
  await ask();
  probes[0]!.ok();
  await settled();
  expect(await ask()).toBe('E_STORE_UNAVAILABLE');
  expect(states).toEqual(['error']);
});

test('a store that comes and goes is asked less and less often, up to 30 times; one that stays is asked at once again', async () => {
  const { clock, fails, ask, probes, settled } = bench();
  /** Milliseconds until the next probe begins. */
  const patience = async (): Promise<number> => {
    const before = probes.length;
    for (let waited = 0; ; waited += 50) {
      await ask();
      if (probes.length > before) return waited;
      clock.advance(50);
    }
  };
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    await fails();
    waits.push(await patience());
    probes.at(-1)!.ok();
    await settled();
  }
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3000, 3000]);
  clock.advance(10 * 3000);
  await fails();
  expect(await patience()).toBe(100);
});

test('calls that are slow in the running average open it; a single slow one does not', async () => {
  const { clock, breaker, states } = bench();
  const slow = (ms: number): Promise<unknown> =>
    breaker(async () => {
      clock.advance(ms);
      return 'answer';
    });
  await slow(9000);
  for (let i = 0; i < 30; i++) await slow(0);
  expect(states).toEqual([]);
  for (let i = 0; i < 6; i++) expect(await slow(2000)).toBe('answer');
  expect(states).toEqual([]);
  await slow(2000);
  expect(states).toEqual(['slow']);
});

test('a probe that is too slow does not close it', async () => {
  const { clock, fails, ask, probes, settled } = bench();
  await fails();
  clock.advance(100);
  await ask();
  clock.advance(1001);
  probes[0]!.ok();
  await settled();
  expect(await ask()).toBe('E_STORE_UNAVAILABLE');
});
