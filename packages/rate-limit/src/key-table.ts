import { systemRandom, type Random } from '@portcullis/core';

/** A seed for the hash of a table. */
export function freshSeed(random: Random = systemRandom): readonly [number, number] {
  const bytes = Buffer.from(random.bytes(8));
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}

/** What a table asks of its owner. */
export interface KeyTableOptions {
  /** Milliseconds after its last write when an entry means nothing any more. */
  readonly lifetimeMs: number;
  /** Keys held at a time; further ones share buckets. */
  readonly maxKeys: number;
  /** Two 32-bit numbers that nobody outside may know. */
  readonly seed: readonly [number, number];
  /** Told once per generation, when keys begin to share buckets. */
  readonly onOverflow: () => void;
}

const SEGMENTS = 256;
const SHARED_BUCKETS = 1024;
const FIRST_SLOTS = 8;
/** Marks of a slot: a pair of zeros is free, a one after a zero was given up. Keys never have these. */
const GIVEN_UP = 1;

/**
 * Two numbers per key, for very many keys: no strings, no objects and no timers are held, so a key costs 24 bytes over
 * the load of the table. Keys are told apart by a keyed 64-bit hash (after HalfSipHash-1-3): two of 10^6 keys share an
 * entry with a probability of 3 in 10^8, and nobody who does not know the seed can find such a pair.
 *
 * Nothing is ever swept. Entries live in two generations; a write moves its entry into the younger one, and the older
 * one is dropped whole when everything in it has outlived its meaning. Tables grow in 256 parts, so that no single call
 * copies more than its part.
 */
export class KeyTable {
  /** The entry that `find` found; zeros if it found none. */
  first = 0;
  second = 0;

  readonly #options: KeyTableOptions;
  #young = new Generation();
  #old = new Generation();
  #turnsAt: number;
  #overflowed = false;
  /** The key of the last `find`, and where it stands in the old generation. */
  #high = 0;
  #low = 0;
  #inYoung = -1;
  #inOld = -1;

  constructor(options: KeyTableOptions, nowMs: number) {
    this.#options = options;
    this.#turnsAt = nowMs + options.lifetimeMs;
  }

  /** Keys held at the moment, the meaningless ones included. */
  get size(): number {
    return this.#young.live + this.#old.live;
  }

  /** Looks the key up; `first` and `second` say what stands there, and `put` and `forget` mean this key from now on. */
  find(key: string, nowMs: number): boolean {
    if (nowMs >= this.#turnsAt) this.#turn(nowMs);
    this.#hash(key);
    if (this.#look()) return true;
    if (this.size < this.#options.maxKeys) return false;
    if (!this.#overflowed) {
      this.#overflowed = true;
      this.#options.onOverflow();
    }
    // The hash is keyed: nobody can aim at a neighbour's bucket.
    this.#high = 0;
    this.#low = 2 + ((this.#low >>> 8) % SHARED_BUCKETS);
    return this.#look();
  }

  /** Writes the entry of the key that was looked up last. */
  put(first: number, second: number): void {
    if (this.#inYoung >= 0) {
      this.#young.write(this.#high, this.#inYoung, first, second);
      return;
    }
    if (this.#inOld >= 0) this.#old.giveUp(this.#high, this.#inOld);
    this.#inOld = -1;
    this.#inYoung = this.#young.add(this.#high, this.#low, first, second);
  }

  /** Removes the entry of the key that was looked up last. */
  forget(): void {
    if (this.#inYoung >= 0) this.#young.giveUp(this.#high, this.#inYoung);
    if (this.#inOld >= 0) this.#old.giveUp(this.#high, this.#inOld);
    this.#inYoung = this.#inOld = -1;
  }

  #look(): boolean {
    this.#inOld = -1;
    this.#inYoung = this.#young.locate(this.#high, this.#low);
    if (this.#inYoung >= 0) return this.#read(this.#young, this.#inYoung);
    this.#inOld = this.#old.locate(this.#high, this.#low);
    if (this.#inOld >= 0) return this.#read(this.#old, this.#inOld);
    this.first = this.second = 0;
    return false;
  }

  #read(from: Generation, slot: number): true {
    const { cells } = from.segment(this.#high)!;
    this.first = cells[2 * slot]!;
    this.second = cells[2 * slot + 1]!;
    return true;
  }

  // Whatever is in the old generation was written before it became old, so one lifetime later it means nothing.
  #turn(nowMs: number): void {
    const { lifetimeMs } = this.#options;
    this.#old = nowMs < this.#turnsAt + lifetimeMs ? this.#young : new Generation();
    this.#young = new Generation();
    this.#turnsAt = nowMs + lifetimeMs;
    this.#overflowed = false;
  }

  // HalfSipHash-1-3 with 64 bits of result, two characters a word. Its round stands here twice: as a function of four
  // numbers it would have to return four.
  #hash(key: string): void {
    const [k0, k1] = this.#options.seed;
    let [v0, v1, v2, v3] = [k0, k1 ^ 0xee, k0 ^ 0x6c796765, k1 ^ 0x74656462];
    const { length } = key;
    for (let i = 0; i <= length; i += 2) {
      const word =
        i + 1 < length
          ? key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)
          : (length << 24) ^ (i < length ? key.charCodeAt(i) : 0);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    v2 ^= 0xee;
    for (let last = 0; last < 6; last++) {
      if (last === 3) {
        this.#low = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      }
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.#high = (v1 ^ v3) >>> 0 || 1;
  }
}

class Segment {
  marks = new Uint32Array(2 * FIRST_SLOTS);
  cells = new Float64Array(2 * FIRST_SLOTS);
  slots = FIRST_SLOTS;
  /** Slots that are not free, given up ones included. */
  taken = 0;
  live = 0;
}

class Generation {
  live = 0;
  readonly #segments: (Segment | undefined)[] = Array.from({ length: SEGMENTS });

  segment(high: number): Segment | undefined {
    return this.#segments[high % SEGMENTS];
  }

  locate(high: number, low: number): number {
    const segment = this.segment(high);
    if (!segment) return -1;
    const { marks, slots } = segment;
    for (let slot = low % slots; ; slot = slot + 1 === slots ? 0 : slot + 1) {
      const [there, thereLow] = [marks[2 * slot]!, marks[2 * slot + 1]!];
      if (there === high && thereLow === low) return slot;
      if (there === 0 && thereLow === 0) return -1;
    }
  }

  write(high: number, slot: number, first: number, second: number): void {
    const { cells } = this.segment(high)!;
    cells[2 * slot] = first;
    cells[2 * slot + 1] = second;
  }

  giveUp(high: number, slot: number): void {
    const segment = this.segment(high)!;
    segment.marks[2 * slot] = 0;
    segment.marks[2 * slot + 1] = GIVEN_UP;
    segment.live--;
    this.live--;
  }

  /** Adds a key that is not there and returns its slot. */
  add(high: number, low: number, first: number, second: number): number {
    const segment = (this.#segments[high % SEGMENTS] ??= new Segment());
    if (segment.taken + 1 > segment.slots * 0.8) grow(segment);
    const slot = insert(segment, high, low, first, second);
    segment.live++;
    this.live++;
    return slot;
  }
}

function insert(segment: Segment, high: number, low: number, first: number, second: number): number {
  const { marks, cells, slots } = segment;
  let slot = low % slots;
  while (marks[2 * slot] !== 0 || marks[2 * slot + 1] !== 0) slot = slot + 1 === slots ? 0 : slot + 1;
  marks[2 * slot] = high;
  marks[2 * slot + 1] = low;
  cells[2 * slot] = first;
  cells[2 * slot + 1] = second;
  segment.taken++;
  return slot;
}

function grow(segment: Segment): void {
  const { marks, cells, slots, live } = segment;
  // Half as many again; as many as now if most slots had only been given up.
  segment.slots = live * 2 > slots ? Math.ceil(slots * 1.5) : slots;
  segment.marks = new Uint32Array(2 * segment.slots);
  segment.cells = new Float64Array(2 * segment.slots);
  segment.taken = 0;
  for (let slot = 0; slot < slots; slot++) {
    const [high, low] = [marks[2 * slot]!, marks[2 * slot + 1]!];
    if (high !== 0 || low > GIVEN_UP) insert(segment, high, low, cells[2 * slot]!, cells[2 * slot + 1]!);
  }
}
