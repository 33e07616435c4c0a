import { BitRows } from './bit-rows.js';
import { clearBit, emptyBits, hasBit, setBit, type BitSet } from './bit-set.js';
import { isEverything, type Catalogue, type Coverage } from './catalogue.js';
import { errors } from './error-codes.js';
import { findCycle } from './hierarchy.js';
import { Holders } from './holders.js';
import { maskOf } from './judge.js';
import type { RoleIds } from './role-ids.js';
import type { Effect, PolicyRecord, RoleRecord } from './role-store.js';

/** More roles than that are data, not roles. Where each of 10,000 holds each of 100,000 permissions that takes 125 MB. */
export const MAX_ROLES = 10_000;

/**
 * What all roles mean, with everything they inherit, turned round: each permission has the roles that hold it. A question
 * touches one place, whatever the number of permissions.
 */
export interface CompiledPolicy {
  /** The revision at which the policy last changed. */
  readonly changedAt: number;
  readonly record: PolicyRecord;
  readonly ids: RoleIds;
  /** Names of active roles by their number; undefined for others. */
  readonly names: readonly (string | undefined)[];
  /** Without what superusers may. */
  readonly allow: Holders;
  readonly deny: Holders;
  /** By role: the active roles that it is or inherits from. */
  readonly includes: BitRows;
  /** Roles that allow everything (`**`), by themselves or by inheritance. */
  readonly superusers: BitSet;
  /** Of their numbers, as `maskOf` makes it. */
  readonly superuserMask: number;
  /** Permissions that are switched on. */
  readonly active: BitSet;
  /** Grants in the store that name no permission of this process; they grant nothing. */
  readonly unresolved: readonly string[];
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
  const { includes, heirs } = inheritance(roles, ids);
  const active = emptyBits(catalogue.size).fill(~0);
  for (const name of record.inactivePermissions) {
    const id = catalogue.idOf(name);
    if (id !== undefined) clearBit(active, id);
  }

  const superusers = emptyBits(ids.size);
  let superuserMask = 0;
  const unresolved: string[] = [];
  const holders = (effect: Effect): Holders => {
    const given = { heirs: [] as (readonly number[])[], covered: [] as Coverage[] };
    for (const role of roles) {
      const theirs = heirs[ids.of(role.name)]!;
      for (const pattern of role[effect]) {
        // Nearly all of them are names: those go the short way.
        const coverage = catalogue.idOf(pattern) ?? catalogue.expand(pattern);
        if (effect === 'allow' && isEverything(pattern)) {
          // What a superuser may is known without 10,000 bits.
          for (const heir of theirs) setBit(superusers, heir);
          superuserMask |= maskOf(theirs);
        } else if (coverage === undefined) unresolved.push(pattern);
        else {
          given.heirs.push(theirs);
          given.covered.push(effect === 'allow' ? switchedOn(coverage, active) : coverage);
        }
      }
    }
    return new Holders(catalogue.size, ids.size, given);
  };
  const allow = holders('allow');
  const deny = holders('deny');
  return {
    changedAt,
    record,
    ids,
    names,
    allow,
    deny,
    includes,
    superusers,
    superuserMask,
    active,
    unresolved,
  };
}

/** What of it is switched on. */
function switchedOn(coverage: Coverage, active: BitSet): Coverage {
  if (typeof coverage !== 'number') return coverage.map((word, i) => word & active[i]!);
  return hasBit(active, coverage) ? coverage : NOTHING;
}

const NOTHING: BitSet = emptyBits(0);

/** By role: the active roles that it is or inherits from, and the other way round. */
function inheritance(
  roles: readonly RoleRecord[],
  ids: RoleIds,
): { readonly includes: BitRows; readonly heirs: readonly (readonly number[])[] } {
  const includes = new BitRows(ids.size, ids.size);
  const heirs: number[][] = Array.from({ length: ids.size });
  for (const { name, inherits } of roles) {
    const id = ids.of(name);
    heirs[id] = [];
    includes.add(id, id);
    // An inactive parent has an empty row: it passes nothing on.
    for (const parent of inherits) includes.uniteRow(id, ids.of(parent));
    includes.each(id, (each) => heirs[each]!.push(id));
  }
  return { includes, heirs };
}

/** Without recursion: a chain of 10,000 roles must not end the process. */
function parentsFirst(roles: ReadonlyMap<string, RoleRecord>): RoleRecord[] {
  /** A role that comes again keeps its place. */
  const done = new Map<string, RoleRecord>();
  for (const start of roles.values()) {
    const stack = [start];
    while (stack.length > 0) {
      const role = stack.at(-1)!;
      const missing = role.inherits.filter((name) => !done.has(name));
      if (missing.length === 0) {
        stack.pop();
        done.set(role.name, role);
      }
      for (const name of missing) {
        const parent = roles.get(name);
        if (!parent) throw errors.E_POLICY_INVALID({ details: { role: role.name, unknownParent: name } });
        stack.push(parent);
      }
    }
  }
  return [...done.values()];
}
