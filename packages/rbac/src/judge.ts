import { hasBit, type BitSet } from './bit-set.js';
import { includesId, isEverything, type Catalogue, type Check, type Coverage } from './catalogue.js';
import { pack, UNPACKED, type PackedRoles } from './packed-roles.js';
import type { CompiledPolicy } from './policy.js';
import type { RoleIds } from './role-ids.js';
import type { Bounds, Effect, UserRecord } from './role-store.js';
import { inTenant, isTenant } from './tenant.js';

interface CompiledRule {
  readonly effect: Effect;
  readonly permission: string;
  readonly coverage: Coverage;
  readonly bounds: Bounds | undefined;
}

/**
 * A user's grants as kept in memory: numbers of roles, and nothing per permission. Packed are the roles of an active user who has
 * nothing else, and no bounds.
 */
export interface UserEntry extends PackedRoles {
  /** Revision of the policy in the snapshot that this was read from. */
  readonly policyRevision: number;
  readonly ids: RoleIds;
  readonly active: boolean;
  /** Something in it begins or ends: the clock has to be read. */
  readonly timed: boolean;
  readonly roles: readonly number[];
  /** {@link maskOf} the roles. */
  readonly mask: number;
  /** Beside `roles`; absent if no assignment is bounded. */
  readonly bounds: readonly (Bounds | undefined)[] | undefined;
  readonly rules: readonly CompiledRule[] | undefined;
}

/** Where a question is asked, and when. */
export interface Moment {
  readonly tenant: string | undefined;
  /** The wall clock, and the latest time it can be: a clock that is set back must not revive what has ended. */
  readonly now: number;
  readonly latest: number;
}

/** Whose the object is, as seen from the one who asks. */
export type Relation = 'own' | 'other' | 'unknown';

export type Reason =
  /** A role of the user allows it. */
  | 'role'
  /** A grant to the user allows it. */
  | 'direct'
  /** Nothing but a grant of everything (`**`) allows it. */
  | 'superuser'
  /** `public()`: nobody is asked. */
  | 'public'
  /** Nobody is signed in. */
  | 'anonymous'
  /** The user is switched off. */
  | 'user-inactive'
  /** A role or a rule denies it; that overrides every allowance. */
  | 'denied'
  /** Allowed for one's own only, and this is somebody else's. */
  | 'not-owner'
  /** Allowed for one's own only, and it is not known whose this is. */
  | 'owner-unknown'
  /** Allowed to the user, but not to this credential: its scopes do not cover it. */
  | 'scope'
  /** Allowed to others only: the one who asks has acted on the object before, or it is not known who has. */
  | 'same-actor'
  /** The credential is of another tenant, or it is not known of which tenant this is. */
  | 'tenant'
  /** Nothing allows it. */
  | 'not-granted'
  /** It could not be found out. */
  | 'unavailable';

export interface Verdict {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** Name of the role, or the rule's permission, that decided. */
  readonly by?: string | undefined;
}

/**
 * An answer as one number, so that nothing has to be made for it: its place in `ENDS` in the low bits, and what decided above
 * (the number of a role, the place of a rule).
 */
export type Ruling = number;

const ENDS = [
  { allowed: true, reason: 'role', by: 'role' },
  { allowed: true, reason: 'direct', by: 'rule' },
  { allowed: true, reason: 'superuser', by: 'role' },
  { allowed: true, reason: 'superuser', by: 'rule' },
  { allowed: false, reason: 'denied', by: 'role' },
  { allowed: false, reason: 'denied', by: 'rule' },
  { allowed: false, reason: 'user-inactive', by: undefined },
  { allowed: false, reason: 'not-granted', by: undefined },
  { allowed: false, reason: 'not-owner', by: undefined },
  { allowed: false, reason: 'owner-unknown', by: undefined },
] as const satisfies readonly { allowed: boolean; reason: Reason; by: 'role' | 'rule' | undefined }[];
const [BY_ROLE, BY_RULE, SUPER_ROLE, SUPER_RULE, DENIED_ROLE, DENIED_RULE] = [0, 1, 2, 3, 4, 5];
const [INACTIVE, NOT_GRANTED, NOT_OWNER, OWNER_UNKNOWN] = [6, 7, 8, 9];
const LAST_ALLOWED = SUPER_RULE;

export function isAllowed(ruling: Ruling): boolean {
  return (ruling & 15) <= LAST_ALLOWED;
}

/** Allowed by a role or a rule of the permission itself: nobody has to be told, as of a superuser. */
export function isPlain(ruling: Ruling): boolean {
  return (ruling & 15) <= BY_RULE;
}

/** What a number means. */
export function verdictOf(policy: CompiledPolicy, entry: UserEntry, ruling: Ruling): Verdict {
  const { allowed, reason, by } = ENDS[ruling & 15]!;
  const which = ruling >>> 4;
  if (by === 'role') return verdict(allowed, reason, policy.names[which]);
  return verdict(allowed, reason, by === 'rule' ? entry.rules![which]!.permission : undefined);
}

export function makeEntry(
  catalogue: Catalogue,
  record: UserRecord,
  policyRevision: number,
  ids: RoleIds,
): UserEntry {
  const rules = record.rules.flatMap((rule): CompiledRule[] => {
    const coverage = catalogue.expand(rule.permission);
    // A permission that this version of the app does not know grants nothing here.
    if (coverage === undefined) return [];
    return [{ effect: rule.effect, permission: rule.permission, coverage, bounds: boundsOf(rule) }];
  });
  const roles = record.roles.map(({ role }) => ids.of(role));
  const bounded = record.roles.some(isBounded);
  const { first, second, third } = record.active && !bounded && rules.length === 0 ? pack(roles) : UNPACKED;
  // First what every question reads: one line of a processor's cache, usually.
  return {
    first,
    second,
    third,
    policyRevision,
    ids,
    mask: maskOf(roles),
    roles,
    active: record.active,
    timed: record.roles.some(isTimed) || record.rules.some(isTimed),
    bounds: bounded ? record.roles.map(boundsOf) : undefined,
    rules: rules.length > 0 ? rules : undefined,
  };
}

/** The numbers modulo 32, as bits: what has no bit in common has no number in common. */
export function maskOf(numbers: readonly number[]): number {
  return numbers.reduce((mask, number) => mask | (1 << number), 0);
}

/**
 * The one place where an answer is made: deny (by any role, inherited, or direct) overrides allow, allow overrides
 * nothing. Pure; what is allowed now may not be a moment later.
 */
export function rule(
  policy: CompiledPolicy,
  entry: UserEntry,
  check: Check,
  relation: Relation,
  moment: Moment,
): Ruling {
  if (!entry.active) return INACTIVE;
  const own = check.own >= 0 && relation === 'own' ? check.own : -1;
  const { allow, deny } = policy;
  const { roles, bounds, rules } = entry;
  let role = -1;
  let superuser = -1;
  for (let i = 0; i < roles.length; i++) {
    const id = roles[i]!;
    const bound = bounds === undefined ? undefined : bounds[i];
    if (!deny.empty && holds(deny, check, own, id) && counts(bound, moment, 'deny'))
      return DENIED_ROLE | (id << 4);
    if (role >= 0) {
      if (deny.empty) break;
      continue;
    }
    if (holds(allow, check, own, id)) {
      if (counts(bound, moment, 'allow')) role = id;
    } else if (superuser < 0 && hasBit(policy.superusers, id) && counts(bound, moment, 'allow')) {
      superuser = id;
    }
  }
  let everything = -1;
  let direct = -1;
  if (rules !== undefined) {
    for (let i = 0; i < rules.length; i++) {
      const { effect, coverage, permission, bounds: limits } = rules[i]!;
      const effective = effect === 'allow' ? policy.active : undefined;
      if (!touches(coverage, check, own, effective) || !counts(limits, moment, effect)) continue;
      if (effect === 'deny') return DENIED_RULE | (i << 4);
      if (isEverything(permission)) everything = i;
      else if (direct < 0) direct = i;
    }
  }
  if (role >= 0) return BY_ROLE | (role << 4);
  if (direct >= 0) return BY_RULE | (direct << 4);
  if (superuser >= 0 && isActive(policy.active, check, own)) return SUPER_ROLE | (superuser << 4);
  if (everything >= 0) return SUPER_RULE | (everything << 4);
  if (check.own < 0 || relation === 'own') return NOT_GRANTED;
  // Would it be allowed if it were one's own? Only then is ownership the reason.
  if (!isAllowed(rule(policy, entry, check, 'own', moment))) return NOT_GRANTED;
  return relation === 'other' ? NOT_OWNER : OWNER_UNKNOWN;
}

/**
 * The same for the commonest case, from the fewest places: one permission, asked where there is no tenant, of a user who has
 * unbounded roles and nothing else, where no role denies anything. Undefined for every other case.
 */
export function plainly(policy: CompiledPolicy, entry: UserEntry, permission: number): boolean | undefined {
  const { allow, deny, superuserMask } = policy;
  if (entry.first < 0 || !deny.empty) return undefined;
  if (allow.hasAny(permission, entry, entry.roles)) return true;
  return (superuserMask & entry.mask) === 0 ? false : undefined;
}

/** {@link rule}, with what its number means. */
export function judge(
  policy: CompiledPolicy,
  entry: UserEntry,
  check: Check,
  relation: Relation,
  moment: Moment,
): Verdict {
  return verdictOf(policy, entry, rule(policy, entry, check, relation, moment));
}

// Literals of one shape, from one place: on this path a second shape costs more than the decision.
function verdict(allowed: boolean, reason: Reason, by: string | undefined): Verdict {
  return { allowed, reason, by };
}

/** Has the user this role, directly or by inheritance, now? */
export function judgeRole(policy: CompiledPolicy, entry: UserEntry, role: string, moment: Moment): Verdict {
  if (!entry.active) return verdictOf(policy, entry, INACTIVE);
  const wanted = policy.ids.find(role);
  if (wanted === undefined) return verdictOf(policy, entry, NOT_GRANTED);
  for (const [i, id] of entry.roles.entries()) {
    // An inactive role includes nothing and is in nothing.
    if (!policy.includes.has(id, wanted)) continue;
    if (counts(entry.bounds?.[i], moment, 'allow')) return verdictOf(policy, entry, BY_ROLE | (id << 4));
  }
  return verdictOf(policy, entry, NOT_GRANTED);
}

/** Does it count there and then? */
export function counts(bounds: Bounds | undefined, moment: Moment, effect: Effect): boolean {
  if (bounds === undefined) return moment.tenant === undefined;
  return inTenant(bounds.tenant, moment.tenant) && inEffect(bounds, moment, effect);
}

/** Half-open: from `from` on, until just before `until`. Where the clock was set back, the reading that refuses counts. */
export function inEffect(bounds: Bounds, { now, latest }: Moment, effect: Effect): boolean {
  const [forFrom, forUntil] = effect === 'allow' ? [now, latest] : [latest, now];
  return (
    (bounds.from === undefined || forFrom >= bounds.from) &&
    (bounds.until === undefined || forUntil < bounds.until)
  );
}

function holds(rows: CompiledPolicy['allow'], check: Check, own: number, role: number): boolean {
  if (check.only >= 0) return rows.has(check.only, role);
  const { always } = check;
  for (let i = 0; i < always.length; i++) if (rows.has(always[i]!, role)) return true;
  return own >= 0 && rows.has(own, role);
}

/** Every tenant that the user's grants name; `*` is not one of them. */
export function tenantsOf({ bounds = [], rules = [] }: UserEntry): ReadonlySet<string> {
  const named = [...bounds, ...rules.map((rule) => rule.bounds)].map((bound) => bound?.tenant);
  return new Set(named.filter(isTenant));
}

/** A tenant that is none of these: what counts in it counts in every one. */
export function unnamedTenant(named: ReadonlySet<string>): string {
  let other = 'another';
  while (named.has(other)) other += '!';
  return other;
}

function isActive(active: BitSet, check: Check, own: number): boolean {
  return check.always.some((id) => hasBit(active, id)) || (own >= 0 && hasBit(active, own));
}

function touches(coverage: Coverage, check: Check, own: number, active?: BitSet): boolean {
  for (const id of check.always) if (includesId(coverage, id) && (!active || hasBit(active, id))) return true;
  return own >= 0 && includesId(coverage, own) && (!active || hasBit(active, own));
}

function isTimed(bounds: Bounds): boolean {
  return bounds.from !== undefined || bounds.until !== undefined;
}

function isBounded(bounds: Bounds): boolean {
  return isTimed(bounds) || bounds.tenant !== undefined;
}

const EVERYWHERE: Bounds = Object.freeze({ tenant: '*' });

function boundsOf(bounds: Bounds): Bounds | undefined {
  if (!isBounded(bounds)) return undefined;
  if (bounds.tenant === EVERYWHERE.tenant && !isTimed(bounds)) return EVERYWHERE;
  return {
    ...(bounds.from === undefined ? {} : { from: bounds.from }),
    ...(bounds.until === undefined ? {} : { until: bounds.until }),
    ...(bounds.tenant === undefined ? {} : { tenant: bounds.tenant }),
  };
}
