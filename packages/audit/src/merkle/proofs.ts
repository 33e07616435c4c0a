import { nodeHash } from './hash.js';

/** No tree of ours comes near; beyond, sizes would not be exact. */
const MAX_SIZE = Number.MAX_SAFE_INTEGER;

/**
 * Is the leaf at `index` in the tree of this size and root?
 * @see RFC 9162 section 2.1.3.2
 */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Buffer,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([leaf, root, ...proof])) return false;
  let [place, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(place) || place === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(place) && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && hash.equals(root);
}

/**
 * Is the tree of `size1` and `root1` the beginning of the tree of `size2` and `root2`? The empty tree is the beginning of every
 * tree, without proof; it is refused here, because a proof of it proves nothing.
 * @see RFC 9162 section 2.1.4.2
 */
export function verifyConsistency(
  size1: number,
  size2: number,
  root1: Buffer,
  root2: Buffer,
  proof: readonly Buffer[],
): boolean {
  if (!isSize(size1) || !isSize(size2) || size1 === 0 || size1 > size2) return false;
  if (size1 === size2) return proof.length === 0 && root1.equals(root2);
  if (!areHashes([root1, root2, ...proof])) return false;
  const path = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  if (path.length === 0 || proof.length === 0) return false;
  let [place, last] = [size1 - 1, size2 - 1];
  while (isOdd(place)) [place, last] = [half(place), half(last)];
  let [first, second] = [path[0]!, path[0]!];
  for (const hash of path.slice(1)) {
    if (last === 0) return false;
    if (isOdd(place) || place === last) {
      first = nodeHash(hash, first);
      second = nodeHash(hash, second);
      while (!isOdd(place) && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      second = nodeHash(second, hash);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && first.equals(root1) && second.equals(root2);
}

function isSize(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_SIZE;
}

function areHashes(hashes: readonly Buffer[]): boolean {
  return hashes.every(({ length }) => length === 32);
}

// Bit operators work on 32 bits.
function isOdd(value: number): boolean {
  return value % 2 === 1;
}
function half(value: number): number {
  return Math.floor(value / 2);
}
function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (!isOdd(rest)) rest = half(rest);
  return rest === 1;
}
