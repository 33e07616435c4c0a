import { expect, test } from '@jest/globals';
import { createMemoryStore, type Freshness, type KeyValueStore } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { SharedEntries } from '../src/shared-entries.js';

const user = { active: true, roles: [], rules: [] };

/** One process: how far it has read the log, and when the log says that users changed. */
async function setup(revision = 5, store: KeyValueStore = createMemoryStore()) {
  const log = { revision, changed: 0, changedAt: () => log.changed };
  const clock = manualClock();
  const shared = new SharedEntries({
    store,
    key: 'a key of the test, of thirty-two bytes and more',
    ttlMs: 60_000,
    freshness: log as unknown as Freshness,
    clock,
    events: recordedEvents(),
  });
  const write = (id: string, at: number): Promise<void> =>
    shared.write(id, { revision: at, policyRevision: 1, user });
  await write('ann', 5);
  await write('bob', 5);
  const there = async (): Promise<readonly boolean[]> =>
    Promise.all(['ann', 'bob'].map(async (id) => (await shared.read(id)) !== undefined));
  return { log, clock, shared, write, there };
}

test('an entry counts from the last change of its user on, and up to where the log has been read here', async () => {
  const { log, there } = await setup();
  log.changed = 5;
  expect(await there()).toEqual([true, true]);
  log.changed = 6;
  log.revision = 6;
  expect(await there()).toEqual([false, false]);
});

test('an entry of a log that is ahead of ours, or of a database that is lost, does not count', async () => {
  const { log, there } = await setup(4);
  expect(await there()).toEqual([false, false]);
  log.revision = 5;
  expect(await there()).toEqual([true, true]);
});

test('a change of our own ends older entries before the log has been read, of that user or of all', async () => {
  const { log, shared, write, there } = await setup();
  shared.changed('ann', 6);
  expect(await there()).toEqual([false, true]);
  log.revision = 6;
  await write('ann', 6);
  expect(await there()).toEqual([true, true]);
  shared.changed('*', 7);
  expect(await there()).toEqual([false, false]);
});

test('an older change of ours that the log has shown is forgotten; one that it has not is kept', async () => {
  const { shared, there } = await setup();
  for (let i = 0; i < 1000; i++) shared.changed(`u${i}`, 5);
  shared.changed('ann', 6); // With the thousand before it this would be one too many to tell apart.
  shared.changed('eve', 7);
  expect(await there()).toEqual([false, true]);
});

test('beyond a thousand changes that the log has not shown nobody is told apart: entries of all have to be newer', async () => {
  const { log, shared, write, there } = await setup();
  for (let i = 0; i < 1000; i++) shared.changed(`u${i}`, 6);
  expect(await there()).toEqual([true, true]);
  shared.changed('eve', 7);
  expect(await there()).toEqual([false, false]);
  log.revision = 7;
  await write('ann', 7);
  expect(await there()).toEqual([true, false]);
});

test('a store that failed is left alone for a second, to the millisecond', async () => {
  let calls = 0;
  const broken = {
    ...createMemoryStore(),
    get: async () => {
      calls++;
      throw new Error('down');
    },
  } as unknown as KeyValueStore;
  const { clock, shared } = await setup(5, broken);
  clock.advance(5000);
  await shared.read('ann');
  clock.advance(999);
  await shared.read('ann');
  expect(calls).toBe(1);
  clock.advance(1);
  await shared.read('ann');
  expect(calls).toBe(2);
});
