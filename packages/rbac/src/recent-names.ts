/** A place has two names with what they mean: one line of a processor's cache, or two. */
const PLACE = 4;
const FEWEST = 64;
/** 8 MB; with more names than that some have to share. */
const MOST = 2 ** 18;

/**
 * What names mean, for those that were asked for before: each is in the one place that its letters say, and what is not there is
 * looked up. A `Map` of 100,000 names follows three to six references through memory for an answer, one after the other, and each
 * is a wait.
 */
export class RecentNames<Value> {
  readonly #lookUp: (name: string) => Value | undefined;
  readonly #count: () => number;
  /** A place is name, value, name, value, the latest first. */
  #places: (string | Value)[] = [];
  #mask = 0;

  /** @param count of names that there are to be looked up */
  constructor(lookUp: (name: string) => Value | undefined, count: () => number) {
    this.#lookUp = lookUp;
    this.#count = count;
  }

  /** Of what is no name there is nothing. */
  get(name: string): Value | undefined {
    if (typeof name !== 'string' || name === EMPTY) return undefined;
    const at = (hashOf(name) & this.#mask) * PLACE;
    const places = this.#places;
    if (places[at] === name) return places[at + 1] as Value;
    if (places[at + 2] === name) return places[at + 3] as Value;
    return this.#find(name);
  }

  /** What it means has changed. */
  forget(name: string): void {
    const place = (hashOf(name) & this.#mask) * PLACE;
    for (const at of [place, place + 2]) if (this.#places[at] === name) this.#places.fill(EMPTY, at, at + 2);
  }

  clear(): void {
    this.#makePlaces(FEWEST);
  }

  #find(name: string): Value | undefined {
    const value = this.#lookUp(name);
    if (value === undefined) return undefined;
    const count = this.#count();
    if (count > this.#mask && this.#mask + 1 < MOST) this.#makePlaces(count + 1);
    const at = (hashOf(name) & this.#mask) * PLACE;
    this.#places.copyWithin(at + 2, at, at + 2);
    this.#places[at] = name;
    this.#places[at + 1] = value;
    return value;
  }

  /** Empty ones. */
  #makePlaces(atLeast: number): void {
    let many = FEWEST;
    while (many < atLeast && many < MOST) many *= 2;
    this.#mask = many - 1;
    this.#places = Array.from<string>({ length: many * PLACE }).fill(EMPTY);
  }
}

/** In the place of a name that is not there; it is none. */
const EMPTY = '';

/**
 * Tells names apart by their ends and their middle, where ids differ, and permissions. Whoever makes names that it does not tell
 * apart has them looked up.
 */
function hashOf(name: string): number {
  const { length } = name;
  if (length < 4) return length === 0 ? 0 : name.charCodeAt(0) + 31 * name.charCodeAt(length - 1);
  const middle = length >>> 1;
  const end =
    name.charCodeAt(length - 1) ^
    (name.charCodeAt(length - 2) << 8) ^
    (name.charCodeAt(length - 3) << 16) ^
    (name.charCodeAt(length - 4) << 24);
  const inside =
    name.charCodeAt(middle) ^
    (name.charCodeAt(middle + 1) << 8) ^
    (name.charCodeAt(middle - 1) << 16) ^
    (name.charCodeAt(middle - 2) << 24);
  const hash = Math.imul(end, 0x9e37_79b1) + Math.imul(inside, 0x85eb_ca77) + length;
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return mixed ^ (mixed >>> 15);
}
