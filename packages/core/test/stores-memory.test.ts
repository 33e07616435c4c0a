import { describe, expect, test } from '@jest/globals';
import { createFreshness, createMemoryFeed, createMemoryStore, storeKey } from '../src/index.js';
import { changeFeedSuite, keyValueStoreSuite, manualClock } from '../src/testing.js';

describe('memory store', () => {
  test('a full store refuses new entries, keeps live ones, and takes new ones once old ones have expired', async () => {
    const clock = manualClock();
    const store = createMemoryStore({ clock, maxEntries: 2 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => storeKey('test', name)) as [never, never, never];
    await store.set(a, '1', { ttlMs: 5000 });
    await store.set(b, '1');
    await expect(store.set(c, '1')).rejects.toMatchObject({ code: 'E_STORE_UNAVAILABLE', status: 503 });
    expect(await store.get(a)).toBe('1');
    clock.advance('10s');
    await store.set(c, '1');
    expect(await store.get(a)).toBeUndefined();
    expect(await store.get(b)).toBe('1');
  });
});

describe('freshness on a synchronous feed', () => {
  test('a change has evicted when publish resolves', async () => {
    const feed = createMemoryFeed();
    const freshness = createFreshness({ feed });
    const evicted: unknown[] = [];
    freshness.onChanges('rbac', (changes) => evicted.push(changes?.map((change) => change.subject)));
    expect(freshness.current()).toBe(true);
    const revision = await feed.publish([
      { topic: 'rbac', subject: 'u1' },
      { topic: 'auth', subject: 'u2' },
    ]);
    expect(evicted).toEqual([['u1']]);
    expect(freshness.changedAt('rbac', 'u1')).toBe(revision);
    expect(freshness.changedAt('rbac', 'u9')).toBe(0);
    await freshness.stop();
    expect(freshness.current()).toBe(false);
  });
});

{
  const clock = manualClock();
  keyValueStoreSuite('memory', () => createMemoryStore({ clock }), { advance: (ms) => clock.advance(ms) });
}
changeFeedSuite('memory', () => {
  const feed = createMemoryFeed();
  return { writer: feed, reader: feed };
});
