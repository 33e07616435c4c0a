import { EMPTY_ROOT, nodeHash } from './hash.js';

/**
 * The right edge of a growing tree: one hash for each complete subtree, as many as its size has binary ones. Enough to
 * append, and to know the root.
 */
export class Frontier {
  /** `#hashes[level]` is the root of a complete subtree of 2^level leaves, if the size has that bit. */
  readonly #hashes: (Buffer | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  append(leaf: Buffer): void {
    this.appendSubtree(leaf, 0);
  }

  /** A complete subtree of 2^level leaves; the size so far must be a multiple of that. */
  appendSubtree(root: Buffer, level: number): void {
    let carried = root;
    let at = level;
    for (;;) {
      const left = this.#hashes[at];
      if (!left) break;
      carried = nodeHash(left, carried);
      this.#hashes[at] = undefined;
      at++;
    }
    this.#hashes[at] = carried;
    this.#size += 2 ** level;
  }

  root(): Buffer {
    let root: Buffer | undefined;
    for (const hash of this.#hashes) {
      if (hash) root = root ? nodeHash(hash, root) : hash;
    }
    return root ?? EMPTY_ROOT;
  }
}
