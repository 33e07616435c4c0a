import type { Principal } from '@portcullis/core';
import { includesId, parsePattern, type Catalogue, type Coverage } from './catalogue.js';
import { errors } from './error-codes.js';
import type { FactsCache } from './facts.js';
import { counts, unnamedTenant, type Moment } from './judge.js';
import { heirsOf, reachOf, rolesByName } from './reach.js';
import type { Bounds, PolicyRecord, RoleRecord, RoleWrite, UserRecord } from './role-store.js';
import { EVERY_TENANT } from './tenant.js';
import type { PendingWrite, WriteCheck } from './write-check.js';

/** What this package's own routes ask for; spread it into `definePermissions()`. */
export const rbacPermissions = {
  rbac: ['read', 'grant', 'define', 'review', 'evaluate', 'break-glass'],
} as const;

/** Power that a write hands out, and where. */
interface Handed {
  readonly pattern: string;
  /** As of a grant: undefined where there is no tenant, `*` everywhere. */
  readonly tenant: string | undefined;
}

export interface AuthorityDeps {
  readonly catalogue: Catalogue;
  readonly facts: FactsCache;
  /** Role of the option `breakGlass`. */
  readonly emergency: string | undefined;
  moment(timed: boolean, tenant: string | undefined): Moment;
}

/**
 * Nobody gives what they do not hold: not by a role, a direct grant, an edit or a parent of a role, and not by taking a denial
 * away. What is held is read from the store for each write. A pattern is held by who has the same or a wider one, since it also
 * covers what will be declared later; a credential's scopes and tenant narrow what it can hand on. What an emergency gives for an
 * hour would be for good in other hands: it is not handed on.
 */
export function authorityCheck(deps: AuthorityDeps, principal: Principal): WriteCheck {
  const { catalogue, facts, emergency } = deps;
  return async (write) => {
    checkPlace(principal.tenant, write.writes);
    const { record, policy } = await facts.fresh(principal.id);
    const lasting: UserRecord = {
      ...record,
      roles: record.roles.filter(({ role, until }) => role !== emergency || until === undefined),
    };
    for (const { pattern, tenant } of await handedOut(write)) {
      const places =
        tenant === EVERY_TENANT
          ? [
              undefined,
              unnamedTenant(new Set([...record.roles, ...record.rules].map((each) => each.tenant ?? ''))),
            ]
          : [tenant];
      const bound = principal.tenant === undefined || principal.tenant === tenant;
      const held = (place: string | undefined): boolean =>
        holds(
          catalogue,
          policy.record,
          { lasting, record },
          principal.scopes,
          pattern,
          deps.moment(true, place),
        );
      if (bound && record.active && places.every(held)) continue;
      throw errors.E_GRANT_BEYOND_OWN({
        message: `Nobody can give what they do not hold: ${pattern}${tenant === undefined ? '' : ` in tenant "${tenant}"`}.`,
      });
    }
    return false;
  };
}

/** What somebody may in one tenant changes nothing in others: users, roles and permissions are of all of them. */
function checkPlace(tenant: string | undefined, writes: readonly RoleWrite[]): void {
  if (tenant === undefined) return;
  const elsewhere = writes.find((each) => tenant !== placeOf(each));
  if (!elsewhere) return;
  throw errors.E_GRANT_BEYOND_OWN({
    message: `Who acts in tenant "${tenant}" changes grants and denials of that tenant only.`,
  });
}

function placeOf(write: RoleWrite): string | undefined {
  switch (write.kind) {
    case 'put-assignment':
      return write.assignment.tenant;
    case 'put-rule':
      return write.rule.tenant;
    case 'remove-assignment':
    case 'remove-rule':
      return write.tenant;
    default:
      return undefined;
  }
}

function holds(
  catalogue: Catalogue,
  policy: PolicyRecord,
  { lasting, record }: { readonly lasting: UserRecord; readonly record: UserRecord },
  scopes: readonly string[] | undefined,
  pattern: string,
  moment: Moment,
): boolean {
  const { allow } = patternsOf(policy, lasting, moment);
  const { deny } = patternsOf(policy, record, moment);
  const wanted = alternatives(pattern);
  const covered = catalogue.expand(pattern);
  return (
    wanted.some((each) => allow.some((own) => subsumes(own, each))) &&
    !deny.some((own) => overlap(catalogue.expand(own), covered, catalogue.size)) &&
    (scopes === undefined || wanted.some((each) => scopes.some((scope) => subsumes(scope, each))))
  );
}

/** What allows and denies something to a user there and then, inherited patterns too. */
export function patternsOf(
  policy: PolicyRecord,
  user: UserRecord,
  moment: Moment,
): { readonly allow: readonly string[]; readonly deny: readonly string[] } {
  const roles = rolesByName(policy);
  const active = new Map([...roles].filter(([, role]) => role.active));
  const reach = (effect: 'allow' | 'deny'): string[] => [
    ...user.roles
      .filter((given) => counts(given, moment, effect))
      .flatMap(({ role }) => [...reachOf(active, role)].flatMap((name) => active.get(name)![effect])),
    ...user.rules
      .filter((rule) => rule.effect === effect && counts(rule, moment, effect))
      .map(({ permission }) => permission),
  ];
  return { allow: reach('allow'), deny: reach('deny') };
}

/** Who may do it to everything may do it to their own. */
function alternatives(pattern: string): readonly string[] {
  const [resource, action, scope] = pattern.split(':');
  if (scope !== 'own' || pattern.includes('*')) return [pattern];
  return [pattern, `${resource}:${action}`, `${resource}:${action}:any`];
}

/** Does the first cover whatever the second covers, later names too? */
export function subsumes(wide: string, narrow: string): boolean {
  const [w, n] = [parsePattern(wide), parsePattern(narrow)];
  if (!w || !n) return false;
  const open = w.at(-1) === '**';
  if (n.at(-1) === '**' && !open) return false;
  const fixed = open ? w.length - 1 : w.length;
  if (open ? n.length < w.length : n.length !== w.length) return false;
  for (let i = 0; i < fixed; i++) if (w[i] !== '*' && (w[i] !== n[i] || n[i] === '**')) return false;
  return !n.slice(0, fixed).includes('**');
}

function overlap(a: Coverage | undefined, b: Coverage | undefined, size: number): boolean {
  if (a === undefined || b === undefined) return false;
  for (let id = 0; id < size; id++) if (includesId(a, id) && includesId(b, id)) return true;
  return false;
}

async function handedOut(write: PendingWrite): Promise<readonly Handed[]> {
  const parts = await Promise.all(write.writes.map((each) => handedBy(each, write)));
  return parts.flat();
}

async function handedBy(each: RoleWrite, write: PendingWrite): Promise<readonly Handed[]> {
  const [before, after] = [rolesByName(write.before), rolesByName(write.after)];
  const inherited = (
    roles: ReadonlyMap<string, RoleRecord>,
    name: string,
    effect: 'allow' | 'deny',
  ): string[] => [...reachOf(roles, name)].flatMap((role) => roles.get(role)![effect]);
  /** Where a role is assigned, its edit counts; where it is not, its assignment will be judged. */
  const wherever = async (role: string, patterns: readonly string[]): Promise<readonly Handed[]> => {
    if (patterns.length === 0) return [];
    const reaching = new Set([...heirsOf(after, [role]), role]);
    const places = new Set<string | undefined>([undefined]);
    for await (const { before: user } of write.usersWith([...reaching])) {
      for (const given of user.roles) if (reaching.has(given.role)) places.add(given.tenant);
    }
    return patterns.flatMap((pattern) => [...places].map((tenant) => ({ pattern, tenant })));
  };
  switch (each.kind) {
    case 'put-assignment': {
      const { role, tenant } = each.assignment;
      return inherited(after, role, 'allow').map((pattern) => ({ pattern, tenant }));
    }
    case 'remove-assignment':
      return lifted(inherited(before, each.role, 'deny'), each.tenant, (await write.user(each.userId)).after);
    case 'put-rule': {
      const { effect, permission, tenant, from, until } = each.rule;
      // A denial that replaces a longer one ends earlier.
      const shortens = effect === 'deny' && (from !== undefined || until !== undefined);
      return effect === 'allow' || shortens ? [{ pattern: permission, tenant }] : [];
    }
    case 'remove-rule':
      if (each.effect === 'allow') return [];
      return lifted([each.permission], each.tenant, (await write.user(each.userId)).after);
    case 'put-role': {
      const { name, active } = each.role;
      const old = before.get(name);
      const had = old?.active ? inherited(before, name, 'allow') : [];
      const keeps = active ? inherited(after, name, 'deny') : [];
      return wherever(name, [
        ...(active ? beyond(inherited(after, name, 'allow'), had) : []),
        ...(old?.active ? beyond(inherited(before, name, 'deny'), keeps) : []),
      ]);
    }
    case 'remove-role':
      return wherever(each.name, inherited(before, each.name, 'deny'));
    case 'set-user-active': {
      const { before: user } = await write.user(each.userId);
      if (!each.active || user.active) return [];
      return [
        ...user.roles.flatMap(({ role, tenant }) =>
          inherited(after, role, 'allow').map((pattern) => ({ pattern, tenant })),
        ),
        ...user.rules
          .filter(({ effect }) => effect === 'allow')
          .map(({ permission, tenant }) => ({ pattern: permission, tenant })),
      ];
    }
    case 'set-permission-active':
      return each.active ? [{ pattern: each.permission, tenant: undefined }] : [];
    default:
      return [];
  }
}

/** Those that none of the others covers. */
function beyond(patterns: readonly string[], others: readonly string[]): readonly string[] {
  return patterns.filter((pattern) => !others.some((other) => other === pattern || subsumes(other, pattern)));
}

/** A denial that goes gives power where something else of the user's allows, and nowhere else. */
function lifted(
  patterns: readonly string[],
  tenant: string | undefined,
  user: UserRecord,
): readonly Handed[] {
  const grants = [...user.roles, ...user.rules.filter(({ effect }) => effect === 'allow')];
  const places =
    tenant !== EVERY_TENANT ? [tenant] : [...new Set([undefined, ...grants.map((grant) => grant.tenant)])];
  return patterns.flatMap((pattern) => places.map((place) => ({ pattern, tenant: place })));
}

/** Of an administrator: may hand out roles and define them, everywhere, now and without an end. */
export function isAdministrator(policy: PolicyRecord, user: UserRecord, now: number): boolean {
  if (!user.active) return false;
  const lasting: UserRecord = {
    ...user,
    roles: user.roles.filter(({ until }) => until === undefined),
    rules: user.rules.filter(({ effect, until }) => effect === 'deny' || until === undefined),
  };
  const moment: Moment = { tenant: undefined, now, latest: now };
  const { allow } = patternsOf(policy, lasting, moment);
  // What will be denied later is no lasting allowance.
  const { deny } = patternsOf(
    policy,
    { ...user, roles: begun(user.roles), rules: begun(user.rules) },
    moment,
  );
  return ADMINISTRATION.every(
    (name) =>
      !policy.inactivePermissions.includes(name) &&
      allow.some((pattern) => subsumes(pattern, name)) &&
      !deny.some((pattern) => subsumes(pattern, name)),
  );
}

function begun<T extends Bounds>(grants: readonly T[]): readonly T[] {
  return grants.map(({ from: _from, ...grant }) => grant as unknown as T);
}

const ADMINISTRATION = ['rbac:grant', 'rbac:define'];

/** Refuses what would leave nobody who can administer. */
export function lastAdministratorCheck(now: () => number): WriteCheck {
  return async (write) => {
    const at = now();
    const is = {
      before: (user: UserRecord) => isAdministrator(write.before, user, at),
      after: (user: UserRecord) => isAdministrator(write.after, user, at),
    };
    const concerned = await Promise.all(write.userIds.map((id) => write.user(id)));
    const ends = concerned.some(({ before, after }) => is.before(before) && !is.after(after));
    if (!ends && write.before === write.after) return false;
    let someBefore = false;
    for await (const { before, after } of write.usersWith(undefined)) {
      if (is.after(after)) return true;
      someBefore ||= is.before(before);
    }
    if (someBefore) throw errors.E_LAST_ADMINISTRATOR();
    return true;
  };
}
