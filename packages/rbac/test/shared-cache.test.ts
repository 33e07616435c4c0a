import { afterEach, describe, expect, test } from '@jest/globals';
import { createMemoryStore, storeKey, type KeyValueStore } from '@portcullis/core';
import { redisStore } from '@portcullis/core/redis';
import { recordedEvents } from '@portcullis/core/testing';
import { describeWithRedis, startRedis } from '@portcullis/test-support';
import { Redis } from 'ioredis';
import { createRbac, memoryRoles } from '../src/index.js';
import { database, leaseOf, permissions, roles, type Database } from './support.js';

const secret = 'a secret of the test, of thirty-two bytes and more';
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

/** One process on the shared database and the shared cache. */
async function start(db: Database, cache: KeyValueStore, key = secret, hints = true) {
  const store = db.connect({ hints });
  const { freshness, clock } = leaseOf(store);
  const events = recordedEvents();
  const rbac = createRbac({
    permissions,
    store,
    roles,
    freshness,
    clock,
    events,
    l2: { store: cache, secret: key },
  });
  open.push(rbac, { close: () => freshness.stop() });
  await freshness.ensure();
  return { rbac, freshness, clock, events };
}

const written = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const keyOfAnn = storeKey('rbac', 'ann');

async function library(cache: KeyValueStore = createMemoryStore()) {
  const db = database();
  const here = await start(db, cache);
  await here.rbac.seed();
  await here.rbac.grantRole('root', 'ann', 'patron');
  await here.freshness.ensure();
  const there = await start(db, cache);
  await there.rbac.ready();
  await there.rbac.can('ann', 'book:read');
  await written();
  return { db, cache, here, there };
}

describe('the shared cache', () => {
  test('spares the store: what one process has read the next one need not', async () => {
    const { db, cache } = await library();
    const third = await start(db, cache);
    await third.rbac.ready();
    db.loads = [];
    expect(await third.rbac.can('ann', 'book:read')).toBe(true);
    expect(db.loads).toEqual([]);
  });

  test('T22: an entry that was altered, is of another user, or was made with another key is ignored and told', async () => {
    const { db, cache, here } = await library();
    const real = (await cache.get(keyOfAnn))!;
    await here.rbac.grantRole('root', 'boss', 'staff');
    await start(db, cache).then(async ({ rbac }) => rbac.can('boss', 'book:read'));
    await written();
    const boss = (await cache.get(storeKey('rbac', 'boss')))!;
    const forged: [string, string][] = [
      ['altered', real.replace('patron', 'staff')],
      ["another user's", boss],
      ['cut', real.slice(0, 60)],
      ['empty', ''],
      ['no entry', 'x'.repeat(200)],
      ['its end altered', `${real} `],
    ];
    for (const [what, text] of forged) {
      await cache.set(keyOfAnn, text);
      const { rbac, events } = await start(db, cache);
      expect([what, await rbac.can('ann', 'book:read')]).toEqual([what, true]);
      expect([what, await rbac.can('ann', 'book:create')]).toEqual([what, false]);
      expect([what, events.of('rbac.cache-forged').length]).toEqual([what, 1]);
      await written();
    }
    await cache.set(keyOfAnn, real);
    const { rbac, events } = await start(db, cache, `${secret}, another one`);
    expect(await rbac.can('ann', 'book:read')).toBe(true);
    expect(events.of('rbac.cache-forged')).toHaveLength(1);
  });

  test('T22: an old entry that is replayed after a revoke grants nothing, not even in the process that revoked', async () => {
    const { db, cache, here, there } = await library();
    const old = (await cache.get(keyOfAnn))!;
    await here.rbac.revokeRole('root', 'ann', 'patron');
    await cache.set(keyOfAnn, old);
    expect(await here.rbac.can('ann', 'book:read')).toBe(false);
    there.clock.advance('60s');
    await cache.set(keyOfAnn, old);
    expect(await there.rbac.can('ann', 'book:read')).toBe(false);
    await cache.set(keyOfAnn, old);
    const later = await start(db, cache);
    expect(await later.rbac.can('ann', 'book:read')).toBe(false);
    for (const { events } of [here, there, later]) expect(events.of('rbac.cache-forged')).toEqual([]);
  });

  test('T22: nor where the process that revoked has not yet read its own revoke in the log', async () => {
    const { db, cache } = await library();
    const here = await start(db, cache, secret, false);
    const old = (await cache.get(keyOfAnn))!;
    expect(await here.rbac.can('ann', 'book:read')).toBe(true);
    await here.rbac.revokeRole('root', 'ann', 'patron');
    await cache.set(keyOfAnn, old);
    expect(await here.rbac.can('ann', 'book:read')).toBe(false);
  });

  test('one that fails or hangs costs at most one short wait a second, and no decision', async () => {
    const { db } = await library();
    let calls = 0;
    const broken = {
      ...createMemoryStore(),
      get: async () => {
        calls++;
        throw new Error('down');
      },
      set: async () => Promise.reject(new Error('down')),
    } as unknown as KeyValueStore;
    const { rbac, clock } = await start(db, broken);
    expect(await rbac.can('ann', 'book:read')).toBe(true);
    for (let i = 0; i < 20; i++) expect(await rbac.can(`u${i}`, 'book:read')).toBe(false);
    expect(calls).toBe(1);
    clock.advance(1001);
    await rbac.can('another', 'book:read');
    expect(calls).toBe(2);
  });

  test('is refused for a store of one process', () => {
    const store = createMemoryStore();
    expect(() => createRbac({ permissions, store: memoryRoles(), l2: { store, secret } })).toThrow(/l2/);
    expect(() =>
      createRbac({ permissions, store: database().connect(), l2: { store, secret: 'short' } }),
    ).toThrow(/32 bytes/);
  });
});

describeWithRedis('the shared cache on Redis', () => {
  test('paused, killed and empty again: decisions go on, and nobody in memory is loaded again', async () => {
    const redis = await startRedis();
    const client = new Redis(redis.url, { maxRetriesPerRequest: 1 });
    client.on('error', () => undefined);
    open.push({ close: () => redis.stop() }, { close: () => client.disconnect() });
    const { db, there } = await library(redisStore(client, { timeoutMs: 50 }));
    db.loads = [];
    const faults: (() => Promise<void>)[] = [
      async () => redis.pause(),
      async () => {
        redis.resume();
        await redis.kill();
      },
      () => redis.restart(),
    ];
    for (const down of faults) {
      await down();
      for (let i = 0; i < 50; i++) expect(await there.rbac.can('ann', 'book:read')).toBe(true);
      expect(db.loads).toEqual([]);
    }
    expect(await there.rbac.can('somebody new', 'book:read')).toBe(false);
    expect(db.loads).toEqual(['user somebody new']);
  }, 30_000);
});
