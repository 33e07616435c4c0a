import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { systemClock } from '@portcullis/core';
import type { TestGlobals } from '@portcullis/core/testing';
import type { SessionRecord, SessionRotation, SessionStore } from '../sessions/session-store.js';
import { globalsOf } from './globals.js';

export interface StoreSuiteOptions {
  readonly globals?: TestGlobals;
}

/** Every claim of {@link SessionStore}, for any implementation. Users are new ones, so a store may be shared. */
export function sessionStoreSuite(
  name: string,
  makeStore: () => SessionStore | Promise<SessionStore>,
  options: StoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`SessionStore: ${name}`, () => {
    function claim(title: string, body: (store: SessionStore, userId: string) => Promise<void>): void {
      test(title, async () => body(await makeStore(), `user ${randomUUID()} {'"\\\u00fc\u{1f510}`));
    }

    claim('a created session is found as it was written', async (store, userId) => {
      const record = sessionOf(userId);
      assert.deepEqual(await store.create(record, { epoch: 0, max: 10 }), { created: true, ended: [] });
      assert.deepEqual(await store.find(record.id), record);
      assert.deepEqual(await store.list(userId), [record]);
      assert.equal(await store.find(randomUUID()), undefined);
      assert.deepEqual(await store.list(`${userId}x`), []);
    });

    claim(
      'of 50 rotations with one token exactly one succeeds, and what it wrote stands',
      async (store, userId) => {
        const record = sessionOf(userId);
        await store.create(record, { epoch: 0, max: 10 });
        const rotations = Array.from({ length: 50 }, (_, i) => rotationOf(record, `hash-${i}`));
        const results = await Promise.all(
          rotations.map((next) => store.rotate(record.id, record.current, next)),
        );
        const winners = rotations.filter((_next, i) => results[i]);
        assert.equal(winners.length, 1);
        assert.deepEqual(await store.find(record.id), { ...record, ...winners[0] });
      },
    );

    claim('a rotation with a token that is not the current one changes nothing', async (store, userId) => {
      const record = sessionOf(userId);
      await store.create(record, { epoch: 0, max: 10 });
      assert.equal(await store.rotate(record.id, 'other', rotationOf(record, 'next')), false);
      assert.equal(await store.rotate(randomUUID(), record.current, rotationOf(record, 'next')), false);
      assert.deepEqual(await store.find(record.id), record);
    });

    claim('an ended session is gone and cannot be rotated back to life', async (store, userId) => {
      const record = sessionOf(userId);
      await store.create(record, { epoch: 0, max: 10 });
      assert.equal(await store.end(record.id, `${userId}x`), false);
      assert.notEqual(await store.find(record.id), undefined);
      assert.equal(await store.end(record.id, userId), true);
      assert.equal(await store.end(record.id, userId), false);
      assert.equal(await store.rotate(record.id, record.current, rotationOf(record, 'next')), false);
      assert.equal(await store.find(record.id), undefined);
      assert.deepEqual(await store.list(userId), []);
    });

    claim('an end that races with rotations wins', async (store, userId) => {
      for (let round = 0; round < 10; round++) {
        const record = sessionOf(userId);
        await store.create(record, { epoch: 0, max: 10 });
        await Promise.all([
          ...Array.from({ length: 5 }, (_, i) =>
            store.rotate(record.id, record.current, rotationOf(record, `r${i}`)),
          ),
          store.end(record.id, userId),
        ]);
        assert.equal(await store.find(record.id), undefined);
      }
    });

    claim(
      'all sessions of one user end at once, except one, and nobody else is touched',
      async (store, userId) => {
        const mine = [sessionOf(userId), sessionOf(userId), sessionOf(userId)];
        const other = sessionOf(`${userId}x`);
        for (const record of [...mine, other]) await store.create(record, { epoch: 0, max: 10 });
        const ended = await store.endAll(userId, mine[0]!.id);
        assert.deepEqual([...ended].sort(), [mine[1]!.id, mine[2]!.id].sort());
        assert.deepEqual(await store.list(userId), [mine[0]]);
        assert.deepEqual(await store.endAll(userId), [mine[0]!.id]);
        assert.deepEqual(await store.list(userId), []);
        assert.deepEqual(await store.find(other.id), other);
      },
    );

    claim('a session cannot begin under an epoch that has passed', async (store, userId) => {
      const before = await store.epoch(userId);
      await store.endAll(userId);
      assert.notEqual(await store.epoch(userId), before);
      assert.deepEqual(await store.create(sessionOf(userId), { epoch: before, max: 10 }), { created: false });
      assert.deepEqual(await store.list(userId), []);
      const now = await store.epoch(userId);
      assert.equal((await store.create(sessionOf(userId), { epoch: now, max: 10 })).created, true);
    });

    claim(
      'of a sign-in and an end of all that race, no session under the old epoch is left',
      async (store, userId) => {
        for (let round = 0; round < 10; round++) {
          const epoch = await store.epoch(userId);
          const creations = Array.from({ length: 5 }, () =>
            store.create(sessionOf(userId), { epoch, max: 10 }),
          );
          await Promise.all([...creations, store.endAll(userId)]);
          assert.deepEqual(await store.list(userId), []);
        }
      },
    );

    claim('beyond the bound the longest unused session ends', async (store, userId) => {
      const records = [3, 1, 2].map((age) => sessionOf(userId, age * 1_000));
      for (const record of records) await store.create(record, { epoch: 0, max: 3 });
      const next = sessionOf(userId);
      const creation = await store.create(next, { epoch: 0, max: 3 });
      assert.deepEqual(creation, { created: true, ended: [records[0]!.id] });
      const left = (await store.list(userId)).map((record) => record.id).sort();
      assert.deepEqual(left, [records[1]!.id, records[2]!.id, next.id].sort());
    });
  });
}

function sessionOf(userId: string, ageMs = 0): SessionRecord {
  const now = systemClock.now() - ageMs;
  return {
    id: randomUUID(),
    userId,
    createdAt: now,
    rotatedAt: now,
    idleExpiresAt: now + 3_600_000,
    expiresAt: now + 7_200_000,
    generation: 0,
    current: randomUUID(),
    previous: null,
    sealed: null,
    tagKey: randomUUID(),
    details: {
      methods: [{ method: 'pwd', at: now }],
      aal: 1,
      authenticatedAt: now,
      userAgent: '\u00fc"\\\'\u{1f510}',
    },
  };
}

function rotationOf(record: SessionRecord, current: string): SessionRotation {
  const rotatedAt = record.rotatedAt + 1;
  return {
    rotatedAt,
    idleExpiresAt: rotatedAt + 3_600_000,
    generation: record.generation + 1,
    current,
    previous: record.current,
    sealed: `sealed for ${current}`,
    details: { ...record.details, address: '192.0.2.1' },
  };
}
