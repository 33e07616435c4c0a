import { nearest, OptionError, type Clock } from '@portcullis/core';
import { includesId, isEverything, type Catalogue, type Check } from './catalogue.js';
import { errors } from './error-codes.js';
import { countsIn, heirsOf, lastingRoles, placesOf, reachOf, rolesByName } from './reach.js';
import type { PolicyRecord, RoleAssignment, UserRecord } from './role-store.js';
import type { RoleDefinitions } from './role-definition.js';
import type { PendingWrite, WriteCheck } from './write-check.js';

/** A rule about what one person must not be or do together (INCITS 359: separation of duties, cardinality, prerequisites). */
export type Duty<Name extends string = string, Role extends string = string> =
  | { readonly kind: 'static'; readonly roles: readonly Role[]; readonly atMost: number }
  | { readonly kind: 'static-permissions'; readonly permissions: readonly Name[]; readonly atMost: number }
  | { readonly kind: 'dynamic'; readonly roles: readonly Role[] }
  | { readonly kind: 'cardinality'; readonly role: Role; readonly atMost: number }
  | { readonly kind: 'prerequisite'; readonly role: Role; readonly needs: Role }
  | {
      readonly kind: 'different-actor';
      readonly permission: Name;
      readonly actorOf: (object: never) => unknown;
    };

/** Nobody may have more than `atMost` of these roles, in one tenant, directly or by inheritance. @default 1 */
export function staticSeparation<const Role extends string>(
  roles: readonly Role[],
  options: { readonly atMost?: number } = {},
): Duty<never, Role> {
  return { kind: 'static', roles, atMost: options.atMost ?? 1 };
}

/** Nobody may be allowed more than `atMost` of these permissions; superusers (`**`) are outside of it. @default 1 */
export function permissionSeparation<const Name extends string>(
  permissions: readonly Name[],
  options: { readonly atMost?: number } = {},
): Duty<Name, never> {
  return { kind: 'static-permissions', permissions, atMost: options.atMost ?? 1 };
}

/** Somebody may have several of these roles, but use one only in one session: `activateRole()` says which. */
export function dynamicSeparation<const Role extends string>(roles: readonly Role[]): Duty<never, Role> {
  return { kind: 'dynamic', roles };
}

/** At most so many people may have the role. */
export function cardinality<const Role extends string>(role: Role, atMost: number): Duty<never, Role> {
  return { kind: 'cardinality', role, atMost };
}

/** Only who has `needs`, for as long, may have `role`; and `needs` stays while `role` does. */
export function prerequisite<const Role extends string>(role: Role, needs: Role): Duty<never, Role> {
  return { kind: 'prerequisite', role, needs };
}

/** The permission is not for the one who did something to the object before, such as asking for what is to be approved. */
export function differentActor<const Name extends string, T>(
  permission: Name,
  actorOf: (object: T) => unknown,
): Duty<Name, never> {
  return { kind: 'different-actor', permission, actorOf: actorOf };
}

/** @throws OptionError for a duty that says nothing, or names what was not declared */
export function checkDuties(
  given: unknown,
  catalogue: Catalogue,
  declared: RoleDefinitions | undefined,
): readonly Duty[] {
  if (!Array.isArray(given)) {
    throw new OptionError('E_OPTION_TYPE', 'createRbac', 'duties', 'duties is a list');
  }
  const duties = given as readonly Duty[];
  for (const [i, duty] of duties.entries()) {
    const refuse = (problem: string): never => {
      throw new OptionError('E_OPTION_VALUE', 'createRbac', `duties[${i}]`, problem);
    };
    if (!isDuty(duty)) refuse('is not made by a function of this package, or not with names');
    const listed = 'roles' in duty ? duty.roles : 'permissions' in duty ? duty.permissions : undefined;
    if (listed && new Set(listed).size < 2)
      refuse(`a separation is between at least two, not ${listed.length}`);
    if ('atMost' in duty && !(Number.isInteger(duty.atMost) && duty.atMost >= 1)) {
      refuse('atMost is a whole number of at least 1');
    }
    if (listed && 'atMost' in duty && duty.atMost >= listed.length) {
      refuse(`at most ${duty.atMost} of ${listed.length} forbids nothing`);
    }
    const names =
      duty.kind === 'static-permissions'
        ? duty.permissions
        : duty.kind === 'different-actor'
          ? [duty.permission]
          : [];
    for (const name of names) {
      if (catalogue.check(name) === undefined) refuse(`there is no permission ${JSON.stringify(name)}`);
    }
    for (const role of rolesOf(duty)) {
      if (!declared || Object.hasOwn(declared, role)) continue;
      const near = nearest(role, Object.keys(declared));
      refuse(`there is no role ${JSON.stringify(role)}${near ? `. Did you mean "${near}"?` : ''}`);
    }
    if (duty.kind === 'prerequisite' && duty.role === duty.needs) refuse('a role cannot need itself');
  }
  return duties;
}

const isName = (value: unknown): boolean => typeof value === 'string';
const areNames = (value: unknown): boolean => Array.isArray(value) && value.every(isName);

/** What each kind has to have: one that lacks it would constrain nobody. */
const SHAPES: { readonly [K in Duty['kind']]: Readonly<Record<string, (value: unknown) => boolean>> } = {
  static: { roles: areNames, atMost: Number.isInteger },
  'static-permissions': { permissions: areNames, atMost: Number.isInteger },
  dynamic: { roles: areNames },
  cardinality: { role: isName, atMost: Number.isInteger },
  prerequisite: { role: isName, needs: isName },
  'different-actor': { permission: isName, actorOf: (value) => typeof value === 'function' },
};

function isDuty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { kind } = value as { kind?: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(SHAPES, kind)) return false;
  const parts = value as Readonly<Record<string, unknown>>;
  return Object.entries(SHAPES[kind as Duty['kind']]).every(([name, fits]) => fits(parts[name]));
}

/** Refuses whatever would break a duty that was kept before, by whichever way a role is acquired. */
export function dutyCheck(
  duties: readonly Duty[],
  catalogue: Catalogue,
  clock: Clock,
): WriteCheck | undefined {
  const written = duties.filter(({ kind }) => kind !== 'different-actor');
  if (written.length === 0) return undefined;
  const perUser = written.filter(({ kind }) => kind !== 'cardinality');

  const breaches = (policy: PolicyRecord, user: UserRecord): ReadonlySet<string> =>
    new Set(perUser.flatMap((duty) => breachesOf(duty, policy, user, catalogue, clock.now())));

  const compare = (
    write: PendingWrite,
    id: string,
    user: { readonly before: UserRecord; readonly after: UserRecord },
  ): void => {
    const before = breaches(write.before, user.before);
    const fresh = [...breaches(write.after, user.after)].find((breach) => !before.has(breach));
    if (fresh !== undefined) {
      throw errors.E_DUTY_CONFLICT({ message: `${fresh}.`, details: { userId: id } });
    }
  };

  return async (write) => {
    const policyChanges = write.before !== write.after;
    for (const duty of written) if (duty.kind === 'dynamic') checkDynamic(duty.roles, write.after);
    for (const id of write.userIds) compare(write, id, await write.user(id));
    if (policyChanges) {
      for await (const { id, ...user } of write.usersWith(undefined)) compare(write, id, user);
    }
    for (const duty of written) {
      if (duty.kind === 'cardinality') await checkCardinality(duty, write, clock.now());
    }
    const concerned = new Set(written.flatMap((duty) => rolesOf(duty)));
    const roles = rolesByName(write.after);
    return write.writes.some(
      (each) =>
        // Rules bear on separated permissions; assignments on whatever they reach.
        each.kind === 'put-rule' ||
        (each.kind === 'put-assignment' &&
          (written.some(({ kind }) => kind === 'static-permissions') ||
            [...reachOf(roles, each.assignment.role)].some((name) => concerned.has(name)))) ||
        (each.kind === 'remove-assignment' && concerned.size > 0),
    );
  };
}

function rolesOf(duty: Duty): readonly string[] {
  switch (duty.kind) {
    case 'static':
    case 'dynamic':
      return duty.roles;
    case 'cardinality':
      return [duty.role];
    case 'prerequisite':
      return [duty.role, duty.needs];
    default:
      return [];
  }
}

/** What is broken, in words that say which duty and where. */
function breachesOf(
  duty: Duty,
  policy: PolicyRecord,
  user: UserRecord,
  catalogue: Catalogue,
  now: number,
): readonly string[] {
  const roles = rolesByName(policy);
  const lasting = lastingRoles(user, now);
  return placesOf(user).flatMap((place) => {
    const here = countsIn(lasting, place);
    const where = place === undefined ? '' : ` in tenant "${place}"`;
    const reached = new Set(here.flatMap(({ role }) => [...reachOf(roles, role)]));
    switch (duty.kind) {
      case 'static': {
        const held = duty.roles.filter((role) => reached.has(role));
        if (held.length <= duty.atMost) return [];
        return [`The same person must not have ${held.join(' and ')}${where}`];
      }
      case 'static-permissions': {
        const patterns = [
          ...[...reached].flatMap((role) => roles.get(role)!.allow),
          ...countsIn(user.rules, place)
            .filter(({ effect, until }) => effect === 'allow' && (until === undefined || until > now))
            .map(({ permission }) => permission),
        ].filter((pattern) => !isEverything(pattern));
        const covered = patterns.map((pattern) => catalogue.expand(pattern));
        const held = duty.permissions.filter((name) => {
          const ids = idsOf(catalogue.check(name)!);
          return covered.some(
            (coverage) => coverage !== undefined && ids.some((id) => includesId(coverage, id)),
          );
        });
        if (held.length <= duty.atMost) return [];
        return [`The same person must not be allowed ${held.join(' and ')}${where}`];
      }
      case 'prerequisite': {
        const having = (name: string): readonly RoleAssignment[] =>
          here.filter(({ role }) => reachOf(roles, role).has(name));
        const needed = having(duty.needs);
        const loose = having(duty.role).find(
          (given) =>
            !needed.some(
              (each) =>
                (each.from ?? 0) <= Math.max(given.from ?? 0, now) &&
                (each.until ?? Infinity) >= (given.until ?? Infinity),
            ),
        );
        return loose ? [`Only who has ${duty.needs} for as long may have ${duty.role}${where}`] : [];
      }
      default:
        return [];
    }
  });
}

/** A role that is two of them at once could never be used. */
function checkDynamic(separated: readonly string[], policy: PolicyRecord): void {
  const roles = rolesByName(policy);
  for (const name of roles.keys()) {
    const reached = reachOf(roles, name);
    const held = separated.filter((role) => reached.has(role));
    if (held.length > 1) {
      throw errors.E_DUTY_CONFLICT({
        message: `The role ${name} would be ${held.join(' and ')} at once, which cannot be used in one session.`,
      });
    }
  }
}

async function checkCardinality(
  duty: Extract<Duty, { kind: 'cardinality' }>,
  write: PendingWrite,
  now: number,
): Promise<void> {
  const count = { before: 0, after: 0 };
  const holders = {
    before: new Set(heirsOf(rolesByName(write.before), [duty.role])),
    after: new Set(heirsOf(rolesByName(write.after), [duty.role])),
  };
  const seen = new Set<string>();
  const judge = (user: { readonly before: UserRecord; readonly after: UserRecord }): void => {
    for (const when of ['before', 'after'] as const) {
      if (lastingRoles(user[when], now).some(({ role }) => holders[when].has(role))) count[when]++;
    }
  };
  for await (const { id, ...user } of write.usersWith([...holders.before, ...holders.after])) {
    seen.add(id);
    judge(user);
  }
  for (const id of write.userIds) if (!seen.has(id)) judge(await write.user(id));
  if (count.after > duty.atMost && count.after > count.before) {
    throw errors.E_DUTY_CONFLICT({
      message: `At most ${duty.atMost} may have ${duty.role}; there would be ${count.after}.`,
    });
  }
}

/** Who must not be the one who asks, by what is asked; undefined where nobody is excluded. */
export type ActorRules = (check: Check) => readonly ((object: unknown) => unknown)[] | undefined;

export function actorRules(duties: readonly Duty[], catalogue: Catalogue): ActorRules | undefined {
  const given = duties.filter((duty) => duty.kind === 'different-actor');
  if (given.length === 0) return undefined;
  const known = new Map<string, ReturnType<ActorRules>>();
  return (check) => {
    if (!known.has(check.name)) {
      // Whatever name it is asked by: `loan:approve` and `loan:approve:any` are about the same.
      const ids = new Set(idsOf(check));
      const rules = given
        .filter(({ permission }) => idsOf(catalogue.check(permission)!).some((id) => ids.has(id)))
        .map(({ actorOf }) => actorOf as (object: unknown) => unknown);
      known.set(check.name, rules.length > 0 ? rules : undefined);
    }
    return known.get(check.name);
  };
}

function idsOf({ always, own }: Check): readonly number[] {
  return own >= 0 ? [...always, own] : always;
}

/** For questions that are about no certain object, such as what a menu may offer. */
export const SOME_OBJECT = Symbol('some object');

/** True if somebody else is known to have acted: what is not known refuses. */
export function isDifferentActor(
  rules: readonly ((object: unknown) => unknown)[],
  object: unknown,
  principalId: string,
): boolean {
  if (object === SOME_OBJECT) return true;
  if (object === undefined || object === null) return false;
  return rules.every((actorOf) => {
    const actor = actorOf(object);
    return typeof actor === 'string' && actor !== '' && actor !== principalId;
  });
}
