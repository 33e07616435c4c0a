import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { systemClock } from '@portcullis/core';
import type { ApiKeyRecord, ApiKeyStore } from '../api-keys/api-key-store.js';
import { globalsOf } from './globals.js';
import type { StoreSuiteOptions } from './session-store-suite.js';

/** Every claim of {@link ApiKeyStore}, for any implementation. Owners are new ones, so a store may be shared. */
export function apiKeyStoreSuite(
  name: string,
  makeStore: () => ApiKeyStore | Promise<ApiKeyStore>,
  options: StoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`ApiKeyStore: ${name}`, () => {
    function claim(title: string, body: (store: ApiKeyStore, ownerId: string) => Promise<void>): void {
      test(title, async () => body(await makeStore(), `owner ${randomUUID()} {'"\\\u00fc\u{1f510}`));
    }

    claim('a key is found as it was written', async (store, ownerId) => {
      const record = keyOf(ownerId);
      assert.equal(await store.add(record, 10), true);
      assert.deepEqual(await store.find(record.id), record);
      assert.deepEqual(await store.list(ownerId), [record]);
      assert.equal(await store.find(randomUUID()), undefined);
      assert.deepEqual(await store.list(`${ownerId}x`), []);
    });

    claim('a key that has ended is gone; nobody ends the key of another', async (store, ownerId) => {
      const record = keyOf(ownerId);
      await store.add(record, 10);
      assert.equal(await store.end(record.id, `${ownerId}x`), false);
      assert.deepEqual(await store.find(record.id), record);
      assert.equal(await store.end(record.id, ownerId), true);
      assert.equal(await store.end(record.id, ownerId), false);
      assert.equal(await store.find(record.id), undefined);
      assert.deepEqual(await store.list(ownerId), []);
    });

    claim('all keys of one owner end, and nobody else is touched', async (store, ownerId) => {
      const mine = [keyOf(ownerId), keyOf(ownerId)];
      const other = keyOf(`${ownerId}x`);
      for (const record of [...mine, other]) await store.add(record, 10);
      assert.deepEqual([...(await store.endAll(ownerId))].sort(), mine.map(({ id }) => id).sort());
      assert.deepEqual(await store.list(ownerId), []);
      assert.deepEqual(await store.endAll(ownerId), []);
      assert.deepEqual(await store.find(other.id), other);
    });

    claim('beyond the bound no key is added; one that has expired does not count', async (store, ownerId) => {
      const old = {
        ...keyOf(ownerId),
        createdAt: systemClock.now() - 2_000,
        expiresAt: systemClock.now() + 60_000,
      };
      assert.equal(await store.add(old, 2), true);
      assert.equal(await store.add(keyOf(ownerId), 2), true);
      assert.equal(await store.add(keyOf(ownerId), 2), false);
      const later = { ...keyOf(ownerId), createdAt: old.expiresAt + 1 };
      assert.equal(await store.add(later, 2), true);
    });

    claim('a use is noted, and brings back no key that has ended', async (store, ownerId) => {
      const record = keyOf(ownerId);
      await store.add(record, 10);
      const at = record.createdAt + 60_000;
      await store.touch(record.id, at);
      assert.deepEqual(await store.find(record.id), { ...record, lastUsedAt: at });
      assert.deepEqual(await store.list(ownerId), [{ ...record, lastUsedAt: at }]);
      await store.end(record.id, ownerId);
      await store.touch(record.id, at + 1);
      assert.equal(await store.find(record.id), undefined);
    });
  });
}

function keyOf(ownerId: string): ApiKeyRecord {
  const now = systemClock.now();
  return {
    id: randomUUID(),
    ownerId,
    name: '\u00fc"\\\'\u{1f510}',
    hash: randomUUID(),
    scopes: ['book:read', 'loan:read:own'],
    createdAt: now,
    expiresAt: now + 3_600_000,
    lastUsedAt: null,
  };
}
