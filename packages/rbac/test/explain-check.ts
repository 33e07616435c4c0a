import { createRbac, memoryRoles, type Explanation, type Rbac, type Step } from '../src/index.js';
import { batchOf, bruteForce, permissions, type Asked, type World } from './worlds.js';

/**
 * Asks why, and tries it: the contributions that count replay to the same decision, the remedy allows it and none of its
 * steps is in vain, each suggested role alone allows it. Tells what does not hold.
 */
export async function explainFails(
  world: World,
  asked: Asked,
  seen: { denials: number; remedies: number; roles: number },
): Promise<string | undefined> {
  const ask = about(asked);
  const before = await rbacOf(world, asked.now);
  const explanation = await before.explain(...ask(asked.scopes));
  const { decision, contributions, scopes, remedy, wouldBeGrantedBy } = explanation;
  if (decision.allowed !== bruteForce(world, asked)) return 'the decision is wrong';
  if (decision.allowed !== replay(explanation, scopes === undefined || covered(world, asked, scopes))) {
    return `the contributions replay to something else: ${JSON.stringify(contributions)}`;
  }
  await before.close();
  if (decision.allowed) return remedy ? 'a remedy of what is allowed' : undefined;
  seen.denials++;
  if (!remedy) {
    // Nothing helps only where one's own is asked for, of what is somebody else's.
    return asked.permission.endsWith(':own') && !asked.mine ? undefined : 'there is no remedy';
  }
  seen.remedies++;
  for (const left of [undefined, ...remedy.keys()]) {
    const rbac = await rbacOf(world, asked.now);
    const steps = remedy.filter((_, i) => i !== left);
    for (const step of steps) await take(rbac, step);
    const added = steps.flatMap((step) => (step.do === 'addScope' ? [step.scope] : []));
    const now = await rbac.can(...ask(asked.scopes && [...asked.scopes, ...added]));
    await rbac.close();
    if (now !== (left === undefined)) {
      return `${left === undefined ? 'the remedy does not help' : `step ${left} is in vain`}: ${JSON.stringify(remedy)}`;
    }
  }
  for (const role of asked.scopes ? [] : wouldBeGrantedBy) {
    seen.roles++;
    const rbac = await rbacOf(world, asked.now);
    await rbac.grantRole('root', 'u', role, asked.tenant === undefined ? {} : { tenant: asked.tenant });
    const now = await rbac.can(...ask(undefined));
    await rbac.close();
    if (!now) return `role ${role} does not help`;
  }
  return undefined;
}

function about({ permission, mine, tenant }: Asked) {
  return (scopes: readonly string[] | undefined) =>
    [
      { id: 'u', kind: 'user', ...(scopes ? { scopes } : {}) },
      permission,
      { owner: mine ? 'u' : 'somebody else', ...(tenant === undefined ? {} : { tenant }) },
    ] as const;
}

async function rbacOf(world: World, now: number) {
  const store = memoryRoles();
  await store.commit(batchOf(world, 'u'));
  return createRbac({ permissions, store, clock: { now: () => now, monotonic: () => 0 } });
}

/** Any denial that counts refuses, else any allowance that counts allows. */
function replay({ contributions }: Explanation, covers: boolean): boolean {
  const counting = contributions.filter(({ state }) => state === 'counts');
  const has = (wanted: string): boolean => counting.some(({ effect }) => effect === wanted);
  return has('allow') && !has('deny') && covers;
}

/** Of a user who may everything, what the scopes leave. */
function covered(world: World, asked: Asked, scopes: readonly string[]): boolean {
  const rules = [
    { effect: 'allow', permission: '**', tenant: '*', grantedBy: 'root', grantedAt: 0 },
  ] as const;
  return bruteForce(
    { roles: [], inactivePermissions: [], user: { active: true, roles: [], rules } },
    { ...asked, scopes },
  );
}

async function take(rbac: Rbac, step: Step): Promise<void> {
  const place = 'tenant' in step && step.tenant !== undefined ? { tenant: step.tenant } : {};
  if (step.do === 'setUserActive') await rbac.setUserActive('root', 'u', true);
  else if (step.do === 'liftDenial') await rbac.liftDenial('root', 'u', step.permission, place);
  else if (step.do === 'revokeRole') await rbac.revokeRole('root', 'u', step.role, place);
  else if (step.do === 'setPermissionActive') await rbac.setPermissionActive('root', step.permission, true);
  else if (step.do === 'grantPermission') await rbac.grantPermission('root', 'u', step.permission, place);
}
