import { afterEach, describe, expect, test } from '@jest/globals';
import { createFreshness, createMemoryStore } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import request from 'supertest';
import {
  cardinality,
  createRbac,
  definePermissions,
  differentActor,
  dynamicSeparation,
  memoryRoles,
  permissionSeparation,
  prerequisite,
  staticSeparation,
  type Duty,
  type RoleStore,
} from '../src/index.js';
import { asUser, database } from './support.js';

const permissions = definePermissions({
  payment: ['request', 'approve', 'pay', 'approve:own'],
  ledger: ['read', 'write'],
});
const roles = {
  requester: { allow: ['payment:request'] },
  approver: { allow: ['payment:approve'] },
  payer: { allow: ['payment:pay'] },
  clerk: { inherits: ['requester'], allow: ['ledger:read'] },
  trained: {},
  operator: { allow: ['ledger:write'] },
  boss: { inherits: ['approver'] },
} as const;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function setup(duties: readonly Duty[], options: object = {}, store: RoleStore = memoryRoles()) {
  const rbac = createRbac({ permissions, store, roles, duties, ...options });
  open.push(rbac);
  await rbac.seed();
  return rbac;
}

const conflict = { code: 'E_DUTY_CONFLICT', status: 409 };

describe('static separation of duties', () => {
  const apart = [staticSeparation(['requester', 'approver'])];

  test('T17: the second of two roles is refused, directly and through a parent, and nothing is written', async () => {
    const rbac = await setup(apart);
    await rbac.grantRole('root', 'ann', 'requester');
    await expect(rbac.grantRole('root', 'ann', 'approver')).rejects.toMatchObject(conflict);
    await expect(rbac.grantRole('root', 'ann', 'boss')).rejects.toMatchObject({
      message: 'The same person must not have requester and approver.',
    });
    expect((await rbac.rolesOf('ann')).map(({ role }) => role)).toEqual(['requester']);
    await rbac.revokeRole('root', 'ann', 'requester');
    await rbac.grantRole('root', 'ann', 'boss');
  });

  test('T17: an edit of a role, or of its parents, that would give somebody both is refused', async () => {
    const rbac = await setup(apart);
    await rbac.grantRole('root', 'ann', 'clerk');
    await rbac.grantRole('root', 'ann', 'operator');
    await expect(rbac.defineRole('root', 'operator', { inherits: ['boss'] })).rejects.toMatchObject(conflict);
    await expect(
      rbac.seed({ operator: { inherits: ['approver'] } }, { overwrite: true }),
    ).rejects.toMatchObject(conflict);
    await rbac.defineRole('root', 'both', { inherits: ['requester', 'approver'] });
    await expect(rbac.grantRole('root', 'bob', 'both' as never)).rejects.toMatchObject(conflict);
    await rbac.setRoleActive('root', 'approver', false);
    // Switched off today is switched on tomorrow.
    await expect(rbac.grantRole('root', 'ann', 'approver')).rejects.toMatchObject(conflict);
  });

  test('T17: of two grants at the same time, in two processes, one is refused', async () => {
    const db = database();
    const [one, two] = [await setup(apart, {}, db.connect()), await setup(apart, {}, db.connect())];
    for (let round = 0; round < 20; round++) {
      const user = `u${round}`;
      const results = await Promise.allSettled([
        one.grantRole('root', user, 'requester'),
        two.grantRole('root', user, 'approver'),
      ]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await one.rolesOf(user)).toHaveLength(1);
    }
  });

  test('each tenant is looked at by itself, one that counts everywhere in all of them; what has ended is nothing', async () => {
    const clock = manualClock();
    const rbac = await setup(apart, { clock });
    await rbac.grantRole('root', 'ann', 'requester', { tenant: 'north' });
    await rbac.grantRole('root', 'ann', 'approver', { tenant: 'south' });
    await expect(rbac.grantRole('root', 'ann', 'boss', { tenant: '*' })).rejects.toMatchObject({
      message: 'The same person must not have requester and approver in tenant "north".',
    });
    await rbac.grantRole('root', 'bob', 'requester', { until: clock.now() + 1000 });
    await expect(rbac.grantRole('root', 'bob', 'approver')).rejects.toMatchObject(conflict);
    clock.advance(1000);
    await rbac.grantRole('root', 'bob', 'approver');
  });

  test('who has both already can be changed otherwise, and is not made worse', async () => {
    const store = memoryRoles();
    const before = await setup([], {}, store);
    await before.grantRole('root', 'ann', 'requester');
    await before.grantRole('root', 'ann', 'approver');
    const rbac = await setup(apart, {}, store);
    await rbac.grantRole('root', 'ann', 'trained');
    await rbac.revokeRole('root', 'ann', 'approver');
    await expect(rbac.grantRole('root', 'ann', 'approver')).rejects.toMatchObject(conflict);
  });

  test('at most so many of several roles, and of several permissions by whatever way they come', async () => {
    const rbac = await setup([
      staticSeparation(['requester', 'approver', 'payer'], { atMost: 2 }),
      permissionSeparation(['payment:approve', 'payment:pay']),
    ]);
    await rbac.grantRole('root', 'ann', 'requester');
    await rbac.grantRole('root', 'ann', 'approver');
    await expect(rbac.grantRole('root', 'ann', 'payer')).rejects.toMatchObject(conflict);
    await expect(rbac.grantPermission('root', 'ann', 'payment:pay')).rejects.toMatchObject({
      message: 'The same person must not be allowed payment:approve and payment:pay.',
    });
    await expect(rbac.grantPermission('root', 'ann', 'payment:*')).rejects.toMatchObject(conflict);
    await expect(rbac.defineRole('root', 'approver', { allow: ['payment:**'] })).rejects.toMatchObject(
      conflict,
    );
    await rbac.grantPermission('root', 'bob', 'payment:pay');
  });
});

test('cardinality: one more holder than may be is refused, also through inheritance and from two processes', async () => {
  const db = database();
  const duties = [cardinality('approver', 2)];
  const [one, two] = [await setup(duties, {}, db.connect()), await setup(duties, {}, db.connect())];
  await one.grantRole('root', 'ann', 'approver');
  const results = await Promise.allSettled(
    ['bob', 'cat', 'dan'].map((user, i) =>
      [one, two][i % 2]!.grantRole('root', user, i === 1 ? 'boss' : 'approver'),
    ),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  await one.grantRole('root', 'ann', 'approver', { reason: 'again is no second holder' });
  await one.grantRole('root', 'eve', 'operator');
  await expect(one.defineRole('root', 'operator', { inherits: ['approver'] })).rejects.toMatchObject({
    message: 'At most 2 may have approver; there would be 3.',
  });
});

test('prerequisite: only who has the other role, as long, gets it; and the other one stays while it does', async () => {
  const clock = manualClock();
  const rbac = await setup([prerequisite('operator', 'trained')], { clock });
  await expect(rbac.grantRole('root', 'ann', 'operator')).rejects.toMatchObject(conflict);
  await rbac.grantRole('root', 'ann', 'trained', { until: clock.now() + 1000 });
  await expect(rbac.grantRole('root', 'ann', 'operator')).rejects.toMatchObject(conflict);
  await rbac.grantRole('root', 'ann', 'operator', { until: clock.now() + 1000 });
  await expect(rbac.revokeRole('root', 'ann', 'trained')).rejects.toMatchObject(conflict);
  await expect(rbac.removeRole('root', 'trained')).rejects.toMatchObject(conflict);
  await rbac.revokeRole('root', 'ann', 'operator');
  await rbac.revokeRole('root', 'ann', 'trained');
});

describe('dynamic separation of duties', () => {
  const duties = [dynamicSeparation(['approver', 'payer'])];
  const who = (id: string, sessionId?: string) =>
    ({ id, kind: 'user', ...(sessionId ? { sessionId } : {}) }) as const;

  test('none counts until it is activated, one at a time, and only in its session', async () => {
    const activations = createMemoryStore();
    const rbac = await setup(duties, { activations });
    for (const role of ['approver', 'payer', 'requester'] as const) await rbac.grantRole('root', 'ann', role);
    const may = async (session?: string) => [
      await rbac.can(who('ann', session), 'payment:approve'),
      await rbac.can(who('ann', session), 'payment:pay'),
      await rbac.can(who('ann', session), 'payment:request'),
    ];
    expect(await may('s1')).toEqual([false, false, true]);
    await rbac.activateRole(who('ann', 's1'), 'approver');
    await rbac.activateRole(who('ann', 's1'), 'approver');
    expect(await may('s1')).toEqual([true, false, true]);
    await expect(rbac.activateRole(who('ann', 's1'), 'payer')).rejects.toMatchObject({
      message: 'In this session approver is active; drop it first.',
    });
    expect(await may('s2')).toEqual([false, false, true]);
    expect(await may()).toEqual([false, false, true]);
    await rbac.dropRole(who('ann', 's1'), 'approver');
    await rbac.activateRole(who('ann', 's1'), 'payer');
    expect(await may('s1')).toEqual([false, true, true]);
    expect((await rbac.explain(who('ann', 's1'), 'payment:approve')).decision.allowed).toBe(false);
    await expect(rbac.activateRole(who('bob', 's3'), 'payer')).rejects.toMatchObject({
      code: 'E_PERMISSION_DENIED',
    });
    await expect(rbac.activateRole(who('ann'), 'payer')).rejects.toMatchObject(conflict);
    await expect(rbac.activateRole(who('ann', 's1'), 'requester')).rejects.toMatchObject({
      code: 'E_ROLE_UNKNOWN',
    });
    await rbac.revokeRole('root', 'ann', 'payer');
    expect(await may('s1')).toEqual([false, false, true]);
  });

  test('a role that is both of them is refused, and a store that fails denies with 503', async () => {
    const activations = createMemoryStore();
    let down = false;
    const flaky = {
      ...activations,
      get: async (...args: Parameters<typeof activations.get>) => {
        if (down) throw new Error('down');
        return activations.get(...args);
      },
      swap: activations.swap.bind(activations),
      delete: activations.delete.bind(activations),
    };
    const rbac = await setup(duties, { activations: flaky });
    await expect(rbac.defineRole('root', 'both', { inherits: ['boss', 'payer'] })).rejects.toMatchObject(
      conflict,
    );
    await rbac.grantRole('root', 'ann', 'boss');
    await rbac.activateRole(who('ann', 's'), 'approver');
    expect(await rbac.can(who('ann', 's'), 'payment:approve')).toBe(true);
    down = true;
    expect(await rbac.decide(who('ann', 's'), 'payment:approve')).toMatchObject({ reason: 'unavailable' });
    expect(() => createRbac({ permissions, store: memoryRoles(), duties })).toThrow(/needs activations/);
  });
});

describe('different actor', () => {
  interface Payment {
    readonly askedBy?: unknown;
  }
  const duties = [differentActor('payment:approve', (payment: Payment) => payment.askedBy)];

  test('who asked does not approve, nor does anybody of whom that is not known', async () => {
    const rbac = await setup(duties);
    await rbac.grantRole('root', 'ann', 'approver');
    const ask = (object?: unknown) => rbac.decide('ann', 'payment:approve', { object });
    expect(await ask({ askedBy: 'bob' })).toMatchObject({ allowed: true });
    for (const object of [
      { askedBy: 'ann' },
      {},
      { askedBy: null },
      { askedBy: 7 },
      { askedBy: '' },
      undefined,
      null,
    ]) {
      expect(await ask(object)).toMatchObject({ allowed: false, reason: 'same-actor' });
    }
    expect(await rbac.can('ann', 'payment:approve')).toBe(false);
    expect(await rbac.can('ann', 'payment:approve', { object: { askedBy: 'bob' } })).toBe(true);
    expect(await rbac.decide('eve', 'payment:approve', { object: { askedBy: 'bob' } })).toMatchObject({
      reason: 'not-granted',
    });
    // What a menu may offer.
    expect(await rbac.permissionsOf('ann')).toEqual(['payment:approve']);
    await expect(rbac.where('ann', 'payment:approve')).rejects.toThrow(/differentActor/);
    const why = await rbac.explain('ann', 'payment:approve', { object: { askedBy: 'ann' } });
    expect(why.because.join(' ')).toMatch(/somebody else/);
  });

  onBothExpress((express) => {
    test('a guard has to say which object, and judges it', async () => {
      const rbac = await setup(duties);
      await rbac.grantRole('root', 'ann', 'approver');
      expect(() => rbac.requirePermission('payment:approve')).toThrow(/say which object/);
      const app = express();
      const payments: Record<string, Payment> = { 1: { askedBy: 'ann' }, 2: { askedBy: 'bob' } };
      app.post(
        '/payments/:id',
        asUser('ann'),
        rbac.requirePermission('payment:approve', {
          object: (req) => payments[(req.params as { id: string }).id],
        }),
        (_req, res) => void res.send('approved'),
      );
      expect((await request(app).post('/payments/1')).status).toBe(403);
      expect((await request(app).post('/payments/2')).status).toBe(200);
      expect((await request(app).post('/payments/3')).status).toBe(404);
    });
  });
});

test.each([
  ['one role', [staticSeparation(['approver'])], /between at least two/],
  ['the same twice', [dynamicSeparation(['approver', 'approver'])], /between at least two/],
  ['nothing forbidden', [staticSeparation(['approver', 'payer'], { atMost: 2 })], /forbids nothing/],
  ['no number', [cardinality('approver', 0)], /at least 1/],
  ['a misspelt role', [cardinality('aprover', 1)], /Did you mean "approver"/],
  ['an unknown permission', [permissionSeparation(['payment:pay', 'payment:play'])], /payment:play/],
  ['no list', 'x' as never, /E_OPTION_TYPE/],
  ['no duty', [{} as never], /not made by a function/],
  ['a kind that there is not', [{ kind: 'toString' } as never], /not made by a function/],
  ['roles that are no list', [staticSeparation('ab' as never)], /not made by a function/],
  ['a count that is none', [cardinality('approver', '2' as never)], /not made by a function/],
  ['itself', [prerequisite('approver', 'approver')], /cannot need itself/],
] as const)('a duty that says nothing does not start: %s', (_what, duties, problem) => {
  expect(() => createRbac({ permissions, store: memoryRoles(), roles, duties })).toThrow(problem);
});

test('a user whose constrained grant is seen by another process counts there within the lease', async () => {
  const db = database();
  const duties = [staticSeparation(['requester', 'approver'])];
  const [one, two] = [db.connect(), db.connect()].map((store) => ({
    store,
    freshness: createFreshness({ feed: store.feed }),
  }));
  const writer = await setup(duties, { freshness: one!.freshness }, one!.store);
  const reader = await setup(duties, { freshness: two!.freshness }, two!.store);
  expect(await reader.can('ann', 'payment:request')).toBe(false);
  await writer.grantRole('root', 'ann', 'requester');
  expect(await writer.can('ann', 'payment:request')).toBe(true);
  await writer.revokeRole('root', 'ann', 'requester', { strict: true });
  expect(await reader.can('ann', 'payment:request')).toBe(false);
  await one!.freshness.stop();
  await two!.freshness.stop();
});
