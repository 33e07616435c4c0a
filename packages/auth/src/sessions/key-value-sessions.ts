import {
  option,
  readOptions,
  storeKey,
  type ChangeFeed,
  type KeyValueStore,
  type StoreKey,
} from '@portcullis/core';
import { SESSION_TOPIC, type SessionRecord, type SessionStore } from './session-store.js';

export interface KeyValueSessionsOptions {
  readonly store: KeyValueStore;
  /** Announces ended sessions, for processes that keep them in memory under `Freshness`. @default none */
  readonly feed?: ChangeFeed;
}

/** An epoch has to outlive the sign-ins that were under way when it moved. */
const EPOCH_TTL_MS = 3_600_000;
const SPARE_MS = 60_000;

/**
 * Sessions in a {@link KeyValueStore}: memory for one process, Redis for several. Ending resolves after it has been
 * written. With Redis as the authority a fail-over, or an old snapshot that is loaded again, may bring back a session that
 * had ended; use `postgresSessions()` where that matters. The bound on sessions per user may be exceeded for a moment by
 * sign-ins at the same time.
 * @throws OptionError
 */
export function keyValueSessions(options: KeyValueSessionsOptions): SessionStore {
  const { store, feed } = readOptions('keyValueSessions', options, {
    store: option.port<KeyValueStore>(['get', 'set', 'swap', 'take', 'increment', 'delete', 'script']),
    feed: option.optional(option.port<ChangeFeed>(['publish'])),
  });

  async function read(id: string): Promise<{ text: string; record: SessionRecord } | undefined> {
    const text = await store.get(sessionKey(id));
    return text === undefined ? undefined : { text, record: JSON.parse(text) as SessionRecord };
  }
  async function remove(id: string, userId: string): Promise<boolean> {
    const ended = await store.delete(sessionKey(id));
    await store.index.remove(listKey(userId), id);
    return ended;
  }
  async function announce(userId: string): Promise<void> {
    await feed?.publish([{ topic: SESSION_TOPIC, subject: userId }]);
  }
  async function list(userId: string): Promise<SessionRecord[]> {
    const ids = await store.index.members(listKey(userId));
    const found = await Promise.all(ids.map(read));
    // Members whose session has expired in the store are left over: they go now.
    await Promise.all(ids.filter((_id, i) => !found[i]).map((id) => store.index.remove(listKey(userId), id)));
    return found.flatMap((one) => (one ? [one.record] : []));
  }
  const epoch = async (userId: string) => Number((await store.get(epochKey(userId))) ?? 0);

  return {
    kind: store.kind,
    shared: store.shared,
    epoch,
    list,
    async create(record, { epoch: expected, max }) {
      const { id, userId } = record;
      const live = (await list(userId)).filter((other) => other.idleExpiresAt > record.createdAt);
      const surplus = live
        .toSorted((a, b) => a.rotatedAt - b.rotatedAt)
        .slice(0, Math.max(0, live.length + 1 - max));
      // In the list before it exists, and the epoch read after both: `endAll` moves the epoch first and reads the list
      // then, so that one of the two always sees the other.
      await store.index.add(listKey(userId), id, { ttlMs: record.expiresAt - record.createdAt + SPARE_MS });
      await store.set(sessionKey(id), JSON.stringify(record), {
        ttlMs: record.idleExpiresAt - record.createdAt,
      });
      if ((await epoch(userId)) !== expected) {
        await remove(id, userId);
        return { created: false };
      }
      for (const other of surplus) await remove(other.id, userId);
      if (surplus.length > 0) await announce(userId);
      return { created: true, ended: surplus.map((other) => other.id) };
    },
    find: async (id) => (await read(id))?.record,
    async rotate(id, current, next) {
      const found = await read(id);
      if (!found || found.record.current !== current) return false;
      const ttlMs = next.idleExpiresAt - next.rotatedAt;
      // Against the whole text as read: whatever else has changed it, this loses.
      return store.swap(sessionKey(id), found.text, JSON.stringify({ ...found.record, ...next }), { ttlMs });
    },
    async end(id, userId) {
      const found = await read(id);
      const ended = found?.record.userId === userId && (await remove(id, userId));
      // Also if it was gone: a caller that tries again after a fault expects everybody to know afterwards.
      await announce(userId);
      return ended;
    },
    async endAll(userId, except) {
      await store.increment(epochKey(userId), 1, { ttlMs: EPOCH_TTL_MS, extend: true });
      const ids = (await store.index.members(listKey(userId))).filter((id) => id !== except);
      const ended: string[] = [];
      for (const id of ids) if (await remove(id, userId)) ended.push(id);
      await announce(userId);
      return ended;
    },
  };
}

const sessionKey = (id: string): StoreKey => storeKey('auth-session', id);
const listKey = (userId: string): StoreKey => storeKey('auth-sessions', userId);
const epochKey = (userId: string): StoreKey => storeKey('auth-epoch', userId);
