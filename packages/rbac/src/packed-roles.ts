/**
 * Up to six roles in three numbers, so that the commonest question finds them where it finds the user, and has not to follow
 * references through memory that no cache holds.
 */
export interface PackedRoles {
  /** -1 where they cannot be packed, or are not all that counts. */
  readonly first: number;
  readonly second: number;
  readonly third: number;
}

/** Numbers below it have fifteen bits, and one is left over. */
export const PACKABLE = 0x7fff;
/** In the place of a role that is not there. */
const NONE = PACKABLE;
const MOST = 6;

export function pack(roles: readonly number[]): PackedRoles {
  if (roles.length > MOST || roles.some((role) => role >= PACKABLE)) return UNPACKED;
  const pair = (at: number): number => (roles[at] ?? NONE) | ((roles[at + 1] ?? NONE) << 16);
  return { first: pair(0), second: pair(2), third: pair(4) };
}

export const UNPACKED: PackedRoles = Object.freeze({ first: -1, second: -1, third: -1 });

/** Is the role one of them? All six are compared at once: the difference of a pair has a half that is 0. */
export function hasPacked(packed: PackedRoles, role: number): boolean {
  const both = role | (role << 16);
  const a = packed.first ^ both;
  const b = packed.second ^ both;
  const c = packed.third ^ both;
  return ((((a - ONES) & ~a) | ((b - ONES) & ~b) | ((c - ONES) & ~c)) & TOPS) !== 0;
}

const ONES = 0x0001_0001;
const TOPS = 0x8000_8000 | 0;
