import { nearest, within, type Clock, type Events, type Freshness } from '@portcullis/core';
import { policyAfter, userAfter } from './apply-writes.js';
import { parsePattern, type Catalogue } from './catalogue.js';
import { errors } from './error-codes.js';
import type { FactsCache } from './facts.js';
import { findCycle } from './hierarchy.js';
import { grammarHint, type Grantable } from './permissions.js';
import { MAX_ROLES } from './policy.js';
import { checkPolicyRecord, checkUserRecord, isRoleName, isUserId } from './records.js';
import type { RoleDefinition, RoleDefinitions } from './role-definition.js';
import {
  POLICY_TOPIC,
  USER_TOPIC,
  type Bounds,
  type DirectRule,
  type Effect,
  type PolicyRecord,
  type Provenance,
  type RoleAssignment,
  type RoleBatch,
  type RoleRecord,
  type RoleStore,
  type RoleWrite,
  type Snapshot,
  type UserRecord,
} from './role-store.js';
import { EVERY_TENANT } from './tenant.js';
import type { PendingWrite, WriteCheck } from './write-check.js';

/** Who makes a change: an id, or anything that has one, such as a principal. */
export type Actor = string | { readonly id: string };

/** Which of a user's grants: each tenant has its own. */
export interface TenantOptions {
  /** Id of the tenant in which it counts; `*` is every one, and none. @default none; of denials `*` */
  readonly tenant?: string;
}

export interface GrantOptions extends TenantOptions {
  /** From when on it counts. Milliseconds since 1970, or a date. @default at once */
  readonly from?: number | Date;
  /** Until when it counts: at this moment it does no more. @default without end */
  readonly until?: number | Date;
  /** Why; up to 1,000 characters, kept with the grant. */
  readonly reason?: string;
}

export interface ChangeOptions {
  /** Resolve only when no process can still act on what was true before: one lease later. @default false */
  readonly strict?: boolean;
}

/** Revision of the change feed that made a write visible. */
export interface Written {
  readonly revision: number;
}

export interface SeedResult {
  readonly created: readonly string[];
  /** Present before, and as given. */
  readonly same: readonly string[];
  /** Present before, and different: left alone, or replaced with `overwrite`. */
  readonly different: readonly string[];
  /** Of the write; undefined if there was nothing to write. */
  readonly revision?: number;
}

/** Every write is validated, stored and published in one transaction, and counts here when it resolves. */
export interface Administration<Name extends string, Role extends string> {
  /** Gives a user a role; again replaces bounds and reason. @throws E_ROLE_UNKNOWN, E_GRANT_INVALID */
  grantRole(actor: Actor, userId: string, role: Role, options?: GrantOptions): Promise<Written>;
  /** Takes it away; no error if the user does not have it. @throws E_ROLE_UNKNOWN */
  revokeRole(
    actor: Actor,
    userId: string,
    role: Role,
    options?: TenantOptions & ChangeOptions,
  ): Promise<Written>;
  /** Grants a permission or pattern without a role. @throws E_PERMISSION_UNKNOWN, E_GRANT_INVALID */
  grantPermission(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: GrantOptions,
  ): Promise<Written>;
  /** Denies it, whatever else allows it. @throws E_PERMISSION_UNKNOWN, E_GRANT_INVALID */
  denyPermission(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: GrantOptions & ChangeOptions,
  ): Promise<Written>;
  /** Ends a direct grant. */
  revokePermission(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: TenantOptions & ChangeOptions,
  ): Promise<Written>;
  /** Ends a direct denial. */
  liftDenial(
    actor: Actor,
    userId: string,
    permission: Grantable<Name>,
    options?: TenantOptions,
  ): Promise<Written>;
  /** Creates or replaces a role. @throws E_ROLE_INVALID, E_ROLE_UNKNOWN (parent), E_ROLE_CYCLE, E_PERMISSION_UNKNOWN */
  defineRole(
    actor: Actor,
    role: string,
    definition: RoleDefinition<Name>,
    options?: ChangeOptions,
  ): Promise<Written>;
  /** Replaces what a role allows and denies; the rest of it stays. */
  setRolePermissions(
    actor: Actor,
    role: Role,
    permissions: Pick<RoleDefinition<Name>, 'allow' | 'deny'>,
    options?: ChangeOptions,
  ): Promise<Written>;
  /** Switches a role on or off: off, it contributes nothing, not even what it inherits. */
  setRoleActive(actor: Actor, role: Role, active: boolean, options?: ChangeOptions): Promise<Written>;
  /** Deletes a role and ends its assignments. @throws E_ROLE_IN_USE if others inherit from it */
  removeRole(actor: Actor, role: Role, options?: ChangeOptions): Promise<Written>;
  /** Switches a user off (nothing is allowed) or on. */
  setUserActive(actor: Actor, userId: string, active: boolean, options?: ChangeOptions): Promise<Written>;
  /** Switches a declared permission off for everybody, or on. */
  setPermissionActive(
    actor: Actor,
    permission: Name,
    active: boolean,
    options?: ChangeOptions,
  ): Promise<Written>;
  /**
   * Writes the roles that are not there yet; call it at every start, in every process. Roles that are there stay as
   * administrators made them, unless `overwrite`.
   * @default the roles given to createRbac
   */
  seed(roles?: RoleDefinitions<Name>, options?: { readonly overwrite?: boolean }): Promise<SeedResult>;
  /** The user's assignments as stored, ended ones too. */
  rolesOf(userId: string): Promise<readonly RoleAssignment[]>;
  /** Everything stored about a user. */
  grantsOf(userId: string): Promise<UserRecord>;
  /** All roles as stored. */
  roles(): Promise<readonly RoleRecord[]>;
}

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

const ATTEMPTS = 8;
const PAGE = 500;
/** What was read is not of one revision: begin again. */
const CHANGED = Symbol('changed');
/** The end of the year 9999: what every database and ISO 8601 can write. */
const MAX_TIME = 253_402_300_799_999;

type Draft = Pick<RoleBatch, 'writes' | 'changes' | 'changesPolicy'>;

export function createAdministration<Name extends string, Role extends string>(
  deps: Deps,
): Administration<Name, Role> {
  const { store, catalogue, facts, freshness, clock, events, declared, writeDeadlineMs, checks } = deps;

  const timely = <T>(call: () => Promise<T>): Promise<T> =>
    within(Promise.resolve(call()), writeDeadlineMs, () => errors.E_ROLES_TIMEOUT());

  /**
   * Reads the policy, lets `plan` validate and draft against it, and commits only if it is still the same: two
   * administrators cannot make a cycle, or grant a role that is being removed, by writing at the same time.
   */
  async function write(plan: (policy: PolicyRecord) => Draft): Promise<Written> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { policy, policyRevision } = await read({ kind: 'policy' });
      const before = checkPolicyRecord(policy);
      let draft = plan(before);
      try {
        if (await judged(draft, before, policyRevision)) draft = serialised(draft);
      } catch (error) {
        if (error === CHANGED) continue;
        throw error;
      }
      const result = await timely(() =>
        store.commit({ ...draft, ifPolicyRevision: policyRevision }, { deadlineMs: writeDeadlineMs }),
      );
      if ('conflict' in result) continue;
      facts.written(draft.changes, result.revision);
      return { revision: result.revision };
    }
    throw errors.E_ROLES_CONFLICT();
  }

  /** Do all checks agree? True if one of them rests on what others may be writing. */
  async function judged(draft: Draft, before: PolicyRecord, revision: number): Promise<boolean> {
    if (checks.length === 0) return false;
    const { writes } = draft;
    const load: RoleStore['load'] = async (scope) => {
      const snapshot = await read(scope);
      if (snapshot.policyRevision !== revision) throw CHANGED;
      return snapshot;
    };
    const both = (id: string, user: UserRecord) => ({
      before: user,
      after: writes.reduce((now, each) => userAfter(id, now, each), user),
    });
    const pending: PendingWrite = {
      writes,
      before,
      after: writes.reduce((now, each) => policyAfter(now, each), before),
      userIds: [...new Set(writes.flatMap((each) => ('userId' in each ? [each.userId] : [])))],
      user: async (id) => both(id, checkUserRecord((await load({ kind: 'user', id })).user)),
      async *usersWith(roles) {
        for (let after: string | undefined = ''; after !== undefined;) {
          const page: Snapshot['users'] = (
            await load({ kind: 'users', after, limit: PAGE, ...(roles ? { roles } : {}) })
          ).users;
          for (const { id, user } of page ?? []) yield { id, ...both(id, checkUserRecord(user)) };
          after = page?.length === PAGE ? page.at(-1)!.id : undefined;
        }
      },
    };
    let rests = false;
    for (const check of checks) rests = (await check(pending)) || rests;
    return rests;
  }

  const read: RoleStore['load'] = (scope) => timely(() => store.load(scope, { deadlineMs: writeDeadlineMs }));

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

  const writeRule = (
    actor: Actor,
    userId: string,
    effect: Effect,
    permission: string,
    options: (GrantOptions & ChangeOptions) | undefined,
  ): Promise<Written> => {
    checkPattern(catalogue, permission);
    const bounds = { ...checkTenant(options), ...checkBounds(options, clock) };
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
  const endRule = (
    actor: Actor,
    userId: string,
    effect: Effect,
    permission: string,
    options: (TenantOptions & ChangeOptions) | undefined,
  ): Promise<Written> => {
    const place = checkTenant(options);
    // Of denials, where there is no tenant and in every one are lifted together: both say "everywhere".
    const places = effect === 'deny' && place.tenant === EVERY_TENANT ? [place, {}] : [place];
    // Not looked up: a rule about a permission that is no longer declared must be removable too.
    if (typeof permission !== 'string' || !parsePattern(permission)) checkPattern(catalogue, permission);
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
        const bounds = { ...checkTenant(options), ...checkBounds(options, clock) };
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
        const place = checkTenant(options);
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
      settleSync(() =>
        writeRule(actor, userId, 'deny', permission, { ...options, tenant: options?.tenant ?? EVERY_TENANT }),
      ),
    revokePermission: (actor, userId, permission, options) =>
      settleSync(() => endRule(actor, userId, 'allow', permission, options)),
    liftDenial: (actor, userId, permission, options) =>
      settleSync(() =>
        endRule(actor, userId, 'deny', permission, { tenant: options?.tenant ?? EVERY_TENANT }),
      ),
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
    setRolePermissions(actor, name, { allow = [], deny = [] }, options) {
      return editRole(actor, name, (role) => toRecord(name, { ...role, allow, deny }), options);
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

/** Counts as a change of the policy, so that of two such writes at the same time one begins again. */
function serialised(draft: Draft): Draft {
  if (draft.changesPolicy) return draft;
  return {
    ...draft,
    changes: [...draft.changes, { topic: POLICY_TOPIC, subject: '*' }],
    changesPolicy: true,
  };
}

/** Refusals of malformed input reject; nothing throws past the promise. */
async function settleSync<T>(fn: () => Promise<T>): Promise<T> {
  return fn();
}

export function actorId(actor: Actor): string {
  const id: unknown = typeof actor === 'string' ? actor : (actor as { id?: unknown } | undefined)?.id;
  if (!isUserId(id)) throw errors.E_GRANT_INVALID({ message: 'The one who makes the change needs an id.' });
  return id;
}

function checkedUserId(userId: unknown): string {
  if (isUserId(userId)) return userId;
  throw errors.E_GRANT_INVALID({
    message: 'A user id is a well-formed string of 1 to 256 characters without NUL.',
  });
}

function checkedBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw errors.E_GRANT_INVALID({ message: 'active must be true or false.' });
}

function provenance(actor: Actor, reason: unknown, clock: Clock): Provenance {
  const grantedBy = actorId(actor);
  if (reason !== undefined && !isText(reason)) {
    throw errors.E_GRANT_INVALID({ message: 'The reason is a text of up to 1,000 characters.' });
  }
  return { grantedBy, grantedAt: clock.now(), ...(reason === undefined ? {} : { reason }) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 1000 && !value.includes('\0') && value.isWellFormed();
}

function toTime(value: number | Date | undefined): number | undefined {
  return value instanceof Date ? value.getTime() : value;
}

function checkBounds(options: GrantOptions | undefined, clock: Clock): Bounds {
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

function checkTenant(options: TenantOptions | undefined): { readonly tenant?: string } {
  const tenant: unknown = options?.tenant;
  if (tenant === undefined) return {};
  if (isUserId(tenant)) return { tenant };
  throw errors.E_GRANT_INVALID({
    message: 'A tenant is "*" or a well-formed string of 1 to 256 characters without NUL.',
  });
}

function storedRole(policy: PolicyRecord, name: unknown): RoleRecord {
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

function toRecord(name: unknown, definition: unknown): RoleRecord {
  const refuse = (problem: string): never => {
    throw errors.E_ROLE_INVALID({ message: problem });
  };
  if (!isRoleName(name)) return refuse('A role is named with 1 to 100 characters of A-Z a-z 0-9 _ . : -');
  if (typeof definition !== 'object' || definition === null)
    return refuse(`Role "${name}" needs a definition.`);
  const given = definition as Record<string, unknown>;
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
    const value = Object.hasOwn(given, key) ? (given[key] ?? []) : [];
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

function sameRole(a: RoleRecord, b: RoleRecord): boolean {
  const text = ({ name, description, active, inherits, allow, deny }: RoleRecord): string =>
    JSON.stringify([name, description, active, ...[inherits, allow, deny].map((list) => [...list].sort())]);
  return text(a) === text(b);
}

/** Would the policy with these roles put in be sound? */
function checkRoles(catalogue: Catalogue, policy: PolicyRecord, changed: readonly RoleRecord[]): void {
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

function showPath(cycle: readonly string[]): string {
  const shown = cycle.length <= 12 ? cycle : [...cycle.slice(0, 6), '...', ...cycle.slice(-5)];
  return shown.join(' -> ');
}

function checkPattern(catalogue: Catalogue, pattern: unknown): void {
  if (typeof pattern !== 'string' || catalogue.expand(pattern) === undefined)
    throw unknownPattern(catalogue, pattern);
}

function unknownPattern(catalogue: Catalogue, pattern: unknown): Error {
  const text = String(pattern).slice(0, 80);
  const hint = text.includes('*')
    ? 'covers no declared permission ("*" is one whole segment, "**" the rest and last)'
    : grammarHint(text, catalogue.names);
  return errors.E_PERMISSION_UNKNOWN({ message: `The permission ${JSON.stringify(text)} ${hint}.` });
}
