import { hasBit, type BitSet } from './bit-set.js';
import { includesId, type Catalogue, type Check, type Coverage } from './catalogue.js';
import type { CompiledPolicy, CompiledRole } from './policy.js';
import type { Bounds, Effect, UserRecord } from './role-store.js';

interface CompiledRule {
  readonly effect: Effect;
  readonly permission: string;
  readonly coverage: Coverage;
  readonly bounds: Bounds | undefined;
}

/** A user's grants as kept in memory: names are shared with the policy, and there is nothing per permission. */
export interface UserEntry {
  /** Revision of the policy in the snapshot that this was read from. */
  readonly policyRevision: number;
  readonly active: boolean;
  readonly roles: readonly string[];
  /** Beside `roles`; absent if no assignment is bounded. */
  readonly bounds: readonly (Bounds | undefined)[] | undefined;
  readonly rules: readonly CompiledRule[] | undefined;
  resolvedFor: CompiledPolicy | undefined;
  resolved: readonly (CompiledRole | undefined)[];
}

/** The wall clock, and the latest time it ever showed: a clock that is set back must not revive what has ended. */
export interface Moment {
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

export function makeEntry(
  catalogue: Catalogue,
  record: UserRecord,
  policyRevision: number,
  intern: (role: string) => string,
): UserEntry {
  const bounded = record.roles.some(isBounded);
  const rules = record.rules.flatMap((rule): CompiledRule[] => {
    const coverage = catalogue.expand(rule.permission);
    // A permission that this version of the app does not know grants nothing here.
    if (coverage === undefined) return [];
    return [{ effect: rule.effect, permission: rule.permission, coverage, bounds: boundsOf(rule) }];
  });
  return {
    policyRevision,
    active: record.active,
    roles: record.roles.map(({ role }) => intern(role)),
    bounds: bounded ? record.roles.map(boundsOf) : undefined,
    rules: rules.length > 0 ? rules : undefined,
    resolvedFor: undefined,
    resolved: [],
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
  let role: string | undefined;
  let direct: string | undefined;

  const roles = rolesOf(policy, entry);
  for (let i = 0; i < roles.length; i++) {
    const compiled = roles[i];
    if (!compiled) continue;
    const bounds = entry.bounds?.[i];
    if (touches(compiled.deny, check, own) && inEffect(bounds, moment, 'deny')) {
      return { allowed: false, reason: 'denied', by: compiled.name };
    }
    if (role === undefined && touches(compiled.allow, check, own) && inEffect(bounds, moment, 'allow')) {
      role = compiled.name;
    }
  }
  if (entry.rules) {
    for (const rule of entry.rules) {
      if (!inEffect(rule.bounds, moment, rule.effect)) continue;
      if (rule.effect === 'deny') {
        if (touches(rule.coverage, check, own))
          return { allowed: false, reason: 'denied', by: rule.permission };
      } else if (direct === undefined && touches(rule.coverage, check, own, policy.active)) {
        direct = rule.permission;
      }
    }
  }
  if (role !== undefined) return { allowed: true, reason: 'role', by: role };
  if (direct !== undefined) return { allowed: true, reason: 'direct', by: direct };
  if (check.own < 0 || relation === 'own') return NOT_GRANTED;
  // Would it be allowed if it were one's own? Only then is ownership the reason.
  return judge(policy, entry, check, 'own', moment).allowed
    ? { allowed: false, reason: relation === 'other' ? 'not-owner' : 'owner-unknown' }
    : NOT_GRANTED;
}

/** Has the user this role, directly or by inheritance, now? */
export function judgeRole(policy: CompiledPolicy, entry: UserEntry, role: string, moment: Moment): Verdict {
  if (!entry.active) return INACTIVE;
  const wanted = policy.roles.get(role);
  if (!wanted) return NOT_GRANTED;
  const roles = rolesOf(policy, entry);
  for (let i = 0; i < roles.length; i++) {
    const compiled = roles[i];
    if (!compiled || !inEffect(entry.bounds?.[i], moment, 'allow')) continue;
    if (hasBit(compiled.includes, wanted.index)) return { allowed: true, reason: 'role', by: compiled.name };
  }
  return NOT_GRANTED;
}

/** Half-open: from `from` on, until just before `until`. Where the clock was set back, the reading that refuses counts. */
export function inEffect(bounds: Bounds | undefined, { now, latest }: Moment, effect: Effect): boolean {
  if (!bounds) return true;
  const [forFrom, forUntil] = effect === 'allow' ? [now, latest] : [latest, now];
  return (
    (bounds.from === undefined || forFrom >= bounds.from) &&
    (bounds.until === undefined || forUntil < bounds.until)
  );
}

function rolesOf(policy: CompiledPolicy, entry: UserEntry): readonly (CompiledRole | undefined)[] {
  if (entry.resolvedFor !== policy) {
    entry.resolved = entry.roles.map((name) => policy.roles.get(name));
    entry.resolvedFor = policy;
  }
  return entry.resolved;
}

function touches(coverage: Coverage, check: Check, own: number, active?: BitSet): boolean {
  for (const id of check.always) if (includesId(coverage, id) && (!active || hasBit(active, id))) return true;
  return own >= 0 && includesId(coverage, own) && (!active || hasBit(active, own));
}

function isBounded(bounds: Bounds): boolean {
  return bounds.from !== undefined || bounds.until !== undefined;
}

function boundsOf(bounds: Bounds): Bounds | undefined {
  if (!isBounded(bounds)) return undefined;
  return {
    ...(bounds.from === undefined ? {} : { from: bounds.from }),
    ...(bounds.until === undefined ? {} : { until: bounds.until }),
  };
}
