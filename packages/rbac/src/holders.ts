import { eachId, type Coverage } from './catalogue.js';
import { hasPacked, PACKABLE, type PackedRoles } from './packed-roles.js';

/** Roles that were given something, each with the permissions that it covers. */
export interface Given {
  /** By grant: the role, itself and with whoever inherits from it. */
  readonly heirs: readonly (readonly number[])[];
  /** By grant. */
  readonly covered: readonly Coverage[];
}

/** A row of so many small numbers: what it is, and the roles. Two rows or four are one line of a processor's cache. */
const ROW = 8;
const FEW = ROW - 1;
/** In the place of a role that is not there; no role that is packed has this number. */
const NOBODY = 0xffff;

/**
 * By permission: the roles that hold it. Few of them stand in the permission's row, and nothing else is read then; many are bits
 * elsewhere, whose place the row says.
 */
export class Holders {
  readonly #rows: Uint16Array;
  readonly #bits: Uint32Array;
  readonly #stride: number;
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
    const few = roles > PACKABLE ? 0 : FEW;
    const rows = new Uint16Array(counts.length * ROW).fill(NOBODY);
    let many = 0;
    for (let id = 0; id < counts.length; id++) {
      const isMany = counts[id]! > few;
      rows[id * ROW] = isMany ? 1 : 0;
      if (!isMany) continue;
      rows[id * ROW + 1] = many >>> 16;
      rows[id * ROW + 2] = many++ & 0xffff;
    }
    this.#rows = rows;
    this.#stride = (roles + 31) >>> 5;
    const bits = new Uint32Array(many * this.#stride);
    this.#bits = bits;
    // From here on: how many of a row are there already.
    counts.fill(0);
    const put = (id: number, theirs: readonly number[]): void => {
      const row = id * ROW;
      if (rows[row] === 0) {
        for (let i = 0; i < theirs.length; i++) rows[row + ++counts[id]!] = theirs[i]!;
      } else {
        const start = this.#startOf(row);
        for (let i = 0; i < theirs.length; i++) bits[start + (theirs[i]! >>> 5)]! |= 1 << (theirs[i]! & 31);
      }
    };
    for (let i = 0; i < covered.length; i++) {
      const coverage = covered[i]!;
      if (typeof coverage === 'number') put(coverage, heirs[i]!);
      else eachId(coverage, (id) => put(id, heirs[i]!));
    }
  }

  /**
   * Does one of these roles hold it? From the side of the permission, which few roles hold.
   * @param packed the roles; where there are many holders, they are looked for one by one
   */
  hasAny(permission: number, packed: PackedRoles, roles: readonly number[]): boolean {
    if (this.empty) return false;
    const rows = this.#rows;
    const row = permission * ROW;
    if (rows[row] !== 0) {
      for (let i = 0; i < roles.length; i++) if (this.has(permission, roles[i]!)) return true;
      return false;
    }
    for (let i = 1; i <= FEW; i++) {
      const role = rows[row + i]!;
      if (role === NOBODY) return false;
      if (hasPacked(packed, role)) return true;
    }
    return false;
  }

  /** @param permission number of a permission that exists */
  has(permission: number, role: number): boolean {
    if (this.empty) return false;
    const rows = this.#rows;
    const row = permission * ROW;
    if (rows[row] !== 0) {
      const word = role >>> 5;
      return word < this.#stride && (this.#bits[this.#startOf(row) + word]! & (1 << (role & 31))) !== 0;
    }
    if (role >= PACKABLE) return false;
    for (let i = 1; i <= FEW; i++) if (rows[row + i] === role) return true;
    return false;
  }

  #startOf(row: number): number {
    return ((this.#rows[row + 1]! << 16) | this.#rows[row + 2]!) * this.#stride;
  }
}
