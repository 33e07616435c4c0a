import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, parseAddress } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { createLockout, type LockoutOptions, type GuessStore } from '../src/index.js';
import { createLadder, type LadderRules } from '../src/guesses/ladder.js';

const HOUR = 3_600_000;
const at = (text: string) => ({ address: parseAddress(text) });

/** The store, and how often something was counted in it. */
function counting() {
  const clock = manualClock();
  const inner = createMemoryStore({ clock });
  const seen = { increments: 0 };
  const store: GuessStore = {
    get: (key) => inner.get(key),
    set: (key, value, options) => inner.set(key, value, options),
    delete: (key) => inner.delete(key),
    increment: (key, by, options) => (seen.increments++, inner.increment(key, by, options)),
  };
  return { clock, store, seen };
}

describe('a ladder of waits', () => {
  const rules: LadderRules = { free: 2, restMs: 1_000, maxRestMs: 6_000, most: 8, windowMs: 24 * HOUR };
  function kit(change: Partial<LadderRules> = {}) {
    const { clock, store, seen } = counting();
    return { clock, seen, ladder: createLadder(store, 'test', { ...rules, ...change }) };
  }
  const free = { judged: true, begins: false };
  const resting = { judged: false, begins: false };

  test('judges what is free, then waits that double up to the longest, and in the end a whole window', async () => {
    const { ladder, clock } = kit();
    expect(await ladder.take('a')).toEqual(free);
    expect(await ladder.take('a')).toEqual(free);
    expect(await ladder.resting('a')).toBe(false);
    for (const [n, wait] of [1_000, 2_000, 4_000, 6_000, 6_000, 24 * HOUR].entries()) {
      expect(await ladder.take('a')).toEqual({ judged: true, begins: n === 0 });
      expect(await ladder.resting('a')).toBe(true);
      clock.advance(wait - 1);
      expect(await ladder.take('a')).toEqual(resting);
      clock.advance(1);
    }
    expect(await ladder.take('a')).toEqual(free);
    expect(await ladder.take('b')).toEqual(free);
  });

  test('counts nothing while it rests', async () => {
    const { ladder, clock, seen } = kit({ free: 1 });
    await ladder.take('a');
    await ladder.take('a');
    expect(seen.increments).toBe(2);
    for (let n = 0; n < 5; n++) expect(await ladder.take('a')).toEqual(resting);
    expect(seen.increments).toBe(2);
    clock.advance(1_000);
    expect(await ladder.take('a')).toEqual(free);
  });

  test('is judged once at a time: of several that begin a rest one does', async () => {
    const { ladder } = kit({ free: 1 });
    await ladder.take('a');
    const steps = await Promise.all(Array.from({ length: 5 }, () => ladder.take('a')));
    expect(steps.filter(({ judged }) => judged)).toEqual([{ judged: true, begins: true }]);
  });

  test('begins anew when nothing was judged for a window, counted from the last', async () => {
    const { ladder, clock } = kit();
    await ladder.take('a');
    clock.advance(23 * HOUR);
    await ladder.take('a');
    clock.advance(23 * HOUR);
    expect(await ladder.take('a')).toMatchObject({ begins: true });
    clock.advance(24 * HOUR);
    expect(await ladder.take('a')).toEqual(free);
  });

  test('forgets everything when it is cleared: the count, the rest, and that somebody was told', async () => {
    const { ladder } = kit();
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 2; n++) expect(await ladder.take('a')).toEqual(free);
      expect(await ladder.take('a')).toEqual({ judged: true, begins: true });
      expect(await ladder.clear('a')).toBe(3);
    }
    expect(await ladder.clear('a')).toBe(0);
  });

  test('takes back as many as it is given, and writes nothing for none', async () => {
    const { ladder, seen } = kit();
    await ladder.take('a');
    await ladder.take('a');
    await ladder.giveBack('a', 0);
    expect(seen.increments).toBe(2);
    await ladder.giveBack('a', 1);
    expect(await ladder.take('a')).toEqual(free);
    expect(await ladder.take('a')).toMatchObject({ begins: true });
  });
});

describe('a budget of guesses', () => {
  function kit(options: Partial<LockoutOptions> = {}) {
    const { clock, store, seen } = counting();
    return { clock, seen, budget: createLockout({ store, ...options }) };
  }
  const judged = { allowed: true, locks: false };

  test('judges exactly as many of one network as it may, over all accounts, and tells how long the rest waits', async () => {
    const { budget, clock } = kit({ perNetwork: 3 });
    const take = (account: string, address = '192.0.2.1') => budget.take({ account, ...at(address) });
    for (const account of ['a', 'b', 'c']) expect(await take(account)).toEqual(judged);
    clock.advance('5m');
    expect(await take('d')).toEqual({ allowed: false, by: 'network', retryAfterMs: 600_000 });
    expect(await take('d', '192.0.3.1')).toEqual(judged);
    clock.advance('10m');
    expect(await take('d')).toEqual(judged);
  });

  test('a network is an IPv4 /24 or an IPv6 /64, no more and no less', async () => {
    for (const [one, same, other] of [
      ['192.0.2.1', '192.0.2.255', '192.0.3.1'],
      ['2001:db8:0:1::1', '2001:db8:0:1:ffff::', '2001:db8:0:2::1'],
    ] as const) {
      const { budget } = kit({ perNetwork: 1 });
      expect(await budget.take({ account: 'a', ...at(one) })).toEqual(judged);
      expect(await budget.take({ account: 'b', ...at(same) })).toMatchObject({ by: 'network' });
      expect(await budget.take({ account: 'b', ...at(other) })).toEqual(judged);
    }
  });

  test('what an account does not judge while it rests counts against no network', async () => {
    const { budget, clock, seen } = kit({ perAccount: 1, free: 3 });
    await budget.take({ account: 'a', ...at('10.0.1.1') });
    expect(await budget.take({ account: 'a', ...at('10.0.2.1') })).toEqual({ allowed: true, locks: true });
    const home = { account: 'a', ...at('192.0.2.1') };
    for (let n = 0; n < 5; n++)
      expect(await budget.take(home)).toEqual({ allowed: false, by: 'account', retryAfterMs: 30_000 });
    clock.advance('30s');
    seen.increments = 0;
    expect(await budget.take(home)).toEqual(judged);
    // Network, pair, account.
    expect(seen.increments).toBe(3);
  });

  test('who waits as a pair is told so, with the first wait', async () => {
    const { budget } = kit({ free: 1, rest: '45s' });
    const home = { account: 'a', ...at('192.0.2.1') };
    expect(await budget.take(home)).toEqual(judged);
    expect(await budget.take(home)).toEqual(judged);
    expect(await budget.take(home)).toEqual({ allowed: false, by: 'pair', retryAfterMs: 45_000 });
    expect(await budget.take({ ...home, ...at('192.0.3.1') })).toEqual(judged);
  });

  test('a known device has its own, locks nobody, and begins anew with a right password', async () => {
    const { budget, seen } = kit({ free: 2 });
    const device = { account: 'a', ...at('192.0.2.1'), device: 'd' };
    for (let n = 0; n < 3; n++) expect(await budget.take(device)).toEqual(judged);
    expect(await budget.take(device)).toEqual({ allowed: false, by: 'device', retryAfterMs: 30_000 });
    expect(await budget.take({ ...device, device: 'e' })).toEqual(judged);
    seen.increments = 0;
    await budget.succeeded(device);
    expect(seen.increments).toBe(0);
    for (let n = 0; n < 3; n++) expect(await budget.take(device)).toEqual(judged);
  });

  test('a right password gives its network back what it spent on this account, and nothing else', async () => {
    const { budget } = kit({ perNetwork: 4 });
    const of = (account: string) => ({ account, ...at('192.0.2.1') });
    for (const account of ['a', 'a', 'b']) expect(await budget.take(of(account))).toEqual(judged);
    await budget.succeeded(of('b'));
    // Two are left on a: two more, and not three.
    for (const account of ['c', 'd']) expect(await budget.take(of(account))).toEqual(judged);
    expect(await budget.take(of('e'))).toMatchObject({ allowed: false, by: 'network' });
  });

  test('a right password gives the account back what its network spent, and not what others did', async () => {
    const { budget } = kit({ perAccount: 3 });
    const [home, other] = [
      { account: 'a', ...at('192.0.2.1') },
      { account: 'a', ...at('192.0.3.1') },
    ];
    for (const guess of [home, home, other]) expect(await budget.take(guess)).toEqual(judged);
    await budget.succeeded(home);
    for (let n = 0; n < 2; n++) expect(await budget.take(other)).toEqual(judged);
    expect(await budget.take(other)).toEqual({ allowed: true, locks: true });
  });

  test('where no address is known only the account counts, and a right password gives one guess back', async () => {
    const { budget, seen } = kit({ perAccount: 2 });
    for (let n = 0; n < 2; n++) expect(await budget.take({ account: 'a' })).toEqual(judged);
    expect(seen.increments).toBe(2);
    await budget.succeeded({ account: 'a' });
    expect(await budget.take({ account: 'a' })).toEqual(judged);
    expect(await budget.take({ account: 'a' })).toEqual({ allowed: true, locks: true });
    expect(await budget.take({ account: 'a' })).toMatchObject({ allowed: false, by: 'account' });
  });

  test('a network whose window has passed in the meantime gets no credit for what it spent before', async () => {
    const { budget, clock, seen } = kit({ perNetwork: 2 });
    const of = (account: string) => ({ account, ...at('192.0.2.1') });
    await budget.take(of('a'));
    await budget.take(of('a'));
    clock.advance('15m');
    await budget.succeeded(of('a'));
    for (const account of ['b', 'c']) expect(await budget.take(of(account))).toEqual(judged);
    expect(await budget.take(of('d'))).toMatchObject({ by: 'network' });
    seen.increments = 0;
    await budget.succeeded({ account: 'nobody', ...at('198.51.100.1') });
    expect(seen.increments).toBe(0);
  });

  test('settings that just fit start, and those that do not name the option', () => {
    const { store } = counting();
    for (const options of [
      { rest: '1h', maxRest: '1h' },
      { perAccount: 99, most: 100 },
      { window: '30d' },
    ] as const)
      expect(createLockout({ store, ...options })).toBeDefined();
    for (const [options, option] of [
      [{ rest: '1h', maxRest: 3_599_999 }, 'maxRest'],
      [{ perAccount: 50, most: 50 }, 'perAccount'],
      [{ window: '31d' }, 'window'],
    ] as const) {
      expect(() => createLockout({ store, ...options })).toThrow(
        expect.objectContaining({ option }) as never,
      );
      expect(() => createLockout({ store, ...options }, 'guesses')).toThrow(
        expect.objectContaining({ option: `guesses.${option}` }) as never,
      );
    }
  });
});
