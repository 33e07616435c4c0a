import { errors } from './error-codes.js';
import type { PolicyRecord, UserRecord } from './role-store.js';

/** Ids of users are the app's: 1 to 256 characters that every store keeps apart. */
export function isUserId(id: unknown): id is string {
  // Lone surrogates all become U+FFFD in UTF-8: two such ids would be one user in a database.
  return typeof id === 'string' && id !== '' && id.length <= 256 && !id.includes('\0') && id.isWellFormed();
}

/** Case-sensitive ASCII, so that no two roles look alike: 1 to 100 characters. */
export function isRoleName(name: unknown): name is string {
  return typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/.test(name);
}

/** What a store answered, checked: a denial that is read wrongly would be an allowance. */
export function checkPolicyRecord(record: PolicyRecord | undefined): PolicyRecord {
  const sound =
    isObject(record) &&
    isStrings(record.inactivePermissions) &&
    Array.isArray(record.roles) &&
    record.roles.every(
      (role) =>
        isObject(role) &&
        isRoleName(role.name) &&
        typeof role.active === 'boolean' &&
        isStrings(role.inherits) &&
        isStrings(role.allow) &&
        isStrings(role.deny),
    );
  if (!sound) throw errors.E_POLICY_INVALID({ details: 'the store answered no policy record' });
  return record;
}

export function checkUserRecord(record: UserRecord | undefined): UserRecord {
  const sound =
    isObject(record) &&
    typeof record.active === 'boolean' &&
    Array.isArray(record.roles) &&
    Array.isArray(record.rules) &&
    record.roles.every((given) => isObject(given) && typeof given.role === 'string' && hasBounds(given)) &&
    record.rules.every(
      (rule) =>
        isObject(rule) &&
        typeof rule.permission === 'string' &&
        (rule.effect === 'allow' || rule.effect === 'deny') &&
        hasBounds(rule),
    );
  if (!sound) throw errors.E_ROLES_UNAVAILABLE({ details: 'the store answered no user record' });
  return record;
}

function hasBounds(grant: { from?: unknown; until?: unknown; tenant?: unknown }): boolean {
  return (
    [grant.from, grant.until].every((bound) => bound === undefined || Number.isFinite(bound)) &&
    (grant.tenant === undefined || (typeof grant.tenant === 'string' && grant.tenant !== ''))
  );
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isObject<T>(value: T | undefined | null): value is T & object {
  return typeof value === 'object' && value !== null;
}
