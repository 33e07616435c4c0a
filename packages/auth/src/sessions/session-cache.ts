import type { Freshness } from '@portcullis/core';
import { SESSION_TOPIC, type SessionRecord, type SessionStore } from './session-store.js';

/** Users remembered at a time; one more, and the longest remembered one goes. */
const MAX_USERS = 10_000;

export interface SessionCache<T> {
  /** @throws E_STALE (503) if the lease cannot be renewed, and what the store throws */
  find(userId: string, id: string): Promise<T | undefined>;
  forget(userId: string): void;
}

/**
 * Live sessions under the lease of a {@link Freshness}. Without one nothing is kept and every question goes to the store.
 * Only live sessions are remembered; that one has ended is asked for every time.
 */
export function createSessionCache<T>(
  store: SessionStore,
  freshness: Freshness | undefined,
  shape: (session: SessionRecord) => T,
): SessionCache<T> {
  const byUser = new Map<string, Map<string, T>>();

  freshness?.onChanges(SESSION_TOPIC, (changes) => {
    if (!changes || changes.some((change) => change.subject === '*')) byUser.clear();
    else for (const { subject } of changes) byUser.delete(subject);
  });

  function keep(userId: string, id: string, entry: T): void {
    let sessions = byUser.get(userId);
    if (!sessions) {
      if (byUser.size >= MAX_USERS) byUser.delete(byUser.keys().next().value!);
      byUser.set(userId, (sessions = new Map()));
    }
    sessions.set(id, entry);
  }

  return {
    async find(userId, id) {
      if (freshness && !freshness.current()) await freshness.ensure();
      const known = byUser.get(userId)?.get(id);
      if (known) return known;
      const before = freshness?.revision ?? 0;
      const session = await store.find(id);
      if (!session || session.userId !== userId) return undefined;
      const entry = shape(session);
      // Only if nothing about this user has changed since before the read: the answer may be older than the change.
      if (freshness?.current() && freshness.changedAt(SESSION_TOPIC, userId) <= before)
        keep(userId, id, entry);
      return entry;
    },
    forget: (userId) => void byUser.delete(userId),
  };
}
