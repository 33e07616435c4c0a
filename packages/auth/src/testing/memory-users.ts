import { randomUUID } from 'node:crypto';
import type { AuthUser, UserPort } from '../users.js';
import { memoryPasskeys } from './memory-passkeys.js';

export interface MemoryUsers extends Required<UserPort> {
  /** Adds or replaces an account as it is. */
  put(user: AuthUser): void;
}

/** Accounts in a Map, for tests. */
export function memoryUsers(): MemoryUsers {
  const byId = new Map<string, AuthUser>();
  const byLogin = (login: string) => [...byId.values()].find((user) => user.login === login);
  return {
    passkeys: memoryPasskeys(),
    put: (user) => void byId.set(user.id, user),
    findByLogin: async (login) => byLogin(login),
    findById: async (id) => byId.get(id),
    async saveCredential(id, { passwordHash, replaces }) {
      const user = byId.get(id);
      if (!user || (user.passwordHash ?? null) !== replaces) return false;
      byId.set(id, { ...user, passwordHash });
      return true;
    },
    async deactivate(id) {
      const user = byId.get(id);
      if (user) byId.set(id, { ...user, active: false });
      return user !== undefined;
    },
    async markVerified(id, login) {
      const user = byId.get(id);
      if (user?.login !== login) return false;
      byId.set(id, { ...user, emailVerified: true });
      return true;
    },
    async changeLogin(id, { login, replaces }) {
      const user = byId.get(id);
      if (user?.login !== replaces || byLogin(login)) return false;
      byId.set(id, { ...user, login, emailVerified: true });
      return true;
    },
    async saveFactors(id, { factors, replaces }) {
      const user = byId.get(id);
      if (!user || (user.factors ?? null) !== replaces) return false;
      byId.set(id, { ...user, factors });
      return true;
    },
    async create(account) {
      if (byLogin(account.login)) return undefined;
      const user = { id: randomUUID(), active: true, ...account };
      byId.set(user.id, user);
      return user;
    },
  };
}
