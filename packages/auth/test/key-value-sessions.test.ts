import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, storeKey, type Change, type ChangeFeed } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { keyValueSessions } from '../src/sessions/key-value-sessions.js';
import type { SessionRecord } from '../src/sessions/session-store.js';

const HOUR = 3_600_000;

function kit() {
  const clock = manualClock();
  const store = createMemoryStore({ clock });
  const published: unknown[] = [];
  const feed = {
    publish: async (changes: readonly Change[]) => void published.push(...changes),
  } as unknown as ChangeFeed;
  const sessions = keyValueSessions({ store, feed });
  const record = (change: Partial<SessionRecord> = {}): SessionRecord => ({
    id: randomUUID(),
    userId: 'ada',
    createdAt: clock.now(),
    rotatedAt: clock.now(),
    idleExpiresAt: clock.now() + HOUR,
    expiresAt: clock.now() + 2 * HOUR,
    generation: 0,
    current: 'hash',
    previous: null,
    sealed: null,
    tagKey: 'key',
    details: { methods: [], aal: 1, authenticatedAt: clock.now() },
    ...change,
  });
  const members = () => store.index.members(storeKey('auth-sessions', 'ada'));
  const create = async (one: SessionRecord, max = 10) =>
    sessions.create(one, { epoch: await sessions.epoch('ada'), max });
  return { clock, sessions, published, record, members, create };
}
const ada = { topic: 'auth', subject: 'ada' };

describe('sessions in a key-value store', () => {
  test('a session is gone when it has been idle, to the millisecond, rotated or not', async () => {
    const { sessions, record, create, clock } = kit();
    const [one, two] = [record(), record()];
    await create(one);
    await create(two);
    clock.advance(HOUR - 1);
    expect(await sessions.find(one.id)).toEqual(one);
    const next = { rotatedAt: clock.now(), idleExpiresAt: clock.now() + HOUR / 2, current: 'next' };
    const rotation = { ...next, generation: 1, previous: 'hash', sealed: 's', details: two.details };
    expect(await sessions.rotate(two.id, 'hash', rotation)).toBe(true);
    clock.advance(1);
    expect(await sessions.find(one.id)).toBeUndefined();
    clock.advance(HOUR / 2 - 2);
    expect(await sessions.find(two.id)).toMatchObject(next);
    clock.advance(1);
    expect(await sessions.find(two.id)).toBeUndefined();
  });

  test('the list of a user names a session until its end, and a minute more at most', async () => {
    const { sessions, record, create, clock, members } = kit();
    const one = record({ idleExpiresAt: clock.now() + 2 * HOUR });
    await create(one);
    clock.advance(2 * HOUR - 1);
    expect(await sessions.list('ada')).toEqual([one]);
    clock.advance(1 + 60_000);
    expect(await members()).toEqual([]);
  });

  test('the list keeps what lives and drops what has expired or ended', async () => {
    const { sessions, record, create, clock, members } = kit();
    const [short, long, ended] = [record({ idleExpiresAt: clock.now() + 1_000 }), record(), record()];
    for (const one of [short, long, ended]) await create(one);
    await sessions.end(ended.id, 'ada');
    expect((await members()).toSorted()).toEqual([short.id, long.id].toSorted());
    clock.advance(1_000);
    for (let round = 0; round < 2; round++) {
      expect(await sessions.list('ada')).toEqual([long]);
      expect(await members()).toEqual([long.id]);
    }
  });

  test('beyond the bound the longest unused ones end, however they are listed', async () => {
    for (const order of [
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
    ]) {
      const { sessions, record, create, published, clock } = kit();
      const records = order.map((age) => record({ rotatedAt: clock.now() - age }));
      for (const one of records) await create(one);
      expect(published).toEqual([]);
      const next = record();
      const ended = [3, 2].map((age) => records[order.indexOf(age)]!.id);
      expect(await create(next, 2)).toEqual({ created: true, ended });
      expect(published).toEqual([ada]);
      const left = (await sessions.list('ada')).map(({ id }) => id);
      expect(left.toSorted()).toEqual([records[order.indexOf(1)]!.id, next.id].toSorted());
    }
  });

  test('one that has been idle to its end no longer counts against the bound', async () => {
    const { record, create, clock } = kit();
    const now = clock.now();
    await create(record({ createdAt: now - HOUR, idleExpiresAt: now }));
    expect(await create(record(), 1)).toEqual({ created: true, ended: [] });
  });

  test('every end is told to the other processes, also one that had happened before; a beginning is not', async () => {
    const { sessions, record, create, published } = kit();
    const one = record();
    await create(one);
    expect(published).toEqual([]);
    await sessions.end(one.id, 'ada');
    expect(published).toEqual([ada]);
    await sessions.end(one.id, 'ada');
    expect(published).toEqual([ada, ada]);
    await sessions.endAll('ada');
    expect(published).toEqual([ada, ada, ada]);
  });

  test('an end of all names those that lived, and the epoch outlives the last one by an hour', async () => {
    const { sessions, record, create, clock } = kit();
    const [short, long] = [record({ idleExpiresAt: clock.now() + 1_000 }), record()];
    await create(short);
    await create(long);
    clock.advance(1_000);
    expect(await sessions.endAll('ada')).toEqual([long.id]);
    clock.advance(HOUR - 1);
    await sessions.endAll('ada');
    clock.advance(HOUR - 1);
    expect(await sessions.epoch('ada')).toBe(2);
  });
});
