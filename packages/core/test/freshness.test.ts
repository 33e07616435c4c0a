import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import {
  createFreshness,
  createMemoryFeed,
  storeKey,
  type ChangeFeed,
  type ChangesRead,
} from '../src/index.js';
import { manualClock, recordedEvents } from '../src/testing.js';

type Answer = (position: number | undefined) => Promise<ChangesRead> | ChangesRead;

/** A leased feed that answers as it is told. */
function scripted(first: Answer): ChangeFeed & { answer: Answer; reads: number } {
  const feed = {
    synchronous: false,
    answer: first,
    reads: 0,
    publish: async () => 0,
    readSince: async (position: number | undefined) => {
      feed.reads++;
      return feed.answer(position);
    },
    onHint: () => () => undefined,
    onChange: () => () => undefined,
    close: async () => undefined,
  };
  return feed;
}

const at = (revision: number, ...subjects: string[]): ChangesRead => ({
  revision,
  changes: subjects.map((subject) => ({ topic: 'rbac', subject, revision })),
  reset: false,
});
const never = (): Promise<ChangesRead> => new Promise(() => undefined);
/** Polls so rarely that only `ensure()` renews. */
const manual = { leaseMs: 60_000, pollMs: 30_000 } as const;
const STALE = { code: 'E_STALE', status: 503 };

describe('the lease', () => {
  test('is counted from before the read', async () => {
    const clock = manualClock();
    const feed = scripted(() => {
      clock.advance(40_000);
      return at(1);
    });
    const freshness = createFreshness({ feed, clock, ...manual });
    expect(freshness.current()).toBe(false);
    await freshness.ensure();
    expect(freshness.current()).toBe(true);
    clock.advance(19_999);
    expect(freshness.current()).toBe(true);
    clock.advance(1);
    expect(freshness.current()).toBe(false);
    await freshness.stop();
  });

  test('is not given by an answer that took longer', async () => {
    const clock = manualClock();
    const feed = scripted(() => {
      clock.advance(60_000);
      return at(1);
    });
    const freshness = createFreshness({ feed, clock, ...manual });
    await expect(freshness.ensure()).rejects.toMatchObject(STALE);
    await freshness.stop();
  });

  test('once expired (idle process, SIGCONT), is renewed once for all who wait', async () => {
    const clock = manualClock();
    const feed = scripted(() => at(1));
    const freshness = createFreshness({ feed, clock, ...manual });
    await freshness.ensure();
    expect(feed.reads).toBe(1);
    clock.advance('10m');
    expect(freshness.current()).toBe(false);
    await Promise.all(Array.from({ length: 100 }, () => freshness.ensure()));
    expect(feed.reads).toBe(2);
    expect(freshness.current()).toBe(true);
    await freshness.stop();
  });

  test('is not moved by the wall clock', async () => {
    const clock = manualClock();
    const freshness = createFreshness({ feed: scripted(() => at(1)), clock, ...manual });
    await freshness.ensure();
    clock.setNow(clock.now() - 86_400_000);
    clock.advance(60_000);
    expect(freshness.current()).toBe(false);
    await freshness.stop();
  });

  test('a log that does not answer: E_STALE within the deadline, and an event when it is lost and found', async () => {
    const clock = manualClock();
    const events = recordedEvents();
    const feed = scripted(() => at(1));
    const freshness = createFreshness({ feed, clock, events, ...manual, renewDeadlineMs: 50 });
    await freshness.ensure();
    clock.advance(60_000);
    feed.answer = never;
    const started = performance.now();
    await expect(freshness.ensure()).rejects.toMatchObject(STALE);
    expect(performance.now() - started).toBeLessThan(2000);
    void freshness.stop();

    const failing = createFreshness({
      feed: scripted(() => Promise.reject(new Error('down'))),
      clock,
      events,
      ...manual,
    });
    await expect(failing.ensure()).rejects.toMatchObject({ ...STALE, cause: { message: 'down' } });
    expect(events.of('freshness.lost')).toHaveLength(1);
    await failing.stop();
    await expect(failing.ensure()).rejects.toMatchObject(STALE);
  });

  test('recovers by itself, and says so', async () => {
    const clock = manualClock();
    const events = recordedEvents();
    const feed = scripted(() => Promise.reject(new Error('down')));
    const freshness = createFreshness({ feed, clock, events, ...manual });
    await expect(freshness.ensure()).rejects.toMatchObject(STALE);
    clock.advance(5);
    feed.answer = () => at(1);
    await freshness.ensure();
    expect(events.of('freshness.renewed')).toMatchObject([{ afterMs: 5 }]);
    await freshness.stop();
  });
});

describe('changes', () => {
  test('evict their subjects only, before the lease is renewed', async () => {
    const clock = manualClock();
    const feed = scripted(() => at(5));
    const freshness = createFreshness({ feed, clock, ...manual });
    const seen: unknown[] = [];
    freshness.onChanges('rbac', (changes) => {
      seen.push(changes?.map((change) => change.subject));
      expect(freshness.current()).toBe(false);
    });
    freshness.onChanges('auth', (changes) => seen.push(changes ?? 'auth: all'));
    await freshness.ensure();
    expect(seen.splice(0)).toEqual([undefined, 'auth: all']); // What was cached before the first read counts for nothing.
    clock.advance('2m');
    feed.answer = () => at(9, 'u1', 'u2');
    await freshness.ensure();
    expect(seen).toEqual([['u1', 'u2']]);
    expect(freshness.revision).toBe(9);
    expect(freshness.changedAt('rbac', 'u1')).toBe(9);
    expect(freshness.changedAt('rbac', 'u3')).toBe(5);
    expect(freshness.changedAt('auth', 'u1')).toBe(5);
    await freshness.stop();
  });

  test('load race: a fact that was read before a revoke is not cached after it', async () => {
    const clock = manualClock();
    const feed = scripted(() => at(5));
    const freshness = createFreshness({ feed, clock, ...manual });
    await freshness.ensure();
    const before = freshness.revision; // The load starts...
    clock.advance('2m');
    feed.answer = () => at(6, 'u1');
    await freshness.ensure(); // ...the revoke overtakes it...
    expect(freshness.changedAt('rbac', 'u1') <= before).toBe(false); // ...and what was loaded may not be stored.
    expect(freshness.changedAt('rbac', 'u2') <= before).toBe(true);
    feed.answer = () => at(7, '*');
    clock.advance('2m');
    await freshness.ensure();
    expect(freshness.changedAt('rbac', 'u2')).toBe(7);
    await freshness.stop();
  });

  test.each([
    ['says reset', (): ChangesRead => ({ ...at(3), reset: true })],
    ['just went back', (): ChangesRead => at(3)],
  ])(
    'a rolled-back log that %s drops everything, and what was read before stays too old to be cached',
    async (_how, back) => {
      const clock = manualClock();
      const feed = scripted(() => at(5));
      const freshness = createFreshness({ feed, clock, ...manual });
      const seen: unknown[] = [];
      await freshness.ensure();
      const before = freshness.revision;
      freshness.onChanges('rbac', (changes) => seen.push(changes));
      clock.advance('2m');
      feed.answer = back;
      await freshness.ensure();
      expect(seen).toEqual([undefined]);
      expect(freshness.changedAt('rbac', 'anybody')).toBeGreaterThan(before);
      expect(freshness.revision).toBeGreaterThanOrEqual(freshness.changedAt('rbac', 'anybody'));
      const positions: unknown[] = [];
      feed.answer = (position) => (positions.push(position), at(4, 'u1'));
      clock.advance('2m');
      await freshness.ensure();
      expect(positions).toEqual([3]);
      await freshness.stop();
    },
  );

  test('a cache that fails to evict gets no lease, and the same changes again', async () => {
    const clock = manualClock();
    const feed = scripted((position) => at(5, ...(position === undefined ? [] : ['u1'])));
    const freshness = createFreshness({ feed, clock, ...manual });
    await freshness.ensure();
    let faults = 2;
    const seen: unknown[] = [];
    freshness.onChanges('rbac', (changes) => {
      seen.push(changes?.length);
      if (faults-- > 0) throw new Error('cannot evict');
    });
    clock.advance('2m');
    await expect(freshness.ensure()).rejects.toMatchObject(STALE);
    await freshness.ensure();
    expect(seen).toEqual([1, 1, 1]);
    await freshness.stop();
  });

  test('of more subjects than are kept, the forgotten ones count as changed, never as unchanged', async () => {
    const feed = createMemoryFeed();
    const freshness = createFreshness({ feed });
    const first = await feed.publish([{ topic: 'rbac', subject: 'first' }]);
    for (let i = 0; i < 25; i++) {
      await feed.publish(Array.from({ length: 500 }, (_, j) => ({ topic: 'rbac', subject: `${i}-${j}` })));
    }
    expect(freshness.changedAt('rbac', 'first')).toBeGreaterThanOrEqual(first);
    expect(freshness.changedAt('rbac', '0-0')).toBeGreaterThan(first);
    await freshness.stop();
  });
});

test('options that leave gaps in the lease do not start', () => {
  const feed = scripted(() => at(1));
  expect(() => createFreshness({ feed, leaseMs: 400, pollMs: 250 })).toThrow(
    expect.objectContaining({ code: 'E_OPTION_CONFLICT' }),
  );
  expect(() => createFreshness({ feed: {} as never })).toThrow(
    expect.objectContaining({ code: 'E_OPTION_TYPE' }),
  );
});

test('timers do not keep the process alive', () => {
  const core = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'index.ts');
  const program = `
    import { createFreshness } from ${JSON.stringify(core)};
    const feed = { synchronous: false, publish() {}, onHint: () => () => {}, onChange: () => () => {},
      readSince: async () => ({ revision: 1, changes: [], reset: false }) };
    const freshness = createFreshness({ feed });
    await freshness.ensure();
    createFreshness({ feed: { ...feed, readSince: () => new Promise(() => {}) } });
    console.log('done');`;
  const output = execFileSync(
    process.execPath,
    ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '-e', program],
    { encoding: 'utf8', timeout: 20_000, cwd: dirname(core) },
  );
  expect(output.trim()).toBe('done');
});

test('store keys are injective, whatever the parts contain, and have exactly one hash tag', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(':', 'x', '{', '}', '\0', '1', '2', '0', 'a', '\ud800', '\udc00', '\ufffd'),
    }),
  );
  const tuple = fc.tuple(fc.constantFrom('a', 'a-b', 'ab'), nasty, fc.array(nasty, { maxLength: 3 }));
  const bytesOf = ([namespace, first, rest]: [string, string, string[]]) =>
    Buffer.from(storeKey(namespace, first, ...rest)).toString('hex');
  fc.assert(
    fc.property(tuple, tuple, (one, other) => {
      const same = JSON.stringify(one) === JSON.stringify(other);
      // As the bytes that Redis sees, where lone surrogates would become one and the same character.
      assert.equal(bytesOf(one) === bytesOf(other), same);
      const key: string = storeKey(one[0], one[1], ...one[2]);
      assert.deepEqual(key.match(/[{}]/g), ['{', '}']);
    }),
    { numRuns: 500 },
  );
  // Pairs that differ only in where their parts end are rare by chance: they are made here.
  fc.assert(
    fc.property(nasty, nasty, nasty, (a, b, c) => {
      const tuples: [string, ...string[]][] = [
        [a, b, c],
        [a + b, c],
        [a, b + c],
        [a + b + c],
        [a, `${b.length}:${b}`, c],
      ];
      const keys = tuples.map((parts) => Buffer.from(storeKey('n', ...parts)).toString('hex'));
      const different = new Set(tuples.map((parts) => JSON.stringify(parts)));
      assert.equal(new Set(keys).size, different.size);
    }),
    { numRuns: 500 },
  );
});
