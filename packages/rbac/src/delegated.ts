import type { Principal } from '@portcullis/core';
import type { Administration } from './administration.js';
import type { Bounds, UserRecord } from './role-store.js';
import { inTenant } from './tenant.js';

/** What has to be allowed to the principal for each function. */
const NEEDS: Readonly<Record<keyof Administration<string, string>, string>> = {
  grantRole: 'rbac:grant',
  revokeRole: 'rbac:grant',
  grantPermission: 'rbac:grant',
  denyPermission: 'rbac:grant',
  revokePermission: 'rbac:grant',
  liftDenial: 'rbac:grant',
  setUserActive: 'rbac:grant',
  defineRole: 'rbac:define',
  setRolePermissions: 'rbac:define',
  setRoleActive: 'rbac:define',
  removeRole: 'rbac:define',
  setPermissionActive: 'rbac:define',
  seed: 'rbac:define',
  rolesOf: 'rbac:read',
  grantsOf: 'rbac:read',
  roles: 'rbac:read',
};

const READS: ReadonlySet<string> = new Set(['seed', 'rolesOf', 'grantsOf', 'roles']);

/**
 * The same functions, each of which first asks whether the principal may. The one who makes a change is the principal, whoever is
 * named; who acts in a tenant sees the grants that count there.
 */
export function delegated<A extends Administration<never, never>>(
  inner: A,
  principal: Principal,
  require: (principal: Principal, permission: string) => Promise<unknown>,
): A {
  const wrapped = Object.entries(NEEDS).map(([name, permission]) => {
    const call = (inner as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]!;
    const ask = async (...args: unknown[]): Promise<unknown> => {
      await require(principal, permission);
      const found = await (READS.has(name) ? call(...args) : call(principal, ...args.slice(1)));
      return principal.tenant === undefined ? found : seenIn(principal.tenant, name, found);
    };
    return [name, ask] as const;
  });
  return Object.fromEntries(wrapped) as unknown as A;
}

function seenIn(tenant: string, name: string, found: unknown): unknown {
  const here = <T extends Bounds>(grants: readonly T[]): readonly T[] =>
    grants.filter((grant) => inTenant(grant.tenant, tenant));
  if (name === 'rolesOf') return here(found as UserRecord['roles']);
  if (name !== 'grantsOf') return found;
  const user = found as UserRecord;
  return { ...user, roles: here(user.roles), rules: here(user.rules) };
}
