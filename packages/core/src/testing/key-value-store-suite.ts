import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { storeKey, type KeyValueStore, type StoreKey, type StoreScript } from '../key-value-store.js';
import { testGlobals, type TestGlobals } from './globals.js';

export interface KeyValueStoreSuiteOptions {
  readonly globals?: TestGlobals;
  /** Moves the store's time forward; without it the suite really waits, some hundred milliseconds. */
  readonly advance?: (ms: number) => void | Promise<void>;
}

/** Adds `by` unless the sum would exceed `limit`; answers the sum, or -1. */
const addUpTo: StoreScript<[by: number, limit: number], number> = {
  name: 'conformance-add-up-to',
  lua: `
    local sum = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[1])
    if sum > tonumber(ARGV[2]) then return -1 end
    redis.call('SET', KEYS[1], sum)
    redis.call('SET', KEYS[2], 'touched')
    return sum`,
  memory(entries, [sumKey, touchedKey], [by, limit]) {
    const sum = Number(entries.get(sumKey!) ?? '0') + by;
    if (sum > limit) return -1;
    entries.set(sumKey!, String(sum));
    entries.set(touchedKey!, 'touched');
    return sum;
  },
  reply: Number,
};

/** Every claim of {@link KeyValueStore}, for any implementation. Keys are new ones, so a store may be shared. */
export function keyValueStoreSuite(
  name: string,
  makeStore: () => KeyValueStore | Promise<KeyValueStore>,
  options: KeyValueStoreSuiteOptions = {},
): void {
  const { describe, test } = testGlobals(options.globals);
  const advance =
    options.advance ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  const newKey = (): StoreKey => storeKey('conformance', randomUUID());

  describe(`KeyValueStore: ${name}`, () => {
    function claim(title: string, body: (store: KeyValueStore) => Promise<void>): void {
      test(title, async () => body(await makeStore()));
    }

    claim('what was set is read, replaced and deleted', async (store) => {
      const key = newKey();
      assert.equal(await store.get(key), undefined);
      for (const value of ['first', '', '\u00fcn\u00ef\u0000c\u00f8d\u00e9 \u{1f510}', 'x'.repeat(1 << 20)]) {
        assert.equal(await store.set(key, value), true);
        assert.equal(await store.get(key), value);
      }
      assert.equal(await store.delete(key), true);
      assert.equal(await store.delete(key), false);
      assert.equal(await store.get(key), undefined);
    });

    claim('key tuples that look alike are different keys', async (store) => {
      const unique = randomUUID();
      const tuples = [
        ['a', 'bc'],
        ['ab', 'c'],
        ['a', 'b', 'c'],
        ['a:1:b', 'c'],
        ['a}', 'bc'],
        ['a', '{b}c'],
        ['a', 'b\u0000c'],
        ['a', '\ud800'],
        ['a', '\udfff'],
        ['a', '\ufffd'],
        ['', ''],
        [''],
      ].map(([first, ...rest]) => storeKey('conformance', `${unique}${first}`, ...rest));
      for (const [i, key] of tuples.entries()) await store.set(key, String(i));
      for (const [i, key] of tuples.entries()) assert.equal(await store.get(key), String(i));
    });

    claim(
      'an entry is gone when its time is over, and one that was set again without a time stays',
      async (store) => {
        const [brief, renewed] = [newKey(), newKey()];
        await store.set(brief, 'x', { ttlMs: 60 });
        await store.set(renewed, 'x', { ttlMs: 60 });
        await store.set(renewed, 'y');
        assert.equal(await store.get(brief), 'x');
        await advance(120);
        assert.equal(await store.get(brief), undefined);
        assert.equal(await store.get(renewed), 'y');
      },
    );

    claim('of many who set if absent, one wins', async (store) => {
      const key = newKey();
      const wins = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.set(key, String(i), { ifAbsent: true, ttlMs: 60_000 })),
      );
      assert.equal(wins.filter(Boolean).length, 1);
      assert.equal(await store.get(key), String(wins.indexOf(true)));
    });

    claim('of many who take, one gets the value: a token is spent once', async (store) => {
      const key = newKey();
      await store.set(key, 'token', { ttlMs: 60_000 });
      const taken = await Promise.all(Array.from({ length: 20 }, () => store.take(key)));
      assert.deepEqual(
        taken.filter((value) => value !== undefined),
        ['token'],
      );
      assert.equal(await store.take(key), undefined);
    });

    claim('of many who swap the same expected value, one succeeds', async (store) => {
      const key = newKey();
      assert.equal(await store.swap(key, 'nothing', 'x'), false);
      assert.equal(await store.swap(key, undefined, 'a'), true);
      assert.equal(await store.swap(key, undefined, 'b'), false);
      const swaps = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.swap(key, 'a', `next-${i}`)),
      );
      assert.equal(swaps.filter(Boolean).length, 1);
      assert.equal(await store.get(key), `next-${swaps.indexOf(true)}`);
      await store.set(key, '');
      assert.equal(await store.swap(key, undefined, 'c'), false); // Empty is not absent.
      assert.equal(await store.swap(key, '', 'brief', { ttlMs: 60 }), true);
      await advance(120);
      assert.equal(await store.get(key), undefined);
    });

    claim('a counter loses no increment, and is dated from its creation unless extended', async (store) => {
      const key = newKey();
      const counts = await Promise.all(
        Array.from({ length: 50 }, () => store.increment(key, 1, { ttlMs: 60_000 })),
      );
      assert.deepEqual(
        counts.map((count) => count.value).sort((a, b) => a - b),
        Array.from({ length: 50 }, (_, i) => i + 1),
      );
      assert.ok(counts.every((count) => count.ttlMs > 0 && count.ttlMs <= 60_000));
      assert.equal((await store.increment(key, -10, { ttlMs: 60_000 })).value, 40);
      assert.equal(await store.get(key), '40');

      const dated = newKey();
      await store.increment(dated, 1, { ttlMs: 60_000 });
      assert.ok((await store.increment(dated, 1, { ttlMs: 600_000 })).ttlMs <= 60_000);
      assert.ok((await store.increment(dated, 1, { ttlMs: 600_000, extend: true })).ttlMs > 60_000);

      const brief = newKey();
      await store.increment(brief, 7, { ttlMs: 60 });
      await advance(120);
      assert.equal((await store.increment(brief, 1, { ttlMs: 60_000 })).value, 1);
    });

    claim(
      'a counter whose key was set without a time gets one: nobody is locked out for ever',
      async (store) => {
        const key = newKey();
        await store.set(key, '5');
        const count = await store.increment(key, 1, { ttlMs: 60_000 });
        assert.equal(count.value, 6);
        assert.ok(count.ttlMs > 0 && count.ttlMs <= 60_000);
      },
    );

    claim(
      'operations refuse values of another kind with E_STORE_TYPE and leave them alone',
      async (store) => {
        const [text, set, large] = [newKey(), newKey(), newKey()];
        await store.set(text, 'not a number');
        await store.index.add(set, 'member');
        await store.set(large, String(Number.MAX_SAFE_INTEGER));
        const refused = { code: 'E_STORE_TYPE' };
        await assert.rejects(store.increment(text, 1, { ttlMs: 1000 }), refused);
        await assert.rejects(store.increment(set, 1, { ttlMs: 1000 }), refused);
        await assert.rejects(store.increment(large, 1, { ttlMs: 1000 }), refused);
        await assert.rejects(store.get(set), refused);
        await assert.rejects(store.take(set), refused);
        await assert.rejects(store.swap(set, undefined, 'x'), refused);
        await assert.rejects(store.index.add(text, 'member'), refused);
        await assert.rejects(store.index.members(text), refused);
        assert.equal(await store.get(text), 'not a number');
        assert.equal(await store.get(large), String(Number.MAX_SAFE_INTEGER));
        assert.deepEqual([...(await store.index.members(set))], ['member']);
      },
    );

    claim('an index holds each member once, and forgets it when its own time is over', async (store) => {
      const key = newKey();
      assert.equal((await store.index.members(key)).length, 0);
      await store.index.add(key, 'long', { ttlMs: 60_000 });
      await store.index.add(key, 'brief', { ttlMs: 60 });
      await store.index.add(key, 'renewed', { ttlMs: 60 });
      await store.index.add(key, 'renewed', { ttlMs: 60_000 });
      await store.index.add(key, 'for ever');
      await store.index.add(key, 'removed');
      await store.index.remove(key, 'removed');
      await store.index.remove(key, 'unknown');
      await advance(120);
      assert.deepEqual((await store.index.members(key)).sort(), ['for ever', 'long', 'renewed']);
      for (const member of ['long', 'renewed', 'for ever']) await store.index.remove(key, member);
      assert.equal(await store.set(key, 'free again', { ifAbsent: true }), true);
    });

    claim('a script is atomic over its keys', async (store) => {
      const tag = randomUUID();
      const keys = [storeKey('conformance', tag, 'sum'), storeKey('conformance', tag, 'touched')];
      const sums = await Promise.all(Array.from({ length: 20 }, () => store.script(addUpTo, keys, [3, 30])));
      assert.equal(Math.max(...sums), 30);
      assert.equal(sums.filter((sum) => sum === -1).length, 10);
      assert.equal(await store.get(keys[1]!), 'touched');
    });

    claim(
      'keys of different hash tags in one script, and times that are none, are mistakes of the program',
      async (store) => {
        const mistake = { name: 'TypeError' };
        await assert.rejects(store.script(addUpTo, [newKey(), newKey()], [1, 2]), mistake);
        for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
          await assert.rejects(store.set(newKey(), 'x', { ttlMs }), mistake);
        }
        await assert.rejects(store.increment(newKey(), 0.5, { ttlMs: 1000 }), mistake);
      },
    );
  });
}
