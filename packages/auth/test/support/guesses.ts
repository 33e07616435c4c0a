import { expect, test } from '@jest/globals';
import { parseAddress } from '@portcullis/core';
import { createLockout, type GuessStore } from '../../src/index.js';

export const at = (text: string) => ({ address: parseAddress(text) });

/** What every store of guesses has to do. */
export function guessStoreClaims(make: () => GuessStore): void {
  test('guesses of many callers at once: each step is taken once', async () => {
    const budget = createLockout({ store: make() });
    const account = `at-once-${Math.floor(performance.now() * 1000)}`;
    const takes = await Promise.all(
      Array.from({ length: 40 }, (_, n) => budget.take({ account, ...at(`10.${n}.0.1`) })),
    );
    // Twenty are free and one begins the waits.
    expect(takes.filter((one) => one.allowed)).toHaveLength(21);
    expect(takes.filter((one) => one.allowed && one.locks)).toHaveLength(1);
  });

  test('right passwords of callers without a network use up nothing', async () => {
    const budget = createLockout({ store: make(), perAccount: 10 });
    const account = `inside-${Math.floor(performance.now() * 1000)}`;
    for (let n = 0; n < 30; n++) {
      expect(await budget.take({ account })).toMatchObject({ allowed: true, locks: false });
      await budget.succeeded({ account });
    }
  });

  test('a right password gives back what its network has spent, and nothing of others', async () => {
    const budget = createLockout({ store: make(), perAccount: 10 });
    const account = `back-${Math.floor(performance.now() * 1000)}`;
    const home = { account, ...at('192.0.2.1') };
    for (let n = 0; n < 6; n++) await budget.take({ account, ...at(`10.${n}.0.1`) });
    for (let n = 0; n < 4; n++) expect(await budget.take(home)).toMatchObject({ allowed: true });
    await budget.succeeded(home);
    for (let n = 0; n < 4; n++)
      expect(await budget.take(home)).toMatchObject({ allowed: true, locks: false });
    expect(await budget.take({ account, ...at('10.9.0.1') })).toMatchObject({ allowed: true, locks: true });
    expect(await budget.take(home)).toMatchObject({ allowed: false, by: 'account' });
  });
}
