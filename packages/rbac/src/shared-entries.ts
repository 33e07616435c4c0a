import { storeKey, type Events, type Freshness, type KeyValueStore, type Clock } from '@portcullis/core';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { USER_TOPIC, type UserRecord } from './role-store.js';

/** A user's grants as they were read from the store. */
export interface SharedEntry {
  /** Applied here or in another process before the read began: what changed later is not in it. */
  readonly revision: number;
  readonly policyRevision: number;
  readonly user: UserRecord;
}

interface Deps {
  readonly store: KeyValueStore;
  readonly key: string;
  readonly ttlMs: number;
  readonly freshness: Freshness;
  readonly clock: Clock;
  readonly events: Events;
}

/** A call that takes longer is slower than the store that it should spare. */
const DEADLINE_MS = 50;
const REST_MS = 1000;
const MAC_LENGTH = 43;
const MAX_OWN = 1000;

/**
 * Entries of users in a store that processes share (Redis): it saves loads after a start and between processes, and decides
 * nothing. What it answers counts only if it was written here with the key, for this user, and if the change log shows that
 * nothing about the user changed since; so it may be down, slow, empty, rolled back, replayed or written by an attacker.
 * Nothing has to be deleted from it, so that no lost delete can revive a grant.
 */
export class SharedEntries {
  readonly #deps: Deps;
  #restUntil = Number.NEGATIVE_INFINITY;
  /** Changes made by this process that it has not yet read in the log. */
  readonly #own = new Map<string, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Undefined if there is none that counts now. Never rejects. */
  async read(userId: string): Promise<SharedEntry | undefined> {
    const text = await this.#try((store) => store.get(keyOf(userId), { deadlineMs: DEADLINE_MS }));
    if (text === undefined) return undefined;
    const body = text.slice(MAC_LENGTH);
    if (!sameText(text.slice(0, MAC_LENGTH), this.#mac(userId, body))) {
      this.#deps.events.emit({ type: 'rbac.cache-forged', userId });
      return undefined;
    }
    const entry = JSON.parse(body) as SharedEntry;
    const { freshness } = this.#deps;
    const own = Math.max(this.#own.get(userId) ?? 0, this.#own.get('*') ?? 0);
    // Not older than the user's last change; and not of a log that is ahead of ours, or was of a database that is lost.
    const changed = Math.max(own, freshness.changedAt(USER_TOPIC, userId));
    return changed <= entry.revision && entry.revision <= freshness.revision ? entry : undefined;
  }

  /** This process has just changed something about the user (`*`: all of them). */
  changed(userId: string, revision: number): void {
    for (const [id, seen] of this.#own) if (seen <= this.#deps.freshness.revision) this.#own.delete(id);
    this.#own.set(this.#own.size < MAX_OWN ? userId : '*', revision);
  }

  /** Never rejects; nobody has to wait for it. */
  async write(userId: string, entry: SharedEntry): Promise<void> {
    const body = JSON.stringify(entry);
    const { ttlMs } = this.#deps;
    await this.#try((store) =>
      store.set(keyOf(userId), this.#mac(userId, body) + body, { ttlMs, deadlineMs: DEADLINE_MS }),
    );
  }

  /** After a failure it is left alone for a second: at most one request waits for a store that is down. */
  async #try<T>(call: (store: KeyValueStore) => Promise<T>): Promise<T | undefined> {
    const { store, clock } = this.#deps;
    if (clock.monotonic() < this.#restUntil) return undefined;
    try {
      return await call(store);
    } catch {
      this.#restUntil = clock.monotonic() + REST_MS;
      return undefined;
    }
  }

  #mac(userId: string, body: string): string {
    // The length keeps the two parts apart.
    return createHmac('sha256', this.#deps.key)
      .update(`rbac ${userId.length}:${userId}${body}`)
      .digest('base64url');
  }
}

function keyOf(userId: string): ReturnType<typeof storeKey> {
  return storeKey('rbac', userId);
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
