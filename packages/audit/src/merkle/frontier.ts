import { hash } from 'node:crypto';
import { EMPTY_ROOT, nodeHash } from './hash.js';
import type { Range } from './ranges.js';

/** The right edge of a growing tree: one hash for each complete subtree. Enough to append, and to know the root. */
export class Frontier {
  /** For each level 0x01, a left and a right hash: what RFC 6962 section 2.1 hashes. Left ones are there by the size's bits. */
  readonly #nodes: Buffer[] = [];
  #size = 0;

  /** From its complete subtrees, from the left; undefined if there are not as many as a tree of this size has. */
  static of(size: number, hashes: readonly Buffer[]): Frontier | undefined {
    const frontier = new Frontier();
    const levels = levelsOf(size);
    if (levels.length !== hashes.length || hashes.some(({ length }) => length !== 32)) return undefined;
    for (const [i, level] of levels.entries()) frontier.#node(level).set(hashes[i]!, 1);
    frontier.#size = size;
    return frontier;
  }

  /** Roots of the complete subtrees, from the left. */
  get hashes(): Buffer[] {
    return levelsOf(this.#size).map((level) => Buffer.from(this.#nodes[level]!.subarray(1, 33)));
  }

  /**
   * The part of it that lies in a subtree which an entry after it needs for its proof. Such a subtree never begins within one of
   * the complete ones: its parent would have to hold the entry.
   */
  within({ from, to }: Range): Frontier {
    const part: Buffer[] = [];
    let at = 0;
    for (const [i, level] of levelsOf(this.#size).entries()) {
      if (at >= from && at < to) part.push(this.hashes[i]!);
      at += 2 ** level;
    }
    return Frontier.of(Math.max(0, Math.min(this.#size, to) - from), part)!;
  }

  get size(): number {
    return this.#size;
  }

  /** A leaf hash: the 32 bytes at `at`. */
  append(leaves: Uint8Array, at = 0): void {
    let rest = this.#size++;
    let node = this.#node(0);
    const to = rest % 2 === 1 ? 33 : 1;
    // A view of the leaf for set() would be one more object for each entry of a log.
    for (let i = 0; i < 32; i++) node[to + i] = leaves[at + i]!;
    for (let level = 1; rest % 2 === 1; level++) {
      // Hashes come out as text at a third of the time that a Buffer takes.
      const carried = hash('sha256', node, 'latin1' as 'hex');
      rest = (rest - 1) / 2;
      node = this.#node(level);
      node.write(carried, rest % 2 === 1 ? 33 : 1, 'latin1');
    }
  }

  root(): Buffer {
    let root: Buffer | undefined;
    for (let level = 0, rest = this.#size; rest > 0; level++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 0) continue;
      const left = this.#nodes[level]!.subarray(1, 33);
      root = root ? nodeHash(left, root) : Buffer.from(left);
    }
    return root ?? EMPTY_ROOT;
  }

  #node(level: number): Buffer {
    return (this.#nodes[level] ??= Buffer.alloc(65, 1));
  }
}

/** Of the complete subtrees that a tree of this size consists of, from the left. */
function levelsOf(size: number): number[] {
  const levels: number[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) levels.unshift(level);
  }
  return levels;
}
