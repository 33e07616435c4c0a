import type { PolicyRecord, RoleRecord, UserRecord } from './role-store.js';
import { inTenant, isTenant } from './tenant.js';

type Roles = ReadonlyMap<string, RoleRecord>;

export function rolesByName({ roles }: Pick<PolicyRecord, 'roles'>): Roles {
  return new Map(roles.map((role) => [role.name, role]));
}

/** The role and everything it inherits, switched off or not. */
export function reachOf(roles: Roles, name: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next) || !roles.has(next)) continue;
    reached.add(next);
    open.push(...roles.get(next)!.inherits);
  }
  return reached;
}

/** Every role that is one of these or inherits from one of them. */
export function heirsOf(roles: Roles, names: Iterable<string>): readonly string[] {
  const wanted = new Set(names);
  return [...roles.keys()].filter((name) => [...reachOf(roles, name)].some((each) => wanted.has(each)));
}

/** Assignments that have not ended; what begins later counts already. */
export function lastingRoles(user: UserRecord, now: number): UserRecord['roles'] {
  return user.roles.filter(({ until }) => until === undefined || until > now);
}

/** The places where a user's grants have to be looked at one by one: where there is no tenant, each that is named, and another. */
export function placesOf(user: UserRecord): readonly (string | undefined)[] {
  const named = [...user.roles, ...user.rules].map(({ tenant }) => tenant).filter(isTenant);
  return [undefined, ...new Set(named)];
}

export function countsIn<T extends { readonly tenant?: string }>(
  grants: readonly T[],
  place: string | undefined,
): readonly T[] {
  return grants.filter(({ tenant }) => inTenant(tenant, place));
}
