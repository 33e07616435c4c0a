import {
  option,
  readOptions,
  storeKey,
  type ChangeFeed,
  type KeyValueStore,
  type StoreKey,
} from '@portcullis/core';
import { API_KEY_TOPIC, type ApiKeyRecord, type ApiKeyStore } from './api-key-store.js';

export interface KeyValueApiKeysOptions {
  readonly store: KeyValueStore;
  /** Announces ended keys, for processes that keep them in memory under `Freshness`. @default none */
  readonly feed?: ChangeFeed;
}

const SPARE_MS = 60_000;

/**
 * API keys in a {@link KeyValueStore}: memory for one process, Redis for several. The bound on keys per owner may be exceeded for a moment by
 * creations at the same time. A fail-over of Redis may bring back a key that had ended; use `postgresApiKeys()` where that matters.
 * @throws OptionError
 */
export function keyValueApiKeys(options: KeyValueApiKeysOptions): ApiKeyStore {
  const { store, feed } = readOptions('keyValueApiKeys', options, {
    store: option.port<KeyValueStore>(['get', 'set', 'delete']),
    feed: option.optional(option.port<ChangeFeed>(['publish'])),
  });

  async function find(id: string): Promise<ApiKeyRecord | undefined> {
    const [text, used] = await Promise.all([store.get(recordKey(id)), store.get(useKey(id))]);
    if (text === undefined) return undefined;
    return { ...(JSON.parse(text) as ApiKeyRecord), lastUsedAt: used === undefined ? null : Number(used) };
  }
  async function list(ownerId: string): Promise<ApiKeyRecord[]> {
    const ids = await store.index.members(listKey(ownerId));
    const found = await Promise.all(ids.map(find));
    return found.flatMap((one) => (one?.ownerId === ownerId ? [one] : []));
  }
  async function remove(id: string, ownerId: string): Promise<boolean> {
    const ended = await store.delete(recordKey(id));
    await store.index.remove(listKey(ownerId), id);
    return ended;
  }
  async function announce(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await feed?.publish(ids.map((subject) => ({ topic: API_KEY_TOPIC, subject })));
  }

  return {
    kind: store.kind,
    shared: store.shared,
    find,
    list,
    async add(record, max) {
      const live = (await list(record.ownerId)).filter(({ expiresAt }) => expiresAt > record.createdAt);
      if (live.length >= max) return false;
      const ttlMs = record.expiresAt - record.createdAt;
      // In the list before it exists: `endAll` finds what can be used.
      await store.index.add(listKey(record.ownerId), record.id, { ttlMs: ttlMs + SPARE_MS });
      await store.set(recordKey(record.id), JSON.stringify(record), { ttlMs });
      return true;
    },
    async end(id, ownerId) {
      const found = await find(id);
      const ended = found?.ownerId === ownerId && (await remove(id, ownerId));
      // Also if it was gone: a caller that tries again after a fault expects everybody to know afterwards.
      await announce([id]);
      return ended;
    },
    async endAll(ownerId) {
      const ids = await store.index.members(listKey(ownerId));
      const ended: string[] = [];
      for (const id of ids) if (await remove(id, ownerId)) ended.push(id);
      await announce(ids);
      return ended;
    },
    async touch(id, at) {
      // Apart from the record, so that a note of a use cannot bring back a key that ends at the same time.
      await store.set(useKey(id), String(at), { ttlMs: 400 * 86_400_000 });
    },
  };
}

const recordKey = (id: string): StoreKey => storeKey('auth-api-key', id);
const useKey = (id: string): StoreKey => storeKey('auth-api-key-used', id);
const listKey = (ownerId: string): StoreKey => storeKey('auth-api-keys', ownerId);
