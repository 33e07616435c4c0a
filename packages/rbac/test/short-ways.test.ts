import { expect, test } from '@jest/globals';
import {
  createFreshness,
  createMemoryFeed,
  ensureContext,
  type Principal,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { createCatalogue } from '../src/catalogue.js';
import { FactsCache } from '../src/facts.js';
import {
  createRbac,
  definePermissions,
  memoryRoles,
  type LoadScope,
  type RoleStore,
  type Snapshot,
} from '../src/index.js';
import { compilePolicy, MAX_ROLES } from '../src/policy.js';
import { RoleIds } from '../src/role-ids.js';
import { database, leaseOf, permissions, roles } from './support.js';

async function library() {
  const db = database();
  const store = db.connect();
  const events = recordedEvents();
  const { freshness, clock } = leaseOf(store, manualClock());
  const rbac = createRbac({ permissions, store, roles, freshness, clock, events });
  await rbac.seed();
  await rbac.grantRole('root', 'sam', 'staff');
  return { db, rbac, events };
}

test('with the facts in memory a guard hands on before it returns, for credentials with scopes too, and nothing is read', async () => {
  const { db, rbac } = await library();
  const guard = rbac.requirePermission('book:create');
  const passes = (rest: Partial<Principal>): boolean => {
    const req = { headers: {}, method: 'GET' } as SecurityRequest;
    ensureContext(req).principal = Object.freeze({ id: 'sam', kind: 'user', ...rest });
    let passed = false;
    guard(req, {} as SecurityResponse, (error) => (passed = error === undefined));
    return passed;
  };
  expect(passes({})).toBe(false); // Has to be read first.
  expect(await rbac.decide('sam', 'book:create')).toMatchObject({ allowed: true });
  const loads = db.loads.length;
  expect([passes({}), passes({ scopes: ['book:*'] })]).toEqual([true, true]);
  expect(passes({ scopes: ['loan:*'] })).toBe(false);
  expect(db.loads).toHaveLength(loads);
});

test('a decision says where its facts come from: the store the first time, memory after it', async () => {
  const { rbac } = await library();
  const sources: string[] = [];
  for (const fresh of [false, false, true, false]) {
    sources.push((await rbac.decide('sam', 'book:create', { fresh })).source);
  }
  expect(sources).toEqual(['store', 'cache', 'store', 'cache']);
});

test('grants that are ignored are told of, and nothing is where there are none', async () => {
  const { rbac, events } = await library();
  await rbac.can('sam', 'book:read');
  expect(events.of('rbac.grants-ignored')).toEqual([]);
});

test('more roles than there can be are no policy', () => {
  const policy = (count: number) => ({
    roles: Array.from({ length: count }, (_, i) => ({
      name: `r${i}`,
      description: '',
      active: true,
      inherits: [],
      allow: [],
      deny: [],
    })),
    inactivePermissions: [],
  });
  const catalogue = createCatalogue(permissions);
  const compile = (count: number) => compilePolicy(catalogue, policy(count), 1, new RoleIds());
  expect(compile(MAX_ROLES).names.filter((name) => name !== undefined)).toHaveLength(MAX_ROLES);
  expect(() => compile(MAX_ROLES + 1)).toThrow(expect.objectContaining({ code: 'E_POLICY_INVALID' }));
});

test('why one may not is said: it is not theirs, or nobody knows whose it is', async () => {
  const { rbac } = await library();
  await rbac.grantRole('root', 'ann', 'patron');
  const reason = async (about: object) => (await rbac.decide('ann', 'loan:read', about)).reason;
  expect([await reason({ owner: 'bob' }), await reason({}), await reason({ owner: 'ann' })]).toEqual([
    'not-owner',
    'owner-unknown',
    'role',
  ]);
});

test('roles of the credential are judged by roles that the lease shows to be current, and by no older ones', async () => {
  const db = database();
  const store = db.connect();
  const { freshness, clock } = leaseOf(store);
  const rbac = createRbac({ permissions, store, roles, freshness, clock, rolesFrom: 'principal' });
  await rbac.seed();
  const sam: Principal = { id: 'sam', kind: 'user', roles: ['staff'] };
  const asked = async () => {
    const { allowed, reason } = await rbac.decide(sam, 'book:create');
    return [allowed, reason];
  };
  expect([await asked(), await asked()]).toEqual([[true, 'role'], [true, 'role']]); // prettier-ignore
  db.onPoll = () => {
    throw new Error('down');
  };
  clock.advance('2m');
  expect(await asked()).toEqual([false, 'unavailable']);
});

test('numbers of roles that are gone are given up when they are most of all', async () => {
  let names = Array.from({ length: 1500 }, (_, i) => `old${i}`);
  const feed = createMemoryFeed();
  const load = async (scope: LoadScope): Promise<Snapshot> => {
    if (scope.kind === 'user') return { policyRevision: 1, user: { active: true, roles: [], rules: [] } };
    const rest = { description: '', active: true, inherits: [], allow: [], deny: [] };
    return {
      policyRevision: 1,
      policy: { roles: names.map((name) => ({ name, ...rest })), inactivePermissions: [] },
    };
  };
  const store = { feed, load } as unknown as RoleStore;
  const settings = { deadlineMs: 1000, maxUsers: 10, graceMs: 0, shared: undefined };
  const facts = new FactsCache({
    catalogue: createCatalogue(permissions),
    store,
    freshness: createFreshness({ feed }),
    clock: manualClock(),
    events: recordedEvents(),
    ...settings,
  });
  expect((await facts.policy()).ids.size).toBe(1500);
  names = ['new'];
  facts.evictPolicy();
  expect((await facts.policy()).ids.size).toBe(1);
  facts.stop();
});

test('roles are read once for all who ask at once, and every user who fits stays in memory', async () => {
  const { db, rbac } = await library();
  const policies = (): number => db.loads.filter((what) => what === 'policy').length;
  const written = policies();
  await Promise.all(Array.from({ length: 20 }, (_, i) => rbac.can(`u${i}`, 'book:read')));
  expect(policies()).toBe(written + 1);
  const before = db.loads.length;
  for (let i = 0; i < 20; i++) await rbac.can(`u${i}`, 'book:read');
  expect(db.loads).toHaveLength(before);
});

test('the first role and the first permission are like others, and a direct grant of what is not declared is nothing', async () => {
  const first = definePermissions({ note: ['read:own', 'write'] });
  const store = memoryRoles();
  const rbac = createRbac({ permissions: first, store });
  await rbac.seed({ top: { allow: ['**'] }, reader: { allow: ['note:read:own'] } });
  await rbac.grantRole('root', 'ann', 'reader');
  expect(await rbac.can('ann', 'note:read', { owner: 'ann' })).toBe(true);
  expect(await rbac.can('ann', 'note:read', { owner: 'bob' })).toBe(false);
  expect((await rbac.decide('ann', 'note:read', { owner: 'bob' })).reason).toBe('not-owner');
  expect(await rbac.can('nobody', 'note:write')).toBe(false);
  const wider = definePermissions({ note: ['read:own', 'write'], later: ['added'] });
  const newer = createRbac({ permissions: wider, store });
  await newer.grantPermission('root', 'ann', 'later:added');
  expect(await rbac.can('ann', 'note:read', { owner: 'ann' })).toBe(true);
  expect(await rbac.can('ann', 'note:write')).toBe(false);
});
