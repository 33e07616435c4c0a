import { describe, expect, test } from '@jest/globals';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { createRbac, memoryRoles, type RoleStore } from '../src/index.js';
import { roleStoreSuite } from '../src/testing.js';
import { database, permissions, roles } from './support.js';

roleStoreSuite('memory', () => ({ store: memoryRoles() }));
roleStoreSuite('three functions of your own', () => {
  const db = database();
  return { store: db.connect(), another: db.connect() };
});

async function setup(store: RoleStore = memoryRoles()) {
  const clock = manualClock();
  const events = recordedEvents();
  const rbac = createRbac({ permissions, store, roles, clock, events });
  await rbac.seed();
  return { rbac, store, clock, events };
}

describe('grants', () => {
  test('keep who gave them, when, why and for how long; a second one replaces the first', async () => {
    const { rbac, clock, events } = await setup();
    const until = clock.now() + 1000;
    const first = await rbac.grantRole({ id: 'root' }, 'ann', 'staff', {
      until: new Date(until),
      reason: 'holiday',
    });
    expect(await rbac.rolesOf('ann')).toEqual([
      { role: 'staff', grantedBy: 'root', grantedAt: clock.now(), until, reason: 'holiday' },
    ]);
    const second = await rbac.grantRole('sam', 'ann', 'staff');
    expect(await rbac.rolesOf('ann')).toEqual([{ role: 'staff', grantedBy: 'sam', grantedAt: clock.now() }]);
    expect(second.revision).toBeGreaterThan(first.revision);
    await rbac.revokeRole('root', 'ann', 'staff');
    expect(await rbac.rolesOf('ann')).toEqual([]);
    expect(events.of('rbac.granted')).toMatchObject([
      { actor: 'root', userId: 'ann', what: 'role staff', until, revision: first.revision },
      { actor: 'sam', userId: 'ann', what: 'role staff', revision: second.revision },
    ]);
    expect(events.of('rbac.revoked')).toMatchObject([{ actor: 'root', userId: 'ann', what: 'role staff' }]);
  });

  test('to a user directly: allow, deny, lift and revoke; a denial overrides even **', async () => {
    const { rbac } = await setup();
    await rbac.grantPermission('root', 'ann', '**');
    expect(await rbac.permissionsOf('ann')).toEqual(permissions.names);
    await rbac.denyPermission('root', 'ann', 'book:*');
    expect(await rbac.permissionsOf('ann')).toEqual(['loan:read:own', 'loan:read:any', 'loan:approve']);
    expect(await rbac.decide('ann', 'book:read')).toMatchObject({
      allowed: false,
      reason: 'denied',
      by: 'book:*',
    });
    await rbac.liftDenial('root', 'ann', 'book:*');
    expect(await rbac.can('ann', 'book:read')).toBe(true);
    await rbac.revokePermission('root', 'ann', '**');
    expect(await rbac.permissionsOf('ann')).toEqual([]);
  });

  test("a denial of :any covers what is one's own too", async () => {
    const { rbac } = await setup();
    await rbac.grantRole('root', 'ann', 'patron');
    await rbac.denyPermission('root', 'ann', 'loan:read:any');
    expect(await rbac.decide('ann', 'loan:read', { owner: 'ann' })).toMatchObject({ reason: 'denied' });
  });

  test('that are malformed are refused and change nothing', async () => {
    const { rbac, store, clock } = await setup();
    const before = (await store.feed.readSince(undefined)).revision;
    const now = clock.now();
    const refusals: [() => Promise<unknown>, string][] = [
      [() => rbac.grantRole('root', 'ann', 'stafff' as never), 'E_ROLE_UNKNOWN'],
      [() => rbac.grantRole('root', 'ann', 'Staff' as never), 'E_ROLE_UNKNOWN'],
      [() => rbac.revokeRole('root', 'ann', 'stafff' as never), 'E_ROLE_UNKNOWN'],
      [() => rbac.grantRole('root', 'ann', null as never), 'E_ROLE_UNKNOWN'],
      [() => rbac.grantRole('', 'ann', 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole(undefined as never, 'ann', 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', '', 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 7 as never, 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'a\0b', 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', '\udc00', 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'x'.repeat(257), 'staff'), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { until: now }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { from: now + 5, until: now + 5 }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { until: Number.NaN }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { until: new Date('x') }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { until: '2030' as never }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { until: Infinity }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { reason: 'x'.repeat(1001) }), 'E_GRANT_INVALID'],
      [() => rbac.grantRole('root', 'ann', 'staff', { untill: now + 5 } as never), 'E_GRANT_INVALID'],
      [() => rbac.grantPermission('root', 'ann', 'book:read', { tennant: 'a' } as never), 'E_GRANT_INVALID'],
      [() => rbac.denyPermission('root', 'ann', 'book:read', 'a' as never), 'E_GRANT_INVALID'],
      [() => rbac.denyPermission('root', 'ann', 'book:read', { tenant: null } as never), 'E_GRANT_INVALID'],
      [() => rbac.revokeRole('root', 'ann', 'staff', { until: now + 5 } as never), 'E_GRANT_INVALID'],
      [() => rbac.liftDenial('root', 'ann', 'book:read', null as never), 'E_GRANT_INVALID'],
      [() => rbac.revokePermission('root', 'ann', 'book:raed' as never), 'E_PERMISSION_UNKNOWN'],
      [() => rbac.liftDenial('root', 'ann', 'bok:*'), 'E_PERMISSION_UNKNOWN'],
      [() => rbac.defineRole('root', 'x', [] as never), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'x', { allow: null } as never), 'E_ROLE_INVALID'],
      [() => rbac.setRolePermissions('root', 'patron', { alow: [] } as never), 'E_ROLE_INVALID'],
      [() => rbac.setRolePermissions('root', 'patron', null as never), 'E_ROLE_INVALID'],
      [() => rbac.grantPermission('root', 'ann', 'book:raed' as never), 'E_PERMISSION_UNKNOWN'],
      [() => rbac.denyPermission('root', 'ann', 'bok:*'), 'E_PERMISSION_UNKNOWN'],
      [() => rbac.setPermissionActive('root', 'book:*' as never, false), 'E_PERMISSION_UNKNOWN'],
      [() => rbac.setUserActive('root', 'ann', 'no' as never), 'E_GRANT_INVALID'],
      [() => rbac.defineRole('root', 'bad name', {}), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'аdmin', {}), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'x', { alow: [] } as never), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'x', { allow: 'book:read' } as never), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'x', { active: 1 } as never), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'x', null as never), 'E_ROLE_INVALID'],
      [() => rbac.defineRole('root', 'x', { allow: ['book.read'] } as never), 'E_PERMISSION_UNKNOWN'],
      [() => rbac.defineRole('root', 'x', { inherits: ['nobody'] }), 'E_ROLE_UNKNOWN'],
      [() => rbac.setRolePermissions('root', 'nobody' as never, {}), 'E_ROLE_UNKNOWN'],
      [() => rbac.removeRole('root', 'patron'), 'E_ROLE_IN_USE'],
      [() => rbac.removeRole('root', 'nobody' as never), 'E_ROLE_UNKNOWN'],
      [() => rbac.rolesOf(''), 'E_GRANT_INVALID'],
    ]; // prettier-ignore
    for (const [refused, code] of refusals) {
      const error: unknown = await refused().then(() => 'no error', (reason: unknown) => reason); // prettier-ignore
      expect([refused.toString(), error]).toEqual([refused.toString(), expect.objectContaining({ code })]);
    }
    expect((await store.feed.readSince(undefined)).revision).toBe(before);
    expect((await rbac.roles()).map(({ name }) => name).sort()).toEqual(['patron', 'staff']);
    await expect(rbac.grantRole('root', 'ann', 'stafff' as never)).rejects.toThrow(/Did you mean "staff"/);
    await expect(rbac.grantPermission('root', 'ann', 'book.read' as never)).rejects.toThrow(/"book:read"/);
  });
});

describe('T19: names', () => {
  test('of roles are case-sensitive: Admin is not admin', async () => {
    const { rbac } = await setup();
    await rbac.defineRole('root', 'admin', { allow: ['**'] });
    await rbac.defineRole('root', 'Admin', {});
    await rbac.grantRole('root', 'ann', 'Admin' as never);
    expect(await rbac.can('ann', 'book:read')).toBe(false);
  });

  test('of users are compared as they are: case, accents and forms apart', async () => {
    const { rbac } = await setup();
    await rbac.grantRole('root', 'josé', 'patron');
    for (const other of ['jose', 'JOSÉ', 'jose\u0301', 'josé '])
      expect(await rbac.can(other, 'book:read')).toBe(false);
    expect(await rbac.can('josé', 'book:read')).toBe(true);
  });
});

describe('seed', () => {
  test('writes what is missing, leaves what administrators changed, and says so; again it writes nothing', async () => {
    const { rbac, store, events } = await setup();
    await rbac.setRolePermissions('root', 'patron', { allow: [] });
    const before = (await store.feed.readSince(undefined)).revision;
    const added = { ...roles, guest: { allow: ['book:read'] } } as const;
    expect(await rbac.seed(added)).toMatchObject({
      created: ['guest'],
      same: ['staff'],
      different: ['patron'],
    });
    await rbac.grantRole('root', 'ann', 'patron');
    expect(await rbac.can('ann', 'book:read')).toBe(false);
    const after = (await store.feed.readSince(undefined)).revision;
    expect(after).toBeGreaterThan(before);
    expect(await rbac.seed(added)).toEqual({ created: [], same: ['staff', 'guest'], different: ['patron'] });
    expect((await store.feed.readSince(undefined)).revision).toBe(after);
    await rbac.seed(added, { overwrite: true });
    expect(await rbac.can('ann', 'book:read')).toBe(true);
    expect(events.of('rbac.policy-changed').map(({ what }) => what)).toContain('seed');
  });

  test('by several processes that start at once makes every role once', async () => {
    const db = database();
    const starts = [1, 2, 3, 4].map(() => createRbac({ permissions, store: db.connect(), roles }));
    const results = await Promise.all(starts.map((rbac) => rbac.seed()));
    expect(results.filter(({ created }) => created.length > 0)).toHaveLength(1);
    expect(await starts[0]!.roles()).toHaveLength(2);
    await Promise.all(starts.map((rbac) => rbac.close()));
  });
});

test('strict: a revoke resolves only when no process can still grant: one lease later', async () => {
  const db = database();
  const { rbac } = await setup(db.connect());
  await rbac.grantRole('root', 'ann', 'patron');
  let settled = 0;
  const store = db.connect();
  const strict = createRbac({
    permissions,
    store,
    roles,
    freshness: {
      current: () => true,
      ensure: async () => undefined,
      revision: 0,
      changedAt: () => 0,
      onChanges: () => () => undefined,
      settled: async () => void settled++,
      leaseMs: 1000,
      stop: async () => undefined,
    },
  });
  await strict.revokeRole('root', 'ann', 'patron');
  expect(settled).toBe(0);
  await strict.revokeRole('root', 'ann', 'patron', { strict: true });
  await strict.setUserActive('root', 'ann', false, { strict: true });
  await strict.setRolePermissions('root', 'patron', {}, { strict: true });
  await strict.denyPermission('root', 'ann', '**', { strict: true });
  expect(settled).toBe(4);
  await strict.close();
  await rbac.close();
});

describe('explain', () => {
  test('names the path, the deny source, the time and the roles that would help', async () => {
    const { rbac, clock } = await setup();
    await rbac.grantRole('root', 'ann', 'staff', { from: clock.now() + 1000 });
    const waiting = await rbac.explain('ann', 'book:read');
    expect(waiting.decision).toMatchObject({ allowed: false, reason: 'not-granted' });
    expect(waiting.because).toContain('role staff: allow "book:*" does not count (not-yet).');
    expect(waiting.because).toContain('role staff > patron: allow "book:read" does not count (not-yet).');
    expect(waiting.wouldBeGrantedBy).toEqual(['patron', 'staff']);
    clock.advance(1000);
    const now = await rbac.explain('ann', 'book:read');
    expect(now.decision).toMatchObject({ allowed: true, by: 'staff' });
    expect(now.contributions).toContainEqual(
      expect.objectContaining({
        effect: 'allow',
        permission: 'book:read',
        path: ['staff', 'patron'],
        grantedBy: 'root',
      }),
    );
    await rbac.denyPermission('sam', 'ann', 'book:**');
    const denied = await rbac.explain('ann', 'book:read');
    expect(denied.because[1]).toBe('"book:**" denies it, and a denial overrides every allowance.');
    expect(denied.wouldBeGrantedBy).toEqual([]);
    expect((await rbac.explain(undefined, 'book:read')).because).toEqual(['Nobody is signed in.']);
    const scoped = await rbac.explain({ id: 'sam', kind: 'api-key', scopes: ['book:read'] }, 'book:create');
    expect(scoped).toMatchObject({ scopes: ['book:read'], decision: { reason: 'not-granted' } });
  });
});
