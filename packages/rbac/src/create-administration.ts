import type { Clock, Events, Freshness } from '@portcullis/core';
import type {
  Actor,
  Administration,
  ChangeOptions,
  GrantOptions,
  SeedResult,
  TenantOptions,
  Written,
} from './administration.js';
import type { Catalogue } from './catalogue.js';
import {
  actorId,
  CHANGE_OPTIONS,
  checkBounds,
  checkedBoolean,
  checkedUserId,
  checkOptions,
  checkPattern,
  checkRoles,
  checkTenant,
  GRANT_OPTIONS,
  provenance,
  sameRole,
  storedRole,
  toRecord,
  toTime,
  unknownPattern,
} from './checked-input.js';
import { errors } from './error-codes.js';
import type { FactsCache } from './facts.js';
import { checkPolicyRecord, checkUserRecord } from './records.js';
import type { RoleDefinitions } from './role-definition.js';
import {
  POLICY_TOPIC,
  USER_TOPIC,
  type Bounds,
  type DirectRule,
  type Effect,
  type PolicyRecord,
  type Provenance,
  type RoleRecord,
  type RoleStore,
  type RoleWrite,
  type UserRecord,
} from './role-store.js';
import { EVERY_TENANT } from './tenant.js';
import type { WriteCheck } from './write-check.js';
import { createWriter } from './writer.js';

interface Deps {
  readonly store: RoleStore;
  readonly catalogue: Catalogue;
  readonly facts: FactsCache;
  readonly freshness: Freshness;
  readonly clock: Clock;
  readonly events: Events;
  readonly declared: RoleDefinitions | undefined;
  readonly writeDeadlineMs: number;
  /** Asked about every write, at every attempt. */
  readonly checks: readonly WriteCheck[];
}

export function createAdministration<Name extends string, Role extends string>(
  deps: Deps,
): Administration<Name, Role> {
  const { store, catalogue, facts, freshness, clock, events, declared, writeDeadlineMs, checks } = deps;

  const { write, read } = createWriter({ store, facts, writeDeadlineMs, checks });

  const settle = async (options: ChangeOptions | undefined): Promise<void> => {
    if (options?.strict) await freshness.settled();
  };

  async function writeUser(
    actor: Actor,
    userId: string,
    what: string,
    plan: (policy: PolicyRecord, by: Provenance) => readonly RoleWrite[],
    options: GrantOptions & ChangeOptions = {},
    kind: 'granted' | 'revoked' = 'granted',
  ): Promise<Written> {
    const by = provenance(actor, options.reason, clock);
    const id = checkedUserId(userId);
    const { revision } = await write((policy) => ({
      writes: plan(policy, by),
      changes: [{ topic: USER_TOPIC, subject: id }],
      changesPolicy: false,
    }));
    const until = toTime(options.until);
    const { tenant } = options;
    const base = {
      actor: by.grantedBy,
      userId: id,
      what,
      ...(tenant === undefined ? {} : { tenant }),
      revision,
    };
    if (kind === 'revoked') events.emit({ type: 'rbac.revoked', ...base });
    else events.emit({ type: 'rbac.granted', ...base, ...(until === undefined ? {} : { until }) });
    await settle(options);
    return { revision };
  }

  async function writePolicy(
    actor: Actor,
    what: string,
    plan: (policy: PolicyRecord) => readonly RoleWrite[],
    options: ChangeOptions | undefined,
    alsoUsers = false,
  ): Promise<Written> {
    const by = actorId(actor);
    const { revision } = await write((policy) => ({
      writes: plan(policy),
      changes: [
        { topic: POLICY_TOPIC, subject: '*' },
        ...(alsoUsers ? [{ topic: USER_TOPIC, subject: '*' }] : []),
      ],
      changesPolicy: true,
    }));
    events.emit({ type: 'rbac.policy-changed', actor: by, what, revision });
    await settle(options);
    return { revision };
  }

  const checkedGrant = (options: GrantOptions | undefined): Bounds => {
    checkOptions(options, GRANT_OPTIONS);
    return { ...checkTenant(options), ...checkBounds(options, clock) };
  };
  const checkedPlace = (options: TenantOptions | undefined): TenantOptions => {
    checkOptions(options, CHANGE_OPTIONS);
    return checkTenant(options);
  };
  const writeRule = (
    actor: Actor,
    userId: string,
    effect: Effect,
    permission: string,
    options: (GrantOptions & ChangeOptions) | undefined,
  ): Promise<Written> => {
    checkPattern(catalogue, permission);
    const bounds = checkedGrant(options);
    return writeUser(
      actor,
      userId,
      `${effect} ${permission}`,
      (_policy, by) => {
        const rule: DirectRule = { effect, permission, ...bounds, ...by };
        return [{ kind: 'put-rule', userId, rule }];
      },
      options,
    );
  };
  const endRule = async (
    actor: Actor,
    userId: string,
    effect: Effect,
    permission: string,
    options: (TenantOptions & ChangeOptions) | undefined,
  ): Promise<Written> => {
    const place = checkedPlace(options);
    // Of denials, where there is no tenant and in every one are lifted together: both say "everywhere".
    const places = effect === 'deny' && place.tenant === EVERY_TENANT ? [place, {}] : [place];
    // A rule about a permission that is no longer declared must be removable too.
    if (typeof permission !== 'string' || catalogue.expand(permission) === undefined) {
      const { rules } = await grantsOf(userId);
      const stored = rules.some((rule) => rule.effect === effect && rule.permission === permission);
      if (!stored) throw unknownPattern(catalogue, permission);
    }
    return writeUser(
      actor,
      userId,
      `${effect} ${permission}`,
      () => places.map((each) => ({ kind: 'remove-rule', userId, effect, permission, ...each })),
      options,
      'revoked',
    );
  };
  const editRole = (
    actor: Actor,
    name: string,
    edit: (role: RoleRecord) => RoleRecord,
    options: ChangeOptions | undefined,
  ): Promise<Written> =>
    writePolicy(
      actor,
      `role ${name}`,
      (policy) => {
        const role = edit(storedRole(policy, name));
        checkRoles(catalogue, policy, [role]);
        return [{ kind: 'put-role', role }];
      },
      options,
    );
  const grantsOf = async (userId: string): Promise<UserRecord> =>
    checkUserRecord((await read({ kind: 'user', id: checkedUserId(userId) })).user);

  return {
    grantRole(actor, userId, role, options) {
      return settleSync(() => {
        const bounds = checkedGrant(options);
        return writeUser(
          actor,
          userId,
          `role ${role}`,
          (policy, by) => [
            {
              kind: 'put-assignment',
              userId,
              assignment: { role: storedRole(policy, role).name, ...bounds, ...by },
            },
          ],
          options,
        );
      });
    },
    revokeRole(actor, userId, role, options) {
      return settleSync(() => {
        const place = checkedPlace(options);
        return writeUser(
          actor,
          userId,
          `role ${role}`,
          (policy) => [{ kind: 'remove-assignment', userId, role: storedRole(policy, role).name, ...place }],
          options,
          'revoked',
        );
      });
    },
    grantPermission: (actor, userId, permission, options) =>
      settleSync(() => writeRule(actor, userId, 'allow', permission, options)),
    denyPermission: (actor, userId, permission, options) =>
      settleSync(() => {
        checkOptions(options, GRANT_OPTIONS);
        return writeRule(actor, userId, 'deny', permission, everywhere(options));
      }),
    revokePermission: (actor, userId, permission, options) =>
      settleSync(() => endRule(actor, userId, 'allow', permission, options)),
    liftDenial: (actor, userId, permission, options) =>
      settleSync(() => {
        checkOptions(options, CHANGE_OPTIONS);
        return endRule(actor, userId, 'deny', permission, everywhere(options));
      }),
    defineRole(actor, name, definition, options) {
      return writePolicy(
        actor,
        `role ${name}`,
        (policy) => {
          const role = toRecord(name, definition);
          checkRoles(catalogue, policy, [role]);
          return [{ kind: 'put-role', role }];
        },
        options,
      );
    },
    setRolePermissions(actor, name, permissions, options) {
      return editRole(
        actor,
        name,
        (role) => {
          // What is not named is emptied, so what is misspelt is refused.
          const { allow, deny } = toRecord(name, permissions);
          return { ...role, allow, deny };
        },
        options,
      );
    },
    setRoleActive(actor, name, active, options) {
      return editRole(actor, name, (role) => toRecord(name, { ...role, active }), options);
    },
    removeRole(actor, name, options) {
      return writePolicy(
        actor,
        `remove role ${name}`,
        (policy) => {
          storedRole(policy, name);
          const heirs = policy.roles
            .filter(({ inherits }) => inherits.includes(name))
            .map((heir) => heir.name);
          if (heirs.length > 0) throw errors.E_ROLE_IN_USE({ details: { heirs } });
          return [{ kind: 'remove-role', name }];
        },
        options,
        // A later role of the same name must not be met by entries that still list the old one.
        true,
      );
    },
    async setUserActive(actor, userId, active, options) {
      const by = actorId(actor);
      const id = checkedUserId(userId);
      const { revision } = await write(() => ({
        writes: [{ kind: 'set-user-active', userId: id, active: checkedBoolean(active) }],
        changes: [{ topic: USER_TOPIC, subject: id }],
        changesPolicy: false,
      }));
      events.emit({ type: 'rbac.user-switched', actor: by, userId: id, active, revision });
      await settle(options);
      return { revision };
    },
    setPermissionActive(actor, permission, active, options) {
      return writePolicy(
        actor,
        `${active ? 'activate' : 'deactivate'} ${permission}`,
        () => {
          if (catalogue.idOf(permission) === undefined) throw unknownPattern(catalogue, permission);
          return [{ kind: 'set-permission-active', permission, active: checkedBoolean(active) }];
        },
        options,
      );
    },
    async seed(roles, { overwrite = false } = {}) {
      const wanted = Object.entries(roles ?? declared ?? {}).map(([name, definition]) =>
        toRecord(name, definition),
      );
      let result: SeedResult = { created: [], same: [], different: [] };
      const sort = (policy: PolicyRecord): RoleRecord[] => {
        const stored = new Map(policy.roles.map((role) => [role.name, role]));
        const created = wanted.filter(({ name }) => !stored.has(name));
        const known = wanted.filter(({ name }) => stored.has(name));
        const different = known.filter((role) => !sameRole(role, stored.get(role.name)!));
        const names = (list: readonly RoleRecord[]): string[] => list.map(({ name }) => name);
        const same = known.filter((role) => !different.includes(role));
        result = { created: names(created), same: names(same), different: names(different) };
        return [...created, ...(overwrite ? different : [])];
      };
      const { policy } = await read({ kind: 'policy' });
      if (sort(checkPolicyRecord(policy)).length === 0) return result;
      const { revision } = await writePolicy(
        'system:seed',
        'seed',
        (now) => {
          const changed = sort(now);
          checkRoles(catalogue, now, changed);
          return changed.map((role) => ({ kind: 'put-role', role }));
        },
        undefined,
      );
      return { ...result, revision };
    },
    rolesOf: async (userId) => (await grantsOf(userId)).roles,
    grantsOf,
    roles: async () => checkPolicyRecord((await read({ kind: 'policy' })).policy).roles,
  };
}

/** A denial without a tenant is one for all of them. */
function everywhere<T extends TenantOptions>(options: T | undefined): T & TenantOptions {
  const given = { ...(options as T) };
  return given.tenant === undefined ? { ...given, tenant: EVERY_TENANT } : given;
}

/** Refusals of malformed input reject; nothing throws past the promise. */
async function settleSync<T>(fn: () => Promise<T>): Promise<T> {
  return fn();
}
