import type { Principal } from '@portcullis/core';
import { hasBit } from './bit-set.js';
import { includesId, type Catalogue, type Check } from './catalogue.js';
import type { Contribution } from './explain.js';
import type { Relation } from './judge.js';
import type { CompiledPolicy } from './policy.js';
import { concerned, scopesCover } from './question.js';
import type { UserRecord } from './role-store.js';
import { EVERY_TENANT } from './tenant.js';

/** A change that would help, named after the function of the administration that makes it. */
export type Step =
  | { readonly do: 'setUserActive' }
  /** Without `tenant` the one that counts everywhere. */
  | { readonly do: 'liftDenial'; readonly permission: string; readonly tenant?: string }
  /** The role denies it; so would every role that inherits from the one that does. */
  | { readonly do: 'revokeRole'; readonly role: string; readonly tenant?: string }
  | { readonly do: 'setPermissionActive'; readonly permission: string }
  | { readonly do: 'grantPermission'; readonly permission: string; readonly tenant?: string }
  /** Not a grant: a credential with this scope. */
  | { readonly do: 'addScope'; readonly scope: string };

interface Denial {
  readonly catalogue: Catalogue;
  readonly policy: CompiledPolicy;
  readonly check: Check;
  readonly relation: Relation;
  readonly principal: Principal;
  readonly user: UserRecord;
  readonly tenant: string | undefined;
  readonly contributions: readonly Contribution[];
}

/** The fewest changes after which the denied question would be allowed; undefined if there are none. */
export function remedyOf(denial: Denial): readonly Step[] | undefined {
  const { catalogue, policy, check, relation, principal, user } = denial;
  const ids = concerned(check, relation);
  if (ids.length === 0) return undefined;
  const counting = denial.contributions.filter(
    ({ state }) => state === 'counts' || state === 'user-inactive' || state === 'permission-inactive',
  );
  const ending = endings(counting);
  const left = counting.filter((each) => each.effect === 'allow' && !ending.some((step) => ends(step, each)));
  const scopes = principal.scopes;
  return [
    ...(user.active ? [] : [{ do: 'setUserActive' } as const]),
    ...ending,
    ...granting(catalogue, policy, ids, left, denial.tenant),
    ...(!scopes || scopesCover(catalogue, scopes, check, relation)
      ? []
      : [{ do: 'addScope', scope: check.name } as const]),
  ];
}

/** What ends the denials, each once. */
function endings(counting: readonly Contribution[]): Step[] {
  const steps = new Map<string, Step>();
  for (const { effect, path, permission, tenant } of counting) {
    if (effect !== 'deny') continue;
    const [role] = path;
    const step: Step =
      role === undefined
        ? { do: 'liftDenial', permission, ...(tenant === EVERY_TENANT ? {} : placeOf(tenant)) }
        : { do: 'revokeRole', role, ...placeOf(tenant) };
    steps.set(JSON.stringify(step), step);
  }
  return [...steps.values()];
}

function ends(step: Step, { path, tenant }: Contribution): boolean {
  return step.do === 'revokeRole' && step.role === path[0] && step.tenant === tenant;
}

function granting(
  catalogue: Catalogue,
  policy: CompiledPolicy,
  ids: readonly number[],
  left: readonly Contribution[],
  tenant: string | undefined,
): Step[] {
  const active = (id: number): boolean => hasBit(policy.active, id);
  const granted = ids.filter((id) =>
    left.some(({ permission }) => {
      const coverage = catalogue.expand(permission);
      return coverage !== undefined && includesId(coverage, id);
    }),
  );
  if (granted.some(active)) return [];
  const activate = (id: number): Step => ({ do: 'setPermissionActive', permission: catalogue.names[id]! });
  if (granted.length > 0) return [activate(granted[0]!)];
  const best = ids.find(active) ?? ids[0]!;
  return [
    ...(active(best) ? [] : [activate(best)]),
    { do: 'grantPermission', permission: catalogue.names[best]!, ...placeOf(tenant) },
  ];
}

function placeOf(tenant: string | undefined): { readonly tenant?: string } {
  return tenant === undefined ? {} : { tenant };
}
