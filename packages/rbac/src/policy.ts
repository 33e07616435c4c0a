import { clearBit, emptyBits, setBit, unite, type BitSet } from './bit-set.js';
import { addCoverage, type Catalogue } from './catalogue.js';
import { errors } from './error-codes.js';
import { findCycle } from './hierarchy.js';
import type { PolicyRecord, RoleRecord } from './role-store.js';

/** What one role means with everything it inherits. */
export interface CompiledRole {
  readonly name: string;
  readonly allow: BitSet;
  readonly deny: BitSet;
  readonly index: number;
  /** Indexes of this role and of all active ones that it inherits from. */
  readonly includes: BitSet;
}

export interface CompiledPolicy {
  /** The revision at which the policy last changed. */
  readonly changedAt: number;
  readonly record: PolicyRecord;
  /** Active roles only. */
  readonly roles: ReadonlyMap<string, CompiledRole>;
  /** Permissions that are switched on. */
  readonly active: BitSet;
  /** Grants in the store that name no permission of this process; they grant nothing. */
  readonly unresolved: readonly string[];
}

/**
 * Resolves hierarchy, patterns and active flags, once per change of the policy.
 * @throws E_POLICY_INVALID if the stored roles have a cycle, a repeated role or an unknown parent
 */
export function compilePolicy(catalogue: Catalogue, record: PolicyRecord, changedAt: number): CompiledPolicy {
  const stored = new Map(record.roles.map((role) => [role.name, role]));
  if (stored.size !== record.roles.length) throw errors.E_POLICY_INVALID({ details: 'a role occurs twice' });
  const cycle = findCycle(stored);
  if (cycle) throw errors.E_POLICY_INVALID({ details: { cycle } });

  const unresolved: string[] = [];
  const roles = new Map<string, CompiledRole>();
  for (const [index, role] of parentsFirst(stored).entries()) {
    if (!role.active) continue;
    const includes = emptyBits(stored.size);
    setBit(includes, index);
    roles.set(role.name, compileRole(catalogue, role, { index, includes }, roles, unresolved));
  }
  const active = emptyBits(catalogue.size);
  for (let id = 0; id < catalogue.size; id++) setBit(active, id);
  for (const name of record.inactivePermissions) {
    const id = catalogue.idOf(name);
    if (id !== undefined) clearBit(active, id);
  }
  for (const role of roles.values()) {
    for (let i = 0; i < active.length; i++) role.allow[i]! &= active[i]!;
  }
  return { changedAt, record, roles, active, unresolved };
}

function compileRole(
  catalogue: Catalogue,
  role: RoleRecord,
  { index, includes }: Pick<CompiledRole, 'index' | 'includes'>,
  compiled: ReadonlyMap<string, CompiledRole>,
  unresolved: string[],
): CompiledRole {
  const allow = emptyBits(catalogue.size);
  const deny = emptyBits(catalogue.size);
  for (const [into, patterns] of [
    [allow, role.allow],
    [deny, role.deny],
  ] as const) {
    for (const pattern of patterns) {
      const coverage = catalogue.expand(pattern);
      if (coverage !== undefined) addCoverage(into, coverage);
      else unresolved.push(pattern);
    }
  }
  for (const name of role.inherits) {
    const parent = compiled.get(name);
    if (!parent) continue; // Inactive: it passes nothing on.
    unite(allow, parent.allow);
    unite(deny, parent.deny);
    unite(includes, parent.includes);
  }
  return { name: role.name, index, allow, deny, includes };
}

/** Without recursion: a chain of 100,000 roles must not end the process. */
function parentsFirst(roles: ReadonlyMap<string, RoleRecord>): RoleRecord[] {
  const order: RoleRecord[] = [];
  const done = new Set<string>();
  for (const start of roles.values()) {
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
