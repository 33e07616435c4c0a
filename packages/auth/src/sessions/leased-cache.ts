import type { Clock, Freshness } from '@portcullis/core';

/** Subjects remembered at a time; one more, and the longest remembered one goes. */
const MAX_SUBJECTS = 10_000;
/** The end of what is remembered where no change arrives: a feed in Redis may lose one in a fail-over. */
const MAX_AGE_MS = 30_000;

export interface LeasedCache<T> {
  /** @throws E_STALE (503) if the lease cannot be renewed, and what `load` throws */
  find(subject: string, id: string): Promise<T | undefined>;
  forget(subject: string): void;
}

export interface LeasedCacheSettings<T> {
  /** Under which ends are announced; the subject of a change is the subject here. */
  readonly topic: string;
  readonly freshness: Freshness | undefined;
  readonly clock: Clock;
  /** Undefined for what is not live: that is never remembered. */
  readonly load: (subject: string, id: string) => Promise<T | undefined>;
}

/**
 * Live facts (sessions, API keys) under the lease of a {@link Freshness}. Without one nothing is kept and every question goes to
 * the store. Only live ones are remembered; that one has ended is asked for every time.
 */
export function createLeasedCache<T>({
  topic,
  freshness,
  clock,
  load,
}: LeasedCacheSettings<T>): LeasedCache<T> {
  const bySubject = new Map<string, Map<string, { readonly value: T; readonly until: number }>>();

  freshness?.onChanges(topic, (changes) => {
    if (!changes || changes.some((change) => change.subject === '*')) bySubject.clear();
    else for (const { subject } of changes) bySubject.delete(subject);
  });

  function keep(subject: string, id: string, value: T, until: number): void {
    let known = bySubject.get(subject);
    if (!known) {
      if (bySubject.size >= MAX_SUBJECTS) bySubject.delete(bySubject.keys().next().value!);
      bySubject.set(subject, (known = new Map()));
    }
    known.set(id, { value, until });
  }

  return {
    async find(subject, id) {
      if (freshness && !freshness.current()) await freshness.ensure();
      const known = bySubject.get(subject)?.get(id);
      const now = clock.monotonic();
      if (known && now < known.until) return known.value;
      const before = freshness?.revision ?? 0;
      const value = await load(subject, id);
      // Only if nothing about this subject has changed since before the read: the answer may be older than the change.
      if (value !== undefined && freshness?.current() && freshness.changedAt(topic, subject) <= before)
        keep(subject, id, value, now + MAX_AGE_MS);
      return value;
    },
    forget: (subject) => void bySubject.delete(subject),
  };
}
