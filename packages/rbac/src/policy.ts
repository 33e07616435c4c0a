import { clearBit, emptyBits, setBit, type BitSet } from './bit-set.js';
import { eachId, isEverything, type Catalogue } from './catalogue.js';
import { errors } from './error-codes.js';
import { findCycle } from './hierarchy.js';
import type { RoleIds } from './role-ids.js';
import type { Effect, PolicyRecord, RoleRecord } from './role-store.js';

/** More roles than that are data, not roles. The bits of 10,000 roles by 100,000 permissions take 125 MB. */
export const MAX_ROLES = 10_000;

/**
 * What all roles mean, with everything they inherit, turned round: each permission has a row of bits, one for each role. A
 * question touches one row, whatever the number of permissions.
 */
export interface CompiledPolicy {
  /** The revision at which the policy last changed. */
  readonly changedAt: number;
  readonly record: PolicyRecord;
  readonly ids: RoleIds;
  /** Names of active roles by their number; undefined for others. */
  readonly names: readonly (string | undefined)[];
  /** Without what superusers may. */
  readonly allow: BitRows;
  readonly deny: BitRows;
  /** By role: the active roles that it is or inherits from. */
  readonly includes: BitRows;
  /** Roles that allow everything (`**`), by themselves or by inheritance. */
  readonly superusers: BitSet;
  /** Permissions that are switched on. */
  readonly active: BitSet;
  /** Grants in the store that name no permission of this process; they grant nothing. */
  readonly unresolved: readonly string[];
}

/** Rows of bits in one piece of memory; rows and bits beyond its size are empty. */
export class BitRows {
  readonly #words: Uint32Array;
  readonly #stride: number;
  readonly #bits: number;
  /** No bits, and so nothing to look for. */
  readonly empty: boolean;

  constructor(rows: number, bits: number) {
    this.#stride = Math.max(1, (bits + 31) >>> 5);
    this.#words = new Uint32Array(rows * this.#stride);
    this.#bits = bits;
    this.empty = rows === 0;
  }

  has(row: number, bit: number): boolean {
    return bit < this.#bits && (this.#words[row * this.#stride + (bit >>> 5)]! & (1 << (bit & 31))) !== 0;
  }

  add(row: number, bit: number): void {
    this.#words[row * this.#stride + (bit >>> 5)]! |= 1 << (bit & 31);
  }

  addAll(row: number, bits: readonly number[]): void {
    const words = this.#words;
    const start = row * this.#stride;
    for (let i = 0; i < bits.length; i++) {
      const bit = bits[i]!;
      words[start + (bit >>> 5)]! |= 1 << (bit & 31);
    }
  }

  uniteRow(row: number, from: BitRows, fromRow: number): void {
    const [into, start] = [row * this.#stride, fromRow * from.#stride];
    for (let i = 0; i < this.#stride; i++) this.#words[into + i]! |= from.#words[start + i]!;
  }

  /** Calls back with each bit of a row. */
  each(row: number, use: (bit: number) => void): void {
    for (let i = 0; i < this.#stride; i++) {
      for (let word = this.#words[row * this.#stride + i]!; word !== 0; word &= word - 1) {
        use(i * 32 + 31 - Math.clz32(word & -word));
      }
    }
  }

  clearRow(row: number): void {
    this.#words.fill(0, row * this.#stride, (row + 1) * this.#stride);
  }
}

/**
 * Resolves hierarchy, patterns and active flags, once per change of the policy.
 * @throws E_POLICY_INVALID if the stored roles have a cycle, a repeated role or an unknown parent, or are too many
 */
export function compilePolicy(
  catalogue: Catalogue,
  record: PolicyRecord,
  changedAt: number,
  ids: RoleIds,
): CompiledPolicy {
  const stored = new Map(record.roles.map((role) => [role.name, role]));
  if (stored.size !== record.roles.length) throw errors.E_POLICY_INVALID({ details: 'a role occurs twice' });
  if (stored.size > MAX_ROLES) throw errors.E_POLICY_INVALID({ details: `more than ${MAX_ROLES} roles` });
  const cycle = findCycle(stored);
  if (cycle) throw errors.E_POLICY_INVALID({ details: { cycle } });

  const sorted = parentsFirst(stored);
  for (const { name } of sorted) ids.of(name);
  const roles = sorted.filter((role) => role.active);
  const names: (string | undefined)[] = Array.from({ length: ids.size });
  for (const { name } of roles) names[ids.of(name)] = name;
  const includes = new BitRows(ids.size, ids.size);
  for (const { name, inherits } of roles) {
    const id = ids.of(name);
    includes.add(id, id);
    // An inactive parent has an empty row: it passes nothing on.
    for (const parent of inherits) includes.uniteRow(id, includes, ids.of(parent));
  }
  const superusers = emptyBits(ids.size);
  /** By role: itself and the active roles that inherit from it. */
  const heirs: number[][] = Array.from({ length: ids.size }, () => []);
  for (const { name } of roles) {
    const heir = ids.of(name);
    includes.each(heir, (id) => heirs[id]!.push(heir));
  }

  const unresolved: string[] = [];
  const rows = (effect: Effect): BitRows => {
    // Where nobody denies anything there are no rows.
    const some = roles.some((role) => role[effect].length > 0);
    const into = new BitRows(some ? catalogue.size : 0, some ? ids.size : 0);
    for (const role of roles) {
      const theirs = heirs[ids.of(role.name)]!;
      const patterns = role[effect];
      for (let i = 0; i < patterns.length; i++) {
        const pattern = patterns[i]!;
        // Nearly all of them are names: those go the short way.
        const id = catalogue.idOf(pattern);
        if (id !== undefined) into.addAll(id, theirs);
        else if (effect === 'allow' && isEverything(pattern)) {
          // What a superuser may is known without 10,000 bits.
          for (const heir of theirs) setBit(superusers, heir);
        } else {
          const coverage = catalogue.expand(pattern);
          if (coverage === undefined) unresolved.push(pattern);
          else eachId(coverage, (permission) => into.addAll(permission, theirs));
        }
      }
    }
    return into;
  };
  const allow = rows('allow');
  const deny = rows('deny');

  const active = emptyBits(catalogue.size).fill(~0);
  for (const name of record.inactivePermissions) {
    const id = catalogue.idOf(name);
    if (id === undefined) continue;
    clearBit(active, id);
    allow.clearRow(id);
  }
  return { changedAt, record, ids, names, allow, deny, includes, superusers, active, unresolved };
}

/** Without recursion: a chain of 10,000 roles must not end the process. */
function parentsFirst(roles: ReadonlyMap<string, RoleRecord>): RoleRecord[] {
  const order: RoleRecord[] = [];
  const done = new Set<string>();
  for (const start of roles.values()) {
    if (start.inherits.length === 0 && !done.has(start.name)) {
      done.add(start.name);
      order.push(start);
      continue;
    }
    const stack = [start];
    while (stack.length > 0) {
      const role = stack.at(-1)!;
      if (done.has(role.name)) {
        stack.pop();
        continue;
      }
      const missing = role.inherits.filter((name) => !done.has(name));
      if (missing.length === 0) {
        stack.pop();
        done.add(role.name);
        order.push(role);
        continue;
      }
      for (const name of missing) {
        const parent = roles.get(name);
        if (!parent) throw errors.E_POLICY_INVALID({ details: { role: role.name, unknownParent: name } });
        stack.push(parent);
      }
    }
  }
  return order;
}
