/** Leaves from `from` up to, not including, `to`: a subtree whose root a proof needs. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A complete subtree of 2^level leaves, the `place`-th of its level. */
export interface Subtree {
  readonly level: number;
  readonly place: number;
}

/** What proves that the leaf at `index` is in the tree of this size, from the leaf upwards. @see RFC 6962 section 2.1.1 */
export function inclusionRanges(index: number, size: number): Range[] {
  const path: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
    }
  }
  return path.toReversed();
}

/** What proves that the tree of `size1` is the beginning of that of `size2`. @see RFC 6962 section 2.1.2 */
export function consistencyRanges(size1: number, size2: number): Range[] {
  if (size1 === 0 || size1 === size2) return [];
  const path: Range[] = [];
  let [from, to] = [0, size2];
  let whole = true;
  while (to !== size1) {
    const middle = from + splitOf(to - from);
    if (size1 <= middle) {
      path.push({ from: middle, to });
      to = middle;
    } else {
      path.push({ from, to: middle });
      from = middle;
      whole = false;
    }
  }
  // The root of the old tree is known to who checks; a part of it is not.
  if (!whole) path.push({ from, to });
  return path.toReversed();
}

/** The complete subtrees that a range consists of, from the left. */
export function subtreesOf({ from, to }: Range): Subtree[] {
  const found: Subtree[] = [];
  let at = from;
  while (at < to) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level++;
    found.push({ level, place: at / 2 ** level });
    at += 2 ** level;
  }
  return found;
}

/** The largest power of two smaller than `count`. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}
