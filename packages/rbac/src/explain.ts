import type { Principal } from '@portcullis/core';
import { hasBit } from './bit-set.js';
import { includesId, type Catalogue, type Check } from './catalogue.js';
import type { AskOptions, Decision, Subject } from './decision.js';
import { inEffect, type Moment, type Relation } from './judge.js';
import type { CompiledPolicy } from './policy.js';
import { relationOf } from './question.js';
import type { Engine } from './rbac.js';
import { checkUserRecord } from './records.js';
import type { Bounds, Effect, PolicyRecord, RoleStore, UserRecord } from './role-store.js';

/** One thing that bears on the answer. */
export interface Contribution {
  readonly effect: Effect;
  /** The pattern that covers the permission. */
  readonly permission: string;
  /** From the assigned role to the one that holds the pattern; empty for a direct rule. */
  readonly path: readonly string[];
  /** `counts`, or why not. */
  readonly state: 'counts' | 'not-yet' | 'ended' | 'role-inactive' | 'user-inactive' | 'permission-inactive';
  readonly grantedBy: string;
  readonly until?: number;
}

export interface Explanation {
  readonly decision: Decision;
  /** The same in sentences, most important first. */
  readonly because: readonly string[];
  readonly contributions: readonly Contribution[];
  /** The credential's scopes, if it has any. */
  readonly scopes?: readonly string[];
  /** Of a denial: active roles each of which, granted to the user, would allow it. */
  readonly wouldBeGrantedBy: readonly string[];
}

export function createExplain(
  engine: Engine,
  store: RoleStore,
  rolesFrom: 'store' | 'principal',
): (subject: Subject, permission: string, options?: AskOptions) => Promise<Explanation> {
  const { catalogue } = engine;

  return async (subject, permission, options = {}) => {
    const question = engine.questionOf([permission], 'all');
    const check = catalogue.check(permission)!;
    const principal = engine.asPrincipal(subject);
    if (!principal) {
      const decision = engine.refusal(question, 'anonymous');
      return { decision, because: ['Nobody is signed in.'], contributions: [], wouldBeGrantedBy: [] };
    }
    const relation = relationOf(options.owner, principal.id);
    const facts = await engine.factsOf(principal, true);
    const decision = engine.conclude(principal, facts, question, relation);
    const record = rolesFrom === 'store' ? await readUser(store, principal) : undefined;
    const contributions = record
      ? contributionsOf(catalogue, facts.policy, record, check, relation, engine.moment())
      : [];
    const wouldBeGrantedBy = decision.allowed ? [] : remedies(facts.policy, check, relation, decision);
    return {
      decision,
      because: sentences(principal, permission, decision, contributions, wouldBeGrantedBy),
      contributions,
      ...(principal.scopes ? { scopes: principal.scopes } : {}),
      wouldBeGrantedBy,
    };
  };
}

async function readUser(store: RoleStore, principal: Principal): Promise<UserRecord> {
  return checkUserRecord((await store.load({ kind: 'user', id: principal.id })).user);
}

function contributionsOf(
  catalogue: Catalogue,
  policy: CompiledPolicy,
  user: UserRecord,
  check: Check,
  relation: Relation,
  moment: Moment,
): Contribution[] {
  const ids = [...check.always, ...(check.own >= 0 && relation === 'own' ? [check.own] : [])];
  /** The pattern that covers what is asked for; one that covers something active, if there is one. */
  const covering = (patterns: readonly string[]): { pattern: string; active: boolean } | undefined => {
    let inactive: { pattern: string; active: boolean } | undefined;
    for (const pattern of patterns) {
      const coverage = catalogue.expand(pattern);
      const covered = coverage === undefined ? [] : ids.filter((id) => includesId(coverage, id));
      if (covered.some((id) => hasBit(policy.active, id))) return { pattern, active: true };
      if (covered.length > 0) inactive ??= { pattern, active: false };
    }
    return inactive;
  };
  const stateOf = (
    bounds: Bounds,
    effect: Effect,
    activePermission: boolean,
    inactiveRole = false,
  ): Contribution['state'] => {
    if (!user.active) return 'user-inactive';
    if (inactiveRole) return 'role-inactive';
    if (!inEffect(bounds, moment, effect)) {
      return bounds.from !== undefined && moment.now < bounds.from ? 'not-yet' : 'ended';
    }
    // Of a permission that is switched off a denial still counts.
    return effect === 'deny' || activePermission ? 'counts' : 'permission-inactive';
  };
  const found: Contribution[] = [];
  for (const assignment of user.roles) {
    for (const { path, inactive, role } of ancestry(policy.record, assignment.role)) {
      for (const effect of ['deny', 'allow'] as const) {
        const covers = covering(role[effect]);
        if (covers === undefined) continue;
        found.push({
          effect,
          permission: covers.pattern,
          path,
          state: stateOf(assignment, effect, covers.active, inactive),
          grantedBy: assignment.grantedBy,
          ...(assignment.until === undefined ? {} : { until: assignment.until }),
        });
      }
    }
  }
  for (const rule of user.rules) {
    const covers = covering([rule.permission]);
    if (covers === undefined) continue;
    found.push({
      effect: rule.effect,
      permission: rule.permission,
      path: [],
      state: stateOf(rule, rule.effect, covers.active),
      grantedBy: rule.grantedBy,
      ...(rule.until === undefined ? {} : { until: rule.until }),
    });
  }
  return found;
}

/** A role and everything it inherits, breadth first, each once with the shortest path that is active, if there is one. */
function ancestry(
  record: PolicyRecord,
  start: string,
): { role: PolicyRecord['roles'][number]; path: string[]; inactive: boolean }[] {
  const roles = new Map(record.roles.map((role) => [role.name, role]));
  const seen = new Map<string, { role: PolicyRecord['roles'][number]; path: string[]; inactive: boolean }>();
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
  const ids = [...check.always, ...(relation === 'own' && check.own >= 0 ? [check.own] : [])];
  return [...policy.roles.values()]
    .filter(({ allow, deny }) => ids.some((id) => hasBit(allow, id)) && !ids.some((id) => hasBit(deny, id)))
    .map(({ name }) => name)
    .sort();
}

const SENTENCES: Readonly<Record<Decision['reason'], (by: string) => string>> = {
  role: (by) => `The role "${by}" allows it.`,
  direct: (by) => `The direct grant "${by}" allows it.`,
  public: () => 'It is open to everybody.',
  anonymous: () => 'Nobody is signed in.',
  'user-inactive': () => 'The user is switched off.',
  denied: (by) => `"${by}" denies it, and a denial overrides every allowance.`,
  'not-owner': () => "It is allowed for what is one's own, and this belongs to somebody else.",
  'owner-unknown': () => "It is allowed for what is one's own, and no owner was given.",
  scope: () => 'The user may, but the scopes of this credential do not cover it.',
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
