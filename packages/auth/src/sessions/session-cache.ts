import type { Clock, Freshness } from '@portcullis/core';
import { SESSION_TOPIC, type SessionRecord, type SessionStore } from './session-store.js';

/** Users remembered at a time; one more, and the longest remembered one goes. */
const MAX_USERS = 10_000;
/** The end of what is remembered where no change arrives: a feed in Redis may lose one in a fail-over. */
const MAX_AGE_MS = 30_000;

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
  clock: Clock,
): SessionCache<T> {
  const byUser = new Map<string, Map<string, { readonly value: T; readonly until: number }>>();

  freshness?.onChanges(SESSION_TOPIC, (changes) => {
    if (!changes || changes.some((change) => change.subject === '*')) byUser.clear();
    else for (const { subject } of changes) byUser.delete(subject);
  });

  function keep(userId: string, id: string, value: T, until: number): void {
    let sessions = byUser.get(userId);
    if (!sessions) {
      if (byUser.size >= MAX_USERS) byUser.delete(byUser.keys().next().value!);
      byUser.set(userId, (sessions = new Map()));
    }
    sessions.set(id, { value, until });
  }

  return {
    async find(userId, id) {
      if (freshness && !freshness.current()) await freshness.ensure();
      const known = byUser.get(userId)?.get(id);
      const now = clock.monotonic();
      if (known && now < known.until) return known.value;
      const before = freshness?.revision ?? 0;
      const session = await store.find(id);
      if (!session || session.userId !== userId) return undefined;
      const value = shape(session);
      // Only if nothing about this user has changed since before the read: the answer may be older than the change.
      if (freshness?.current() && freshness.changedAt(SESSION_TOPIC, userId) <= before) {
        keep(userId, id, value, now + MAX_AGE_MS);
      }
      return value;
    },
    forget: (userId) => void byUser.delete(userId),
  };
}
