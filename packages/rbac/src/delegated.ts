import type { Principal } from '@portcullis/core';
import type { Administration } from './administration.js';

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

/** The same functions, each of which first asks whether the principal may. */
export function delegated<A extends Administration<never, never>>(
  inner: A,
  principal: Principal,
  require: (principal: Principal, permission: string) => Promise<unknown>,
): A {
  const wrapped = Object.entries(NEEDS).map(([name, permission]) => {
    const call = (inner as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]!;
    const ask = async (...args: unknown[]): Promise<unknown> => {
      await require(principal, permission);
      return call(...args);
    };
    return [name, ask] as const;
  });
  return Object.fromEntries(wrapped) as unknown as A;
}
