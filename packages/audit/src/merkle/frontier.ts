import { hash } from 'node:crypto';
import { EMPTY_ROOT, nodeHash } from './hash.js';

/** The right edge of a growing tree: one hash for each complete subtree. Enough to append, and to know the root. */
export class Frontier {
  /** For each level 0x01, a left and a right hash: what RFC 6962 section 2.1 hashes. Left ones are there by the size's bits. */
  readonly #nodes: Buffer[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A leaf hash: the 32 bytes at `at`. */
  append(leaves: Uint8Array, at = 0): void {
    let rest = this.#size++;
    let node = this.#node(0);
    const isRight = rest % 2 === 1;
    node.set(leaves.subarray(at, at + 32), isRight ? 33 : 1);
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
