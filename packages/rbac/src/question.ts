import type { Principal } from '@portcullis/core';
import { covers, parsePattern, type Catalogue, type Check } from './catalogue.js';
import { isDifferentActor, type ActorRules } from './duties.js';
import { judge, judgeRole, type Moment, type Relation, type UserEntry, type Verdict } from './judge.js';
import type { CompiledPolicy } from './policy.js';
import { isTenant } from './tenant.js';

/** What a guard asks, resolved when it is built. */
export type Question =
  PermissionQuestion | { readonly kind: 'role'; readonly text: string; readonly roles: readonly string[] };

export interface PermissionQuestion {
  readonly kind: 'permission';
  readonly text: string;
  readonly mode: 'any' | 'all';
  readonly checks: readonly Check[];
}

export interface Answer extends Verdict {
  readonly permission?: string | undefined;
}

/** Asks the engine, and then whether the credential's scopes cover it and nobody acts on what is their own doing: what all allow is allowed. */
export function answer(
  catalogue: Catalogue,
  policy: CompiledPolicy,
  entry: UserEntry,
  question: Question,
  relation: Relation,
  moment: Moment,
  { scopes, id }: Pick<Principal, 'scopes' | 'id'>,
  actors: ActorRules | undefined,
  object: unknown,
): Answer {
  if (question.kind === 'role') {
    // A credential of limited scope stands for some permissions, never for a role as a whole.
    let refused: Answer | undefined;
    for (const role of question.roles) {
      const verdict = judgeRole(policy, entry, role, moment);
      if (verdict.allowed) return scopes && !scopes.includes('**') ? SCOPE : verdict;
      refused ??= verdict;
    }
    return refused!;
  }
  let last: Answer | undefined;
  for (const check of question.checks) {
    let verdict: Verdict = judge(policy, entry, check, relation, moment);
    if (verdict.allowed && scopes && !scopesCover(catalogue, scopes, check, relation)) verdict = SCOPE;
    const others = verdict.allowed ? actors?.(check) : undefined;
    if (others && !isDifferentActor(others, object, id)) verdict = SAME_ACTOR;
    if (question.checks.length === 1) return about(verdict, check);
    if (verdict.allowed === (question.mode === 'any')) return about(verdict, check);
    last ??= about(verdict, check);
  }
  return last!;
}

// Literals of one shape: on this path a spread costs more than the decision.
function about({ allowed, reason, by }: Verdict, check: Check): Answer {
  return { allowed, reason, by, permission: check.name };
}

/** The credential is bound to a tenant and this is another, or what should say the tenant says none. */
export const WRONG_TENANT: Verdict = Object.freeze({ allowed: false, reason: 'tenant' });

const SAME_ACTOR: Verdict = Object.freeze({ allowed: false, reason: 'same-actor' });
const SCOPE: Verdict = Object.freeze({ allowed: false, reason: 'scope' });

/** Ids that the question is about, as seen from the one who asks. */
export function concerned(check: Check, relation: Relation): readonly number[] {
  return check.own >= 0 && relation === 'own' ? [...check.always, check.own] : check.always;
}

/** Scopes are read like grants: names and patterns. Others, such as `openid`, cover nothing. */
export function scopesCover(
  catalogue: Catalogue,
  scopes: readonly string[],
  check: Check,
  relation: Relation,
): boolean {
  const ids = concerned(check, relation);
  return scopes.some((scope) => {
    if (scope === check.name) return true;
    const pattern = typeof scope === 'string' ? parsePattern(scope) : undefined;
    return pattern !== undefined && ids.some((id) => covers(pattern, catalogue.names[id]!.split(':')));
  });
}

/** The tenant that a question is about; false if it is not the credential's, or should be known and is not. */
export function tenantFor(
  principal: Principal,
  about: { readonly tenant?: unknown },
): string | undefined | false {
  if (!('tenant' in about)) return principal.tenant;
  if (!isTenant(about.tenant)) return false;
  return principal.tenant === undefined || principal.tenant === about.tenant ? about.tenant : false;
}

/** Strict: the same non-empty string. `undefined` owns nothing and is owned by nobody. */
export function relationOf(owner: unknown, principalId: string): Relation {
  if (owner === undefined || owner === null) return 'unknown';
  return typeof owner === 'string' && owner !== '' && owner === principalId ? 'own' : 'other';
}
