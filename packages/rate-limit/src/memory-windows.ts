import { option, readOptions, systemClock, systemRandom, type Clock, type Random } from '@portcullis/core';
import type { WindowCounter, WindowHits, WindowPolicy, WindowStore } from './window-store.js';

export interface MemoryWindowsOptions {
  /**
   * Keys per limit, an integer from 100 to 10,000,000. Beyond it new keys share 1,024 buckets until the next
   * window: memory stays bounded, and a flood of addresses neither erases a count nor goes uncounted.
   * @default 100_000
   */
  readonly maxKeys?: number;
  readonly clock?: Clock;
  /** Seeds the choice of shared buckets, so that nobody can aim at a neighbour's. */
  readonly random?: Random;
}

/**
 * Fixed windows in this process. Constant time per hit, no timers, no sweeps: keys live in two generations, and
 * the older one is dropped whole once all of its windows have ended.
 * @throws OptionError
 */
export function memoryWindows(options: MemoryWindowsOptions = {}): WindowStore {
  const { maxKeys, clock, random } = readOptions('memoryWindows', options, {
    maxKeys: option.integer({ min: 100, max: 10_000_000, default: 100_000 }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  });
  const seed = Buffer.from(random.bytes(4)).readUInt32LE(0);
  return {
    kind: 'memory',
    shared: false,
    open: (policy) => new MemoryWindow(policy, { maxKeys, clock, seed }),
  };
}

interface Entry {
  hits: number;
  endsAt: number;
}

interface Deps {
  readonly maxKeys: number;
  readonly clock: Clock;
  readonly seed: number;
}

const SHARED_BUCKETS = 1024;

/** The counters of one limit; also the local shadow of a shared store (see `raise`). */
export class MemoryWindow implements WindowCounter {
  readonly #policy: WindowPolicy;
  readonly #deps: Deps;
  #current = new Map<string, Entry>();
  #previous = new Map<string, Entry>();
  #rotateAt: number;
  #overflowed = false;

  constructor(policy: WindowPolicy, deps: Deps) {
    this.#policy = policy;
    this.#deps = deps;
    this.#rotateAt = deps.clock.monotonic() + policy.windowMs;
  }

  /** Keys held at the moment, those of ended windows included. */
  get size(): number {
    return this.#current.size + this.#previous.size;
  }

  increment(key: string): WindowHits {
    const now = this.#deps.clock.monotonic();
    const entry = this.#entry(key, now, this.#policy.windowMs);
    entry.hits++;
    return { hits: entry.hits, ttlMs: entry.endsAt - now };
  }

  /** Takes over what a shared store said of a key; the larger count stands while its window runs. */
  raise(key: string, seen: WindowHits): WindowHits {
    const now = this.#deps.clock.monotonic();
    const ttlMs = Math.min(seen.ttlMs, this.#policy.windowMs);
    const entry = this.#entry(key, now, ttlMs);
    if (seen.hits >= entry.hits) {
      entry.hits = seen.hits;
      entry.endsAt = Math.min(entry.endsAt, now + ttlMs);
    }
    return { hits: entry.hits, ttlMs: entry.endsAt - now };
  }

  undo(key: string): void {
    const now = this.#deps.clock.monotonic();
    const entry = this.#find(key) ?? this.#find(this.#bucketOf(key));
    if (entry && entry.endsAt > now && entry.hits > 0) entry.hits--;
  }

  reset(key: string): void {
    this.#current.delete(key);
    this.#previous.delete(key);
  }

  #find(key: string): Entry | undefined {
    return this.#current.get(key) ?? this.#previous.get(key);
  }

  #entry(key: string, now: number, ttlMs: number): Entry {
    this.#rotate(now);
    const found = this.#find(key);
    if (found) {
      // An ended window starts anew; it moves to the current generation, which outlives it.
      if (found.endsAt > now) return found;
      this.#previous.delete(key);
      return this.#add(key, now, ttlMs);
    }
    if (this.size < this.#deps.maxKeys) return this.#add(key, now, ttlMs);
    if (!this.#overflowed) {
      this.#overflowed = true;
      const { events, name } = this.#policy;
      events.emit({ type: 'rate-limit.overflowed', limit: name, maxKeys: this.#deps.maxKeys });
    }
    const bucket = this.#bucketOf(key);
    const shared = this.#find(bucket);
    return shared && shared.endsAt > now ? shared : this.#add(bucket, now, ttlMs);
  }

  #add(key: string, now: number, ttlMs: number): Entry {
    const entry = { hits: 0, endsAt: now + ttlMs };
    this.#current.set(key, entry);
    return entry;
  }

  // Every window of the previous generation began before it was set aside, so all have ended one window later.
  #rotate(now: number): void {
    if (now < this.#rotateAt) return;
    const { windowMs } = this.#policy;
    this.#previous = now < this.#rotateAt + windowMs ? this.#current : new Map();
    this.#current = new Map();
    this.#rotateAt = now + windowMs;
    this.#overflowed = false;
  }

  #bucketOf(key: string): string {
    let hash = this.#deps.seed;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    // FNV-1a mixes its low bits poorly: fold the high ones in.
    return `\0${(hash ^ (hash >>> 15)) & (SHARED_BUCKETS - 1)}`;
  }
}
