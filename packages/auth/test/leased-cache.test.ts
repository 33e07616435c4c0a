import { describe, expect, test } from '@jest/globals';
import type { Freshness } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { createLeasedCache } from '../src/sessions/leased-cache.js';

type Evict = Parameters<Freshness['onChanges']>[1];

/** A lease as the test wants it, and a cache over facts that count how often they are asked for. */
function kit({ leased = true }: { readonly leased?: boolean } = {}) {
  const clock = manualClock();
  const state = { held: true, ensured: 0, changedAt: 0, loads: [] as string[], whileLoading: () => {} };
  const listeners: { topic: string; evict: Evict }[] = [];
  const freshness: Freshness = {
    current: () => state.held,
    ensure: async () => void (state.ensured++, (state.held = true)),
    revision: 0,
    changedAt: () => state.changedAt,
    onChanges: (topic, evict) => (listeners.push({ topic, evict }), () => undefined),
    settled: async () => undefined,
    leaseMs: 1000,
    stop: async () => undefined,
  };
  const facts = new Map<string, string>();
  const cache = createLeasedCache<string>({
    topic: 'auth',
    freshness: leased ? freshness : undefined,
    clock,
    async load(subject, id) {
      state.loads.push(`${subject} ${id}`);
      state.whileLoading();
      return facts.get(`${subject} ${id}`) ?? (facts.size === 0 ? `of ${subject}` : undefined);
    },
  });
  const evict: Evict = (changes) => listeners.forEach((listener) => listener.evict(changes));
  const asked = async (...which: readonly [string, string][]) => {
    state.loads.length = 0;
    for (const [subject, id] of which) await cache.find(subject, id);
    return state.loads;
  };
  return { cache, clock, state, facts, listeners, evict, asked };
}
const change = (subject: string) => ({ topic: 'auth', subject, revision: 1 }) as never;

describe('facts under a lease', () => {
  test('are asked for once, each of a subject by itself, and follow their own topic', async () => {
    const { asked, listeners, state, cache } = kit();
    const all = [
      ['ada', '1'],
      ['ada', '2'],
      ['bob', '1'],
    ] as const;
    expect(await asked(...all.map(([a, b]) => [a, b] as [string, string]))).toEqual([
      'ada 1',
      'ada 2',
      'bob 1',
    ]);
    expect(await asked(...all.map(([a, b]) => [a, b] as [string, string]))).toEqual([]);
    expect(await cache.find('ada', '2')).toBe('of ada');
    expect(listeners.map(({ topic }) => topic)).toEqual(['auth']);
    expect(state.ensured).toBe(0);
  });

  test('without a lease to have nothing is kept', async () => {
    const { asked } = kit({ leased: false });
    expect(await asked(['ada', '1'], ['ada', '1'])).toHaveLength(2);
  });

  test('a lease that is not held is renewed before anything counts', async () => {
    const { asked, state } = kit();
    await asked(['ada', '1']);
    state.held = false;
    expect(await asked(['ada', '1'])).toEqual([]);
    expect(state.ensured).toBe(1);
  });

  test('a change makes one subject unknown, and no other; * and a log that was reset all of them', async () => {
    const { asked, evict } = kit();
    const both = [
      ['ada', '1'],
      ['bob', '1'],
    ] as [string, string][];
    await asked(...both);
    evict([change('ada')]);
    expect(await asked(...both)).toEqual(['ada 1']);
    evict([change('carol'), change('*')]);
    expect(await asked(...both)).toHaveLength(2);
    evict(undefined);
    expect(await asked(...both)).toHaveLength(2);
    evict([]);
    expect(await asked(...both)).toEqual([]);
  });

  test('what is forgotten is asked for again', async () => {
    const { asked, cache } = kit();
    await asked(['ada', '1'], ['bob', '1']);
    cache.forget('ada');
    expect(await asked(['ada', '1'], ['bob', '1'])).toEqual(['ada 1']);
  });

  test('they have an end of their own after 30 seconds', async () => {
    const { asked, clock } = kit();
    await asked(['ada', '1']);
    clock.advance(29_999);
    expect(await asked(['ada', '1'])).toEqual([]);
    clock.advance(1);
    expect(await asked(['ada', '1'])).toEqual(['ada 1']);
  });

  test('that something is not live is never remembered', async () => {
    const { asked, facts, cache } = kit();
    facts.set('bob 1', 'live');
    expect(await asked(['ada', '1'], ['ada', '1'])).toHaveLength(2);
    facts.set('ada 1', 'live');
    expect(await cache.find('ada', '1')).toBe('live');
  });

  test('an answer is not kept if its subject changed, or the lease ended, while it was on the way', async () => {
    const { asked, state } = kit();
    state.whileLoading = () => void (state.changedAt = 1);
    expect(await asked(['ada', '1'], ['ada', '1'])).toHaveLength(2);
    state.changedAt = 0;
    state.whileLoading = () => void (state.held = false);
    expect(await asked(['bob', '1'], ['bob', '1'])).toHaveLength(2);
  });

  test('of 10,000 subjects all are remembered; with one more the oldest goes', async () => {
    const { cache, asked } = kit();
    for (let n = 0; n < 10_000; n++) await cache.find(`u${n}`, '1');
    expect(await asked(['u0', '1'], ['u9999', '1'])).toEqual([]);
    await cache.find('another', '1');
    expect(await asked(['u1', '1'], ['another', '1'], ['u0', '1'])).toEqual(['u0 1']);
  });
});
