import type { PasskeyPort, PasskeyRecord } from '../passkeys/passkey-port.js';

/** Passkeys in a Map, for tests. */
export function memoryPasskeys(): PasskeyPort {
  const byId = new Map<string, PasskeyRecord>();
  const of = (userId: string) => [...byId.values()].filter((passkey) => passkey.userId === userId);
  return {
    find: async (id) => byId.get(id),
    list: async (userId) => of(userId),
    async add(passkey, max) {
      if (byId.has(passkey.id)) return 'taken';
      if (of(passkey.userId).length >= max) return 'full';
      byId.set(passkey.id, passkey);
      return 'added';
    },
    async use(id, { counter, backedUp, at }) {
      const passkey = byId.get(id);
      if (!passkey || !(counter > passkey.counter || (counter === 0 && passkey.counter === 0))) return false;
      byId.set(id, { ...passkey, counter, backedUp, lastUsedAt: at });
      return true;
    },
    async rename(userId, id, name) {
      const passkey = byId.get(id);
      if (passkey?.userId !== userId) return false;
      byId.set(id, { ...passkey, name });
      return true;
    },
    async remove(userId, id, { keepOne }) {
      if (byId.get(id)?.userId !== userId || (keepOne && of(userId).length === 1)) return false;
      return byId.delete(id);
    },
  };
}
