import { nearest, OptionError, type Clock } from '@portcullis/core';
import type { Actor, GrantOptions, TenantOptions } from './administration.js';
import type { Catalogue } from './catalogue.js';
import { errors } from './error-codes.js';
import { findCycle } from './hierarchy.js';
import { grammarHint } from './permissions.js';
import { MAX_ROLES } from './policy.js';
import { isRoleName, isUserId } from './records.js';
import type { Bounds, PolicyRecord, Provenance, RoleRecord } from './role-store.js';

// What administrators give, checked before anything is written; every refusal is a typed error.

/** The end of the year 9999: what every database and ISO 8601 can write. */
const MAX_TIME = 253_402_300_799_999;

export const GRANT_OPTIONS = ['tenant', 'from', 'until', 'reason', 'strict'];
export const CHANGE_OPTIONS = ['tenant', 'strict'];

/** A bound that is misspelt must not become a grant without an end. */
export function checkOptions(options: unknown, known: readonly string[]): void {
  if (options === undefined) return;
  if (!isRecord(options)) throw errors.E_GRANT_INVALID({ message: 'The options are an object.' });
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  const hint = near ? `Did you mean "${near}"?` : `Known: ${known.join(', ')}.`;
  throw errors.E_GRANT_INVALID({ message: `There is no option "${unknown.slice(0, 50)}". ${hint}` });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function actorId(actor: Actor): string {
  const id: unknown = typeof actor === 'string' ? actor : (actor as { id?: unknown } | undefined)?.id;
  if (!isUserId(id)) throw errors.E_GRANT_INVALID({ message: 'The one who makes the change needs an id.' });
  return id;
}

export function checkedUserId(userId: unknown): string {
  if (isUserId(userId)) return userId;
  throw errors.E_GRANT_INVALID({
    message: 'A user id is a well-formed string of 1 to 256 characters without NUL.',
  });
}

export function checkedBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw errors.E_GRANT_INVALID({ message: 'active must be true or false.' });
}

export function provenance(actor: Actor, reason: unknown, clock: Clock): Provenance {
  const grantedBy = actorId(actor);
  if (reason !== undefined && !isText(reason)) {
    throw errors.E_GRANT_INVALID({ message: 'The reason is a text of up to 1,000 characters.' });
  }
  return { grantedBy, grantedAt: clock.now(), ...(reason === undefined ? {} : { reason }) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 1000 && !value.includes('\0') && value.isWellFormed();
}

export function toTime(value: number | Date | undefined): number | undefined {
  return value instanceof Date ? value.getTime() : value;
}

export function checkBounds(options: GrantOptions | undefined, clock: Clock): Bounds {
  const from = toTime(options?.from);
  const until = toTime(options?.until);
  for (const [name, at] of Object.entries({ from, until })) {
    if (at !== undefined && !(Number.isInteger(at) && at >= 0 && at <= MAX_TIME)) {
      throw errors.E_GRANT_INVALID({ message: `${name} must be milliseconds since 1970, or a date.` });
    }
  }
  if (until !== undefined && until <= Math.max(from ?? -Infinity, clock.now())) {
    throw errors.E_GRANT_INVALID({ message: 'The grant would end before it begins to count.' });
  }
  return { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) };
}

export function checkTenant(options: TenantOptions | undefined): { readonly tenant?: string } {
  const tenant: unknown = options?.tenant;
  if (tenant === undefined) return {};
  if (isUserId(tenant)) return { tenant };
  throw errors.E_GRANT_INVALID({
    message: 'A tenant is "*" or a well-formed string of 1 to 256 characters without NUL.',
  });
}

export function storedRole(policy: PolicyRecord, name: unknown): RoleRecord {
  const found = policy.roles.find((role) => role.name === name);
  if (found) return found;
  const near =
    typeof name === 'string'
      ? nearest(
          name,
          policy.roles.map((role) => role.name),
        )
      : undefined;
  throw errors.E_ROLE_UNKNOWN({
    message: `There is no role ${JSON.stringify(String(name).slice(0, 100))}.${near ? ` Did you mean "${near}"?` : ''}`,
  });
}

const ROLE_KEYS = ['description', 'active', 'inherits', 'allow', 'deny'];

export function toRecord(name: unknown, definition: unknown): RoleRecord {
  const refuse = (problem: string): never => {
    throw errors.E_ROLE_INVALID({ message: problem });
  };
  if (!isRoleName(name)) return refuse('A role is named with 1 to 100 characters of A-Z a-z 0-9 _ . : -');
  if (!isRecord(definition)) return refuse(`Role "${name}" needs a definition.`);
  const given = definition;
  for (const key of Object.keys(given)) {
    if (key === 'name' || ROLE_KEYS.includes(key)) continue;
    const near = nearest(key, ROLE_KEYS);
    refuse(`Role "${name}" has no property "${key.slice(0, 50)}".${near ? ` Did you mean "${near}"?` : ''}`);
  }
  const { description = '', active = true } = given;
  if (!isText(description))
    return refuse(`The description of role "${name}" is a text of up to 1,000 characters.`);
  if (typeof active !== 'boolean') return refuse(`active of role "${name}" is true or false.`);
  const list = (key: 'inherits' | 'allow' | 'deny'): string[] => {
    const value = Object.hasOwn(given, key) && given[key] !== undefined ? given[key] : [];
    if (!Array.isArray(value) || value.length > 10_000 || !value.every((item) => typeof item === 'string')) {
      return refuse(`${key} of role "${name}" is a list of at most 10,000 names.`);
    }
    return [...new Set(value)].sort();
  };
  return {
    name,
    description,
    active,
    inherits: list('inherits'),
    allow: list('allow'),
    deny: list('deny'),
  };
}

export function sameRole(a: RoleRecord, b: RoleRecord): boolean {
  const text = ({ name, description, active, inherits, allow, deny }: RoleRecord): string =>
    JSON.stringify([name, description, active, ...[inherits, allow, deny].map((list) => [...list].sort())]);
  return text(a) === text(b);
}

/** Would the policy with these roles put in be sound? */
export function checkRoles(catalogue: Catalogue, policy: PolicyRecord, changed: readonly RoleRecord[]): void {
  const after = new Map(policy.roles.map((role) => [role.name, role]));
  for (const role of changed) after.set(role.name, role);
  for (const role of changed) {
    const known = [...after.values()];
    for (const parent of role.inherits) {
      if (!after.has(parent)) storedRole({ roles: known, inactivePermissions: [] }, parent);
    }
    const before = policy.roles.find(({ name }) => name === role.name);
    for (const pattern of [...role.allow, ...role.deny]) {
      // What is stored already may stay: it can be of a newer version of the app.
      if (before?.allow.includes(pattern) || before?.deny.includes(pattern)) continue;
      checkPattern(catalogue, pattern);
    }
  }
  if (after.size > MAX_ROLES) {
    throw errors.E_ROLE_INVALID({ message: `There can be at most ${MAX_ROLES} roles.` });
  }
  const cycle = findCycle(after);
  if (cycle) {
    throw errors.E_ROLE_CYCLE({ message: `A role cannot inherit from itself: ${showPath(cycle)}.` });
  }
}

/** The roles of the options, before anything is stored. @throws OptionError */
export function checkDeclared(catalogue: Catalogue, declared: unknown): void {
  if (declared === undefined) return;
  try {
    if (!isRecord(declared)) throw new TypeError('roles is an object of definitions.');
    const roles = Object.entries(declared).map(([name, definition]) => toRecord(name, definition));
    checkRoles(catalogue, { roles: [], inactivePermissions: [] }, roles);
  } catch (error) {
    throw new OptionError('E_OPTION_VALUE', 'createRbac', 'roles', (error as Error).message);
  }
}

function showPath(cycle: readonly string[]): string {
  const shown = cycle.length <= 12 ? cycle : [...cycle.slice(0, 6), '...', ...cycle.slice(-5)];
  return shown.join(' -> ');
}

export function checkPattern(catalogue: Catalogue, pattern: unknown): void {
  if (typeof pattern !== 'string' || catalogue.expand(pattern) === undefined)
    throw unknownPattern(catalogue, pattern);
}

export function unknownPattern(catalogue: Catalogue, pattern: unknown): Error {
  const text = String(pattern).slice(0, 80);
  const hint = text.includes('*')
    ? 'covers no declared permission ("*" is one whole segment, "**" the rest and last)'
    : grammarHint(text, catalogue.names);
  return errors.E_PERMISSION_UNKNOWN({ message: `The permission ${JSON.stringify(text)} ${hint}.` });
}
