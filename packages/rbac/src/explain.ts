import type { Principal } from '@portcullis/core';
import { hasBit } from './bit-set.js';
import { includesId, isEverything, type Catalogue, type Check } from './catalogue.js';
import type { AskOptions, Decision, Subject } from './decision.js';
import { inEffect, type Moment, type Relation } from './judge.js';
import type { CompiledPolicy } from './policy.js';
import { concerned, relationOf, tenantFor } from './question.js';
import type { Engine } from './engine.js';
import { remedyOf, type Step } from './remedy.js';
import type { Bounds, Effect, PolicyRecord, RoleRecord, UserRecord } from './role-store.js';
import { inTenant } from './tenant.js';

/** One thing that bears on the answer. */
export interface Contribution {
  readonly effect: Effect;
  /** The pattern that covers the permission. */
  readonly permission: string;
  /** From the assigned role to the one that holds the pattern; empty for a direct rule. */
  readonly path: readonly string[];
  /** `counts`, or why not. */
  readonly state:
    | 'counts'
    | 'not-yet'
    | 'ended'
    | 'other-tenant'
    | 'role-inactive'
    | 'user-inactive'
    | 'permission-inactive';
  readonly grantedBy: string;
  readonly tenant?: string;
  readonly until?: number;
}

export interface Explanation {
  readonly decision: Decision;
  /** The same in sentences, most important first. */
  readonly because: readonly string[];
  /** What bears on it. Allowed is what some allowance that counts covers and no denial that counts. */
  readonly contributions: readonly Contribution[];
  /** The credential's scopes, if it has any; they have to cover it too. */
  readonly scopes?: readonly string[];
  /** Of a denial: active roles each of which, granted to the user, would allow it. */
  readonly wouldBeGrantedBy: readonly string[];
  /**
   * Of a denial: what together would allow it, none of it in vain. The smallest grant, not the best one: whether it should be
   * allowed is for people to say. Absent if no change of grants would help.
   */
  readonly remedy?: readonly Step[];
}

export function createExplain(
  engine: Engine,
  rolesFrom: 'store' | 'principal',
): (subject: Subject, permission: string, options?: AskOptions) => Promise<Explanation> {
  return async (subject, permission, options = {}) => {
    const { catalogue } = engine;
    const question = engine.questionOf([permission], 'all');
    const check = catalogue.check(permission)!;
    const principal = engine.asPrincipal(subject);
    if (!principal) {
      const decision = engine.refusal(question, 'anonymous');
      return { decision, because: ['Nobody is signed in.'], contributions: [], wouldBeGrantedBy: [] };
    }
    const relation = relationOf(options.owner, principal.id);
    const tenant = tenantFor(principal, options);
    const stored = rolesFrom === 'store' ? await engine.facts.fresh(principal.id) : undefined;
    const facts = stored ? await engine.narrow(stored, principal) : await engine.factsOf(principal, true);
    const decision = engine.conclude(principal, facts, question, relation, tenant, options.object);
    const known = stored && tenant !== false ? { user: stored.record, tenant } : undefined;
    const moment = known && engine.moment(true, known.tenant);
    const contributions = known
      ? contributionsOf(catalogue, facts.policy, known.user, check, relation, moment!)
      : [];
    const wouldBeGrantedBy = decision.allowed ? [] : remedies(facts.policy, check, relation, decision);
    const remedy =
      known && !decision.allowed
        ? remedyOf({ catalogue, policy: facts.policy, check, relation, principal, contributions, ...known })
        : undefined;
    return {
      decision,
      because: sentences(principal, permission, decision, contributions, wouldBeGrantedBy),
      contributions,
      ...(principal.scopes ? { scopes: principal.scopes } : {}),
      wouldBeGrantedBy,
      ...(remedy ? { remedy } : {}),
    };
  };
}

function contributionsOf(
  catalogue: Catalogue,
  policy: CompiledPolicy,
  user: UserRecord,
  check: Check,
  relation: Relation,
  moment: Moment,
): Contribution[] {
  const ids = concerned(check, relation);
  /** Patterns that cover what is asked for, each with whether it covers something active. */
  const covering = (patterns: readonly string[]): { pattern: string; active: boolean }[] =>
    patterns.flatMap((pattern) => {
      const coverage = catalogue.expand(pattern);
      const covered = coverage === undefined ? [] : ids.filter((id) => includesId(coverage, id));
      return covered.length > 0 ? [{ pattern, active: covered.some((id) => hasBit(policy.active, id)) }] : [];
    });
  const found: Contribution[] = [];
  const add = (
    effect: Effect,
    { pattern, active }: { readonly pattern: string; readonly active: boolean },
    path: readonly string[],
    grant: UserRecord['roles'][number] | UserRecord['rules'][number],
    inactiveRole = false,
  ): void => {
    // Of a permission that is switched off a denial still counts.
    const idle = effect === 'allow' && !active ? 'permission-inactive' : 'counts';
    const state = whyNot(user, grant, effect, moment, inactiveRole) ?? idle;
    const { grantedBy, tenant, until } = grant;
    found.push({
      effect,
      permission: pattern,
      path,
      state,
      grantedBy,
      ...(tenant === undefined ? {} : { tenant }),
      ...(until === undefined ? {} : { until }),
    });
  };
  for (const assignment of user.roles) {
    for (const { path, inactive, role } of ancestry(policy.record, assignment.role)) {
      for (const effect of ['deny', 'allow'] as const) {
        for (const cover of covering(role[effect])) add(effect, cover, path, assignment, inactive);
      }
    }
  }
  for (const rule of user.rules) {
    for (const cover of covering([rule.permission])) add(rule.effect, cover, [], rule);
  }
  return found;
}

function whyNot(
  user: UserRecord,
  bounds: Bounds,
  effect: Effect,
  moment: Moment,
  inactiveRole: boolean,
): Contribution['state'] | undefined {
  if (!inTenant(bounds.tenant, moment.tenant)) return 'other-tenant';
  if (inactiveRole) return 'role-inactive';
  if (!inEffect(bounds, moment, effect)) {
    return bounds.from !== undefined && moment.now < bounds.from ? 'not-yet' : 'ended';
  }
  return user.active ? undefined : 'user-inactive';
}

/** A role and everything it inherits, breadth first, each once with the shortest path that is active, if there is one. */
function ancestry(
  record: PolicyRecord,
  start: string,
): { role: RoleRecord; path: string[]; inactive: boolean }[] {
  const roles = new Map(record.roles.map((role) => [role.name, role]));
  const seen = new Map<string, { role: RoleRecord; path: string[]; inactive: boolean }>();
  // Two rounds: what is reached over active roles first, so that an inactive detour does not hide it.
  for (const throughInactive of [false, true]) {
    const queue: { name: string; path: string[]; inactive: boolean }[] = [
      { name: start, path: [], inactive: false },
    ];
    const visited = new Set<string>();
    for (let next = queue.shift(); next; next = queue.shift()) {
      const role = roles.get(next.name);
      if (!role || visited.has(next.name)) continue;
      visited.add(next.name);
      const inactive = next.inactive || !role.active;
      if (inactive && !throughInactive) continue;
      const path = [...next.path, role.name];
      if (!seen.has(role.name)) seen.set(role.name, { role, path, inactive });
      for (const name of role.inherits) queue.push({ name, path, inactive });
    }
  }
  return [...seen.values()];
}

/** Another role helps only where nothing is granted, or where one's own is all that is. */
function remedies(policy: CompiledPolicy, check: Check, relation: Relation, decision: Decision): string[] {
  if (!['not-granted', 'not-owner', 'owner-unknown'].includes(decision.reason)) return [];
  const ids = concerned(check, relation);
  const helpful = (role: number): boolean =>
    !ids.some((id) => policy.deny.has(id, role)) &&
    ids.some(
      (id) => policy.allow.has(id, role) || (hasBit(policy.superusers, role) && hasBit(policy.active, id)),
    );
  return policy.names.filter((name, role): name is string => name !== undefined && helpful(role)).sort();
}

const SENTENCES: Readonly<Record<Decision['reason'], (by: string) => string>> = {
  role: (by) => `The role "${by}" allows it.`,
  direct: (by) => `The direct grant "${by}" allows it.`,
  superuser: (by) =>
    isEverything(by) ? `The direct grant "${by}" allows everything.` : `The role "${by}" allows everything.`,
  public: () => 'It is open to everybody.',
  anonymous: () => 'Nobody is signed in.',
  'user-inactive': () => 'The user is switched off.',
  denied: (by) => `"${by}" denies it, and a denial overrides every allowance.`,
  'not-owner': () => "It is allowed for what is one's own, and this belongs to somebody else.",
  'owner-unknown': () => "It is allowed for what is one's own, and no owner was given.",
  scope: () => 'The user may, but the scopes of this credential do not cover it.',
  'same-actor': () =>
    'It is for others than the one who has acted on the object before, and that somebody else has is not known.',
  tenant: () => 'The credential is of another tenant, or it is not known of which tenant this is.',
  'not-granted': () => 'No role and no direct grant that counts now allows it.',
  unavailable: () => 'It could not be found out.',
};

function sentences(
  principal: Principal,
  permission: string,
  decision: Decision,
  contributions: readonly Contribution[],
  wouldBeGrantedBy: readonly string[],
): string[] {
  const verdict = decision.allowed ? 'may' : 'may not';
  const idle = contributions
    .filter(({ state }) => state !== 'counts')
    .map(({ effect, permission: pattern, path, state }) => {
      const where = path.length === 0 ? 'direct rule' : `role ${path.join(' > ')}`;
      return `${where}: ${effect} "${pattern}" does not count (${state}).`;
    });
  const remedy =
    wouldBeGrantedBy.length > 0 ? [`Roles that would allow it: ${wouldBeGrantedBy.join(', ')}.`] : [];
  return [
    `"${principal.id}" ${verdict} ${permission}.`,
    SENTENCES[decision.reason](decision.by ?? ''),
    ...idle,
    ...remedy,
  ];
}
