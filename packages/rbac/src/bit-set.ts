/** Sets of small numbers as words of 32 bits: membership is one shift and one mask. */
export type BitSet = Uint32Array;

export function emptyBits(size: number): BitSet {
  return new Uint32Array(Math.max(1, (size + 31) >>> 5));
}

export function setBit(bits: BitSet, index: number): void {
  bits[index >>> 5]! |= 1 << (index & 31);
}

export function clearBit(bits: BitSet, index: number): void {
  bits[index >>> 5]! &= ~(1 << (index & 31));
}

/** False for an index outside of the set. */
export function hasBit(bits: BitSet, index: number): boolean {
  return ((bits[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
}

export function isEmpty(bits: BitSet): boolean {
  return bits.every((word) => word === 0);
}
