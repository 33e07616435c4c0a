import { hasBit, type BitSet } from './bit-set.js';
import { includesId, isEverything, type Catalogue, type Check, type Coverage } from './catalogue.js';
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

/** A user's grants as kept in memory: numbers of roles, and nothing per permission. */
export interface UserEntry {
  /** Revision of the policy in the snapshot that this was read from. */
  readonly policyRevision: number;
  readonly ids: RoleIds;
  readonly active: boolean;
  /** Something in it begins or ends: the clock has to be read. */
  readonly timed: boolean;
  readonly roles: readonly number[];
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

const NOT_GRANTED: Verdict = Object.freeze({ allowed: false, reason: 'not-granted' });
const INACTIVE: Verdict = Object.freeze({ allowed: false, reason: 'user-inactive' });
const NOT_OWNER: Verdict = Object.freeze({ allowed: false, reason: 'not-owner' });
const OWNER_UNKNOWN: Verdict = Object.freeze({ allowed: false, reason: 'owner-unknown' });

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
  return {
    policyRevision,
    ids,
    active: record.active,
    timed: record.roles.some(isTimed) || record.rules.some(isTimed),
    roles: record.roles.map(({ role }) => ids.of(role)),
    bounds: record.roles.some(isBounded) ? record.roles.map(boundsOf) : undefined,
    rules: rules.length > 0 ? rules : undefined,
  };
}

/**
 * The one place where an answer is made: deny (by any role, inherited, or direct) overrides allow, allow overrides
 * nothing. Pure; what is allowed now may not be a moment later.
 */
export function judge(
  policy: CompiledPolicy,
  entry: UserEntry,
  check: Check,
  relation: Relation,
  moment: Moment,
): Verdict {
  if (!entry.active) return INACTIVE;
  const own = check.own >= 0 && relation === 'own' ? check.own : -1;
  const { allow, deny, names } = policy;
  const { roles, bounds, rules } = entry;
  let role = -1;
  let superuser = -1;
  for (let i = 0; i < roles.length; i++) {
    const id = roles[i]!;
    const bound = bounds === undefined ? undefined : bounds[i];
    if (holds(deny, check, own, id) && counts(bound, moment, 'deny'))
      return verdict(false, 'denied', names[id]);
    if (role >= 0) continue;
    if (holds(allow, check, own, id)) {
      if (counts(bound, moment, 'allow')) role = id;
    } else if (superuser < 0 && hasBit(policy.superusers, id) && counts(bound, moment, 'allow')) {
      superuser = id;
    }
  }
  if (rules === undefined && role >= 0) return verdict(true, 'role', names[role]);
  let everything: string | undefined;
  let direct: string | undefined;
  if (rules !== undefined) {
    for (const rule of rules) {
      const effective = rule.effect === 'allow' ? policy.active : undefined;
      if (!touches(rule.coverage, check, own, effective) || !counts(rule.bounds, moment, rule.effect))
        continue;
      if (rule.effect === 'deny') return verdict(false, 'denied', rule.permission);
      if (isEverything(rule.permission)) everything = rule.permission;
      else direct ??= rule.permission;
    }
    if (role >= 0) return verdict(true, 'role', names[role]);
  }
  if (direct !== undefined) return verdict(true, 'direct', direct);
  if (superuser >= 0 && isActive(policy.active, check, own))
    return verdict(true, 'superuser', names[superuser]);
  if (everything !== undefined) return verdict(true, 'superuser', everything);
  if (check.own < 0 || relation === 'own') return NOT_GRANTED;
  // Would it be allowed if it were one's own? Only then is ownership the reason.
  if (!judge(policy, entry, check, 'own', moment).allowed) return NOT_GRANTED;
  return relation === 'other' ? NOT_OWNER : OWNER_UNKNOWN;
}

// Literals of one shape, from one place: on this path a second shape costs more than the decision.
function verdict(allowed: boolean, reason: Reason, by: string | undefined): Verdict {
  return { allowed, reason, by };
}

/** Has the user this role, directly or by inheritance, now? */
export function judgeRole(policy: CompiledPolicy, entry: UserEntry, role: string, moment: Moment): Verdict {
  if (!entry.active) return INACTIVE;
  const wanted = policy.ids.find(role);
  if (wanted === undefined || policy.names[wanted] === undefined) return NOT_GRANTED;
  for (const [i, id] of entry.roles.entries()) {
    if (policy.names[id] === undefined || !policy.includes.has(id, wanted)) continue;
    if (counts(entry.bounds?.[i], moment, 'allow')) return verdict(true, 'role', policy.names[id]);
  }
  return NOT_GRANTED;
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
  for (const id of check.always) if (rows.has(id, role)) return true;
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
