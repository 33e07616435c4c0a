import { eachId, type Coverage } from './catalogue.js';

/** Up to so many roles are kept as a list: one line of a processor's cache, usually. */
const LIST = 12;

/** Roles that were given something, each with the permissions that it covers. */
export interface Given {
  /** By grant: the role, itself and with whoever inherits from it. */
  readonly heirs: readonly (readonly number[])[];
  /** By grant. */
  readonly covered: readonly Coverage[];
}

/**
 * By permission: the roles that hold it. Few of them are a list and many are bits, in one piece of memory, so that a question
 * reads one place of it, and 10,000 permissions of 1,000 roles are 150 kB where bits alone would be 1.3 MB.
 */
export class Holders {
  readonly #starts: Uint32Array;
  readonly #words: Uint32Array;
  /** Nobody holds anything, and so there is nothing to look for. */
  readonly empty: boolean;

  /** @param roles all numbers of roles are below it */
  constructor(permissions: number, roles: number, { heirs, covered }: Given) {
    this.empty = covered.length === 0;
    const counts = new Uint32Array(this.empty ? 0 : permissions);
    for (let i = 0; i < covered.length; i++) {
      const many = heirs[i]!.length;
      const coverage = covered[i]!;
      if (typeof coverage === 'number') counts[coverage]! += many;
      else eachId(coverage, (id) => (counts[id]! += many));
    }
    // Longer than any list: by its length a row says which of the two it is.
    const bits = Math.max(LIST + 1, (roles + 31) >>> 5);
    const starts = new Uint32Array(counts.length + 1);
    let end = 0;
    for (let id = 0; id < counts.length; id++) {
      const many = counts[id]!;
      end += many > LIST ? bits : many;
      starts[id + 1] = end;
    }
    const words = new Uint32Array(end);
    // From here on: how many of a list are there already.
    counts.fill(0);
    const put = (id: number, theirs: readonly number[]): void => {
      const start = starts[id]!;
      if (starts[id + 1]! - start > LIST) {
        for (let i = 0; i < theirs.length; i++) words[start + (theirs[i]! >>> 5)]! |= 1 << (theirs[i]! & 31);
      } else {
        for (let i = 0; i < theirs.length; i++) words[start + counts[id]!++] = theirs[i]!;
      }
    };
    for (let i = 0; i < covered.length; i++) {
      const coverage = covered[i]!;
      if (typeof coverage === 'number') put(coverage, heirs[i]!);
      else eachId(coverage, (id) => put(id, heirs[i]!));
    }
    this.#starts = starts;
    this.#words = words;
  }

  /**
   * Does one of these roles hold it? From the side of the permission, which few roles hold: `maskOf` the roles spares nearly
   * every comparison.
   */
  hasAny(permission: number, roles: readonly number[], mask: number): boolean {
    if (this.empty) return false;
    const words = this.#words;
    const start = this.#starts[permission]!;
    const end = this.#starts[permission + 1]!;
    if (end - start > LIST) {
      for (let i = 0; i < roles.length; i++) if (this.has(permission, roles[i]!)) return true;
      return false;
    }
    for (let i = start; i < end; i++) {
      const role = words[i]!;
      if ((mask & (1 << role)) !== 0 && roles.includes(role)) return true;
    }
    return false;
  }

  /** @param permission number of a permission that exists */
  has(permission: number, role: number): boolean {
    if (this.empty) return false;
    const words = this.#words;
    const start = this.#starts[permission]!;
    const end = this.#starts[permission + 1]!;
    if (end - start > LIST) {
      const word = start + (role >>> 5);
      return word < end && (words[word]! & (1 << (role & 31))) !== 0;
    }
    for (let i = start; i < end; i++) if (words[i] === role) return true;
    return false;
  }
}
