import { systemClock, type Clock } from './clock.js';
import { errors } from './error-codes.js';
import type { KeyValueStore, ScriptEntries, StoreKey } from './key-value-store.js';
import { checkIncrement, checkSameTag, checkTtl } from './key-value-checks.js';
import { option, readOptions } from './options.js';

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /**
   * Most entries held at a time, 1 to 16,000,000; a member of an index counts as one. What has expired makes room.
   * A full store refuses new entries with E_STORE_UNAVAILABLE: throwing out live ones would forget counters and spent
   * tokens, which is what a flood would be for. @default 100_000
   */
  readonly maxEntries?: number;
}

/**
 * A store in the memory of this process: nothing survives it and no other process sees it.
 * Expiry is exact at reading and costs O(1) amortised; there are no timers.
 * @throws OptionError
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): KeyValueStore {
  const { clock, maxEntries } = readOptions('createMemoryStore', options, {
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    maxEntries: option.integer({ min: 1, max: 16_000_000, default: 100_000 }),
  });
  return new MemoryStore(clock, maxEntries);
}

/** A string, or a set of members with their own ends. Times are monotonic milliseconds; Infinity stays. */
interface Entry {
  value: string | Map<string, number>;
  expiresAt: number;
  /** The second whose bucket holds the key; never later than the end. */
  bucket: number;
}

const BUCKET_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;

class MemoryStore implements KeyValueStore {
  readonly kind = 'memory';
  readonly shared = false;
  readonly index: KeyValueStore['index'];
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #entries = new Map<StoreKey, Entry>();
  /** Keys by the second in which they may have expired: each key is looked at once per second it was filed under. */
  readonly #buckets = new Map<number, Set<StoreKey>>();
  #swept: number;
  #size = 0;

  constructor(clock: Clock, maxEntries: number) {
    this.#clock = clock;
    this.#maxEntries = maxEntries;
    this.#swept = bucketOf(clock.monotonic());
    this.index = {
      add: async (key, member, options = {}) => this.#addMember(key, member, checkTtl(options.ttlMs)),
      remove: async (key, member) => {
        const members = this.#members(key);
        if (members?.delete(member)) {
          this.#size--;
          if (members.size === 0) this.#drop(key);
        }
      },
      members: async (key) => this.#liveMembers(key),
    };
  }

  async get(key: StoreKey): Promise<string | undefined> {
    return this.#text(key);
  }

  async set(
    key: StoreKey,
    value: string,
    options: { readonly ttlMs?: number; readonly ifAbsent?: boolean } = {},
  ): Promise<boolean> {
    const ttlMs = checkTtl(options.ttlMs);
    if (options.ifAbsent && this.#live(key)) return false;
    this.#put(key, value, ttlMs);
    return true;
  }

  async take(key: StoreKey): Promise<string | undefined> {
    const value = this.#text(key);
    if (value !== undefined) this.#drop(key);
    return value;
  }

  async swap(
    key: StoreKey,
    expected: string | undefined,
    next: string,
    options: { readonly ttlMs?: number } = {},
  ): Promise<boolean> {
    const ttlMs = checkTtl(options.ttlMs);
    if (this.#text(key) !== expected) return false;
    this.#put(key, next, ttlMs);
    return true;
  }

  async increment(
    key: StoreKey,
    by: number,
    options: { readonly ttlMs: number; readonly extend?: boolean },
  ): Promise<{ value: number; ttlMs: number }> {
    checkIncrement(by, options.ttlMs);
    const text = this.#text(key);
    const value = (text === undefined ? 0 : parseCount(text)) + by;
    if (!Number.isSafeInteger(value)) throw errors.E_STORE_TYPE({ details: 'the counter would overflow' });
    const entry = this.#entries.get(key);
    if (!entry || text === undefined || options.extend || entry.expiresAt === NEVER) {
      this.#put(key, String(value), options.ttlMs);
      return { value, ttlMs: options.ttlMs };
    }
    entry.value = String(value);
    return { value, ttlMs: Math.max(1, Math.ceil(entry.expiresAt - this.#clock.monotonic())) };
  }

  async delete(key: StoreKey): Promise<boolean> {
    const there = this.#live(key) !== undefined;
    this.#drop(key);
    return there;
  }

  async script<Args extends readonly (string | number)[], Result>(
    script: { memory(entries: ScriptEntries, keys: readonly StoreKey[], args: Args): Result },
    keys: readonly StoreKey[],
    args: Args,
  ): Promise<Result> {
    checkSameTag(keys);
    // Written when the script has ended, so that one that throws half-way leaves nothing behind.
    const written = new Map<StoreKey, { value: string; ttlMs: number | undefined } | undefined>();
    const entries: ScriptEntries = {
      get: (key) => (written.has(key) ? written.get(key)?.value : this.#text(key)),
      set: (key, value, ttlMs) => void written.set(key, { value, ttlMs: checkTtl(ttlMs) }),
      delete: (key) => void written.set(key, undefined),
    };
    const result = script.memory(entries, keys, args);
    for (const [key, next] of written) {
      if (next) this.#put(key, next.value, next.ttlMs);
      else this.#drop(key);
    }
    return result;
  }

  #live(key: StoreKey): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.expiresAt > this.#clock.monotonic()) return entry;
    this.#drop(key);
    return undefined;
  }

  #text(key: StoreKey): string | undefined {
    const value = this.#live(key)?.value;
    if (value !== undefined && typeof value !== 'string') throw errors.E_STORE_TYPE();
    return value;
  }

  #members(key: StoreKey): Map<string, number> | undefined {
    const members = this.#live(key)?.value;
    if (members === undefined) return undefined;
    if (typeof members === 'string') throw errors.E_STORE_TYPE();
    return members;
  }

  #liveMembers(key: StoreKey): string[] {
    const members = this.#members(key);
    if (!members) return [];
    this.#forgetExpired(members);
    if (members.size === 0) this.#drop(key);
    return [...members.keys()];
  }

  #forgetExpired(members: Map<string, number>): void {
    const now = this.#clock.monotonic();
    for (const [member, end] of members) {
      if (end <= now && members.delete(member)) this.#size--;
    }
  }

  #addMember(key: StoreKey, member: string, ttlMs: number | undefined): void {
    const members = this.#members(key) ?? new Map<string, number>();
    // At each doubling: a set then holds at most as many expired members as live ones, at O(1) amortised.
    if ((members.size & (members.size - 1)) === 0) this.#forgetExpired(members);
    const fresh = !members.has(member);
    const first = !this.#entries.has(key);
    if (fresh) this.#reserve(first ? 2 : 1);
    const end = ttlMs === undefined ? NEVER : this.#clock.monotonic() + ttlMs;
    if (fresh) this.#size++;
    members.set(member, end);
    const last = Math.max(end, this.#entries.get(key)?.expiresAt ?? 0);
    this.#file(key, members, last);
  }

  #put(key: StoreKey, value: string, ttlMs: number | undefined): void {
    const old = this.#entries.get(key);
    if (!old) this.#reserve(1);
    else if (typeof old.value !== 'string') this.#size -= old.value.size;
    this.#file(key, value, ttlMs === undefined ? NEVER : this.#clock.monotonic() + ttlMs);
  }

  #file(key: StoreKey, value: string | Map<string, number>, expiresAt: number): void {
    const wanted = bucketOf(expiresAt);
    const entry = this.#entries.get(key);
    if (!entry) {
      this.#entries.set(key, { value, expiresAt, bucket: wanted });
      this.#size++;
      this.#enter(key, wanted);
    } else {
      entry.value = value;
      entry.expiresAt = expiresAt;
      // A later end is noticed when the old bucket is swept; only an earlier one has to be filed now.
      if (wanted < entry.bucket) {
        this.#leave(key, entry.bucket);
        entry.bucket = wanted;
        this.#enter(key, wanted);
      }
    }
    this.#sweep();
  }

  #drop(key: StoreKey): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#size -= 1 + (typeof entry.value === 'string' ? 0 : entry.value.size);
    this.#leave(key, entry.bucket);
  }

  #reserve(count: number): void {
    if (this.#size + count > this.#maxEntries) this.#sweep();
    if (this.#size + count > this.#maxEntries) {
      throw errors.E_STORE_UNAVAILABLE({
        details: `the memory store holds its maxEntries (${this.#maxEntries})`,
      });
    }
  }

  #enter(key: StoreKey, bucket: number): void {
    if (bucket === NEVER) return;
    const keys = this.#buckets.get(bucket);
    if (keys) keys.add(key);
    else this.#buckets.set(bucket, new Set([key]));
  }

  #leave(key: StoreKey, bucket: number): void {
    const keys = this.#buckets.get(bucket);
    if (keys?.delete(key) && keys.size === 0) this.#buckets.delete(bucket);
  }

  /** Empties the buckets of the seconds that have passed since the last sweep. */
  #sweep(): void {
    const now = this.#clock.monotonic();
    const current = bucketOf(now);
    const passed = current - this.#swept;
    if (passed <= 0) return;
    // After a long rest there are fewer buckets than seconds.
    const due =
      passed <= this.#buckets.size
        ? Array.from({ length: passed }, (_, i) => this.#swept + i)
        : [...this.#buckets.keys()].filter((bucket) => bucket < current);
    this.#swept = current;
    for (const bucket of due) {
      const keys = this.#buckets.get(bucket);
      this.#buckets.delete(bucket);
      for (const key of keys ?? []) {
        const entry = this.#entries.get(key)!;
        if (entry.expiresAt <= now) {
          this.#drop(key);
        } else {
          entry.bucket = bucketOf(entry.expiresAt);
          this.#enter(key, entry.bucket);
        }
      }
    }
  }
}

function bucketOf(time: number): number {
  return Math.floor(time / BUCKET_MS);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (String(count) !== text || !Number.isSafeInteger(count)) throw errors.E_STORE_TYPE();
  return count;
}
