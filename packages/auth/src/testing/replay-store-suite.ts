import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { ReplayStore } from '../transport/replay-store.js';
import type { StoreSuiteOptions } from './session-store-suite.js';
import { globalsOf } from './globals.js';

/** Every claim of {@link ReplayStore}, for any implementation. Ids are new ones, so a store may be shared. */
export function replayStoreSuite(
  name: string,
  makeStore: () => ReplayStore | Promise<ReplayStore>,
  options: StoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`ReplayStore: ${name}`, () => {
    test('of 50 uses at once one is the first, and none is later', async () => {
      const store = await makeStore();
      const id = randomUUID();
      const uses = await Promise.all(Array.from({ length: 50 }, () => store.firstUse(id, 60_000)));
      assert.equal(uses.filter(Boolean).length, 1);
      assert.equal(await store.firstUse(id, 60_000), false);
    });

    test('other ids are other ids, whatever is in them', async () => {
      const store = await makeStore();
      const id = randomUUID();
      for (const other of ['', ' ', '\u00e9', "'", 'x'.repeat(10_000), '\u{1f510}'])
        assert.equal(await store.firstUse(`${id}${other}`, 60_000), true, JSON.stringify(other.slice(0, 10)));
    });

    test('after its time an id may be used again, once', async () => {
      const store = await makeStore();
      const id = randomUUID();
      assert.equal(await store.firstUse(id, 1), true);
      const first = await new Promise<number>((resolve, reject) => {
        let tries = 0;
        const again = (): void => {
          store
            .firstUse(id, 60_000)
            .then((is) => (is ? resolve(tries) : void (tries++, setTimeout(again, 5))), reject);
        };
        setTimeout(again, 5);
      });
      assert.ok(first >= 0);
      assert.equal(await store.firstUse(id, 60_000), false);
    });
  });
}
