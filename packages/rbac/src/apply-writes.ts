import type { PolicyRecord, RoleWrite, UserRecord } from './role-store.js';

/** A user nobody wrote about. */
export const NOBODY: UserRecord = Object.freeze({
  active: true,
  roles: Object.freeze([]),
  rules: Object.freeze([]),
});

/** What roles and permissions are after a write. */
export function policyAfter(policy: PolicyRecord, write: RoleWrite): PolicyRecord {
  const { roles, inactivePermissions } = policy;
  switch (write.kind) {
    case 'put-role':
      return { ...policy, roles: [...roles.filter(({ name }) => name !== write.role.name), write.role] };
    case 'remove-role':
      return { ...policy, roles: roles.filter(({ name }) => name !== write.name) };
    case 'set-permission-active': {
      const others = inactivePermissions.filter((name) => name !== write.permission);
      return { ...policy, inactivePermissions: write.active ? others : [...others, write.permission] };
    }
    default:
      return policy;
  }
}

/** What a user has after a write, be it about this user, another one or a role. */
export function userAfter(userId: string, user: UserRecord, write: RoleWrite): UserRecord {
  if (write.kind === 'remove-role') {
    const roles = user.roles.filter(({ role }) => role !== write.name);
    return roles.length === user.roles.length ? user : { ...user, roles };
  }
  if (!('userId' in write) || write.userId !== userId) return user;
  switch (write.kind) {
    case 'put-assignment':
      return { ...user, roles: [...rolesBut(user, write.assignment), write.assignment] };
    case 'remove-assignment':
      return { ...user, roles: rolesBut(user, write) };
    case 'put-rule':
      return { ...user, rules: [...rulesBut(user, write.rule), write.rule] };
    case 'remove-rule':
      return { ...user, rules: rulesBut(user, write) };
    case 'set-user-active':
      return { ...user, active: write.active };
    default:
      return user;
  }
}

function rolesBut(user: UserRecord, key: { role: string; tenant?: string }): UserRecord['roles'] {
  return user.roles.filter(({ role, tenant }) => role !== key.role || tenant !== key.tenant);
}

function rulesBut(
  user: UserRecord,
  key: { effect: string; permission: string; tenant?: string },
): UserRecord['rules'] {
  return user.rules.filter(
    ({ effect, permission, tenant }) =>
      effect !== key.effect || permission !== key.permission || tenant !== key.tenant,
  );
}
