import { expect, test } from '@jest/globals';
import {
  createMemoryStore,
  ensureContext,
  type Principal,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { recordedEvents } from '@portcullis/core/testing';
import {
  createRbac,
  differentActor,
  dynamicSeparation,
  memoryRoles,
  type RbacOptions,
} from '../src/index.js';
import { errors } from '../src/error-codes.js';
import { database, deferred, leaseOf, permissions, roles } from './support.js';

type Options = Partial<RbacOptions<(typeof permissions)['names'][number]>>;

async function library(options: Options = {}) {
  const db = database();
  const store = db.connect();
  const events = recordedEvents();
  const { freshness, clock } = leaseOf(store);
  const rbac = createRbac({ permissions, store, roles, freshness, clock, events, ...options });
  await rbac.seed();
  await rbac.grantRole('root', 'sam', 'staff');
  await rbac.grantRole('root', 'ann', 'patron', { tenant: 'north' });
  return { db, rbac, events, clock };
}
const who = (id: string, rest: Partial<Principal> = {}): Principal => ({ id, kind: 'user', ...rest });

test('a decision says what was asked, of whom, where, what decided, and as of when', async () => {
  const { rbac } = await library();
  await rbac.grantPermission('root', 'sam', 'book:read', { tenant: 'north' });
  for (const source of ['store', 'cache']) {
    const decision = await rbac.decide('sam', 'book:create');
    expect(decision).toEqual({
      allowed: true,
      asked: 'book:create',
      reason: 'role',
      by: 'staff',
      permission: 'book:create',
      principalId: 'sam',
      tenant: undefined,
      revision: decision.revision,
      source,
    });
    expect(decision.revision).toBeGreaterThan(0);
  }
  expect(await rbac.decide(who('sam', { tenant: 'north' }), 'book:read')).toMatchObject({
    allowed: true,
    reason: 'direct',
    by: 'book:read',
    tenant: 'north',
  });
  const elsewhere = await rbac.decide(who('ann', { tenant: 'north' }), 'book:read', { tenant: 'south' });
  expect([elsewhere.reason, elsewhere.tenant]).toEqual(['tenant', undefined]);
  expect(await rbac.decide(undefined, 'book:read')).toMatchObject({
    allowed: false,
    reason: 'anonymous',
    source: 'none',
  });
});

test('a guard that asks for several says so in its decision', async () => {
  const { rbac } = await library();
  await rbac.decide('sam', 'book:read');
  const names = ['loan:approve', 'book:read'] as const;
  const req = { headers: {}, method: 'GET' } as SecurityRequest;
  ensureContext(req).principal = Object.freeze(who('sam'));
  for (const [guard, asked] of [
    [rbac.requireAnyPermission(...names), 'any of loan:approve, book:read'],
    [rbac.requireAllPermissions(...names), 'all of loan:approve, book:read'],
    [rbac.requirePermission('book:read'), 'book:read'],
  ] as const) {
    guard(req, {} as SecurityResponse, () => undefined);
    expect(req.security?.decision).toMatchObject({ allowed: true, asked, method: 'GET' });
  }
});

test('what is no question, and who is nobody, is said at once', async () => {
  const { rbac } = await library();
  const unknown = { code: 'E_PERMISSION_UNKNOWN', status: 500 };
  for (const name of [7, undefined, null, ['book:read'], 'book.read']) {
    await expect(rbac.decide('sam', name as never)).rejects.toMatchObject(unknown);
    await expect(rbac.can('sam', name as never)).rejects.toMatchObject(unknown);
    expect(() => rbac.requirePermission(name as never)).toThrow(/there is no permission/);
  }
  await expect(rbac.can('sam', 'book.read' as never)).rejects.toThrow(/Did you mean "book:read"/);
  expect(await rbac.can(undefined, 'book:read')).toBe(false);
  for (const nobody of ['', who('')]) {
    await expect(rbac.can(nobody, 'book:read')).rejects.toMatchObject({ code: 'E_PRINCIPAL_INVALID' });
  }
});

test('who asks is who it was when it was asked, whatever becomes of the object meanwhile', async () => {
  const { db, rbac } = await library();
  const reading = deferred();
  db.onLoad = () => reading.promise;
  const asks = { id: 'sam', kind: 'user', scopes: ['book:read'] } as const;
  const asked = rbac.decide(asks, 'book:create');
  Object.assign(asks, { id: 'eve', scopes: ['**'] });
  reading.resolve();
  expect(await asked).toMatchObject({ principalId: 'sam', reason: 'scope' });
});

test('scopes that are no text cover nothing, and do not keep others from covering', async () => {
  const { rbac } = await library();
  const scopes = [7, null, undefined, {}, 'openid', 'book:*'] as never;
  expect(await rbac.decide(who('sam', { scopes }), 'book:create')).toMatchObject({ allowed: true });
  expect(await rbac.decide(who('sam', { scopes }), 'loan:approve')).toMatchObject({ reason: 'scope' });
  // A scope that is the question covers it, and so does one of what would answer it.
  for (const scope of ['loan:read', 'loan:read:any']) {
    const asks = who('sam', { scopes: [scope] });
    for (const owner of ['sam', 'ann']) expect(await rbac.can(asks, 'loan:read', { owner })).toBe(true);
  }
  expect(await rbac.can(who('sam', { scopes: ['loan:read:own'] }), 'loan:read', { owner: 'ann' })).toBe(
    false,
  );
});

test('whose a thing is and who acted on it is the reason only where that is what is missing', async () => {
  const duties = [differentActor('book:update', (book: { by: string }) => book.by)];
  const { rbac } = await library({ duties });
  await rbac.grantRole('root', 'bob', 'patron');
  const reason = async (id: string, name: 'loan:read' | 'book:update', about: object) =>
    (await rbac.decide(id, name, about)).reason;
  for (const owner of [undefined, null]) expect(await reason('bob', 'loan:read', { owner })).toBe('owner-unknown');
  for (const owner of ['', 'sam', 7]) expect(await reason('bob', 'loan:read', { owner })).toBe('not-owner');
  expect(await reason('bob', 'loan:read', { owner: 'bob' })).toBe('role');
  expect(await reason('eve', 'loan:read', { owner: 'bob' })).toBe('not-granted');
  expect(await reason('sam', 'book:update', { object: { by: 'sam' } })).toBe('same-actor');
  expect(await reason('bob', 'book:update', { object: { by: 'bob' } })).toBe('not-granted');
}); // prettier-ignore

test('what cannot be found out is refused with why, which no answer shows', async () => {
  const { db, rbac } = await library();
  db.onLoad = () => {
    throw new Error('a secret of the store');
  };
  const decision = await rbac.decide('sam', 'book:read');
  expect(decision).toMatchObject({
    allowed: false,
    reason: 'unavailable',
    source: 'none',
    principalId: 'sam',
  });
  expect(JSON.stringify(decision)).not.toContain('secret');
  expect(decision.cause).toMatchObject({ code: 'E_ROLES_UNAVAILABLE' });
  await expect(rbac.require('sam', 'book:read')).rejects.toMatchObject({ code: 'E_ROLES_UNAVAILABLE' });
  db.onLoad = () => {
    throw errors.E_POLICY_INVALID();
  };
  await expect(rbac.require('sam', 'book:read')).rejects.toMatchObject({ code: 'E_POLICY_INVALID' });
});

test('a use of everything is told with who, what, by what and where; other uses are not', async () => {
  const { rbac, events } = await library();
  await rbac.seed({ root: { allow: ['**'] } });
  await rbac.grantRole('root', 'zoe', 'root' as 'staff', { tenant: '*' });
  await rbac.require('sam', 'book:read');
  await rbac.require('zoe', 'book:read');
  await rbac.require(who('zoe', { tenant: 'north' }), 'book:read');
  const told = { type: 'rbac.superuser-used', asked: 'book:read', by: 'root', principalId: 'zoe' };
  const seen = events.of('rbac.superuser-used');
  expect(seen).toMatchObject([told, { ...told, tenant: 'north' }]);
  expect(seen.map((each) => Object.keys(each).includes('tenant'))).toEqual([false, true]);
});

test('what is asked for afresh is read from the store, by can() and by decide()', async () => {
  const { db, rbac } = await library();
  await rbac.can('sam', 'book:read');
  db.loads = [];
  expect(await rbac.can('sam', 'book:read', { fresh: false })).toBe(true);
  expect(db.loads).toEqual([]);
  expect(await rbac.can('sam', 'book:read', { fresh: true })).toBe(true);
  await rbac.decide('sam', 'book:read', { fresh: true });
  expect(db.loads).toEqual(['user sam', 'user sam']);
});

test('roles of a credential count in the tenant that it is of, and those that there are not are nothing', async () => {
  const { rbac } = await library({ rolesFrom: 'principal' });
  const given = ['gone', 'staff'];
  const decision = await rbac.decide(who('eve', { roles: given, tenant: 'north' }), 'book:create');
  expect(decision).toMatchObject({ allowed: true, by: 'staff', tenant: 'north', source: 'principal' });
  expect(await rbac.can(who('eve', { roles: ['gone'] }), 'book:read')).toBe(false);
  expect(await rbac.can(who('eve'), 'book:read')).toBe(false);
  expect(await rbac.can('sam', 'book:read')).toBe(false); // What the store says of them is not asked.
});

test('options that do nothing together are refused', () => {
  const store = memoryRoles();
  const make = (options: Options) => () => createRbac({ permissions, store, roles, ...options });
  const l2 = { store: createMemoryStore(), secret: 'a secret of the test, of thirty-two bytes or more' };
  expect(make({ l2 })).toThrow(/l2/);
  const duties = [dynamicSeparation(['patron', 'staff'])];
  expect(make({ duties })).toThrow(/needs activations/);
  expect(make({ duties, activations: createMemoryStore() })).not.toThrow();
  expect(make({ activations: createMemoryStore() })).not.toThrow();
});

test('a role that has to be activated counts in no short way either, and others do', async () => {
  const store = database().connect();
  const { freshness, clock } = leaseOf(store);
  const duties = [dynamicSeparation(['reader', 'writer'])];
  const activations = createMemoryStore();
  const rbac = createRbac({ permissions, store, freshness, clock, duties, activations });
  await rbac.seed({ reader: { allow: ['book:read'] }, writer: {}, clerk: { allow: ['book:read'] } });
  await rbac.grantRole('root', 'ann', 'reader');
  await rbac.grantRole('root', 'kim', 'clerk');
  for (let round = 0; round < 2; round++) {
    expect([await rbac.can('ann', 'book:read'), await rbac.can('kim', 'book:read')]).toEqual([false, true]);
    expect((await rbac.decide('ann', 'book:read')).reason).toBe('not-granted');
  }
  const ann = who('ann', { sessionId: 's' });
  const get = activations.get;
  activations.get = () => Promise.reject(new Error('down'));
  await expect(rbac.require(ann, 'book:read')).rejects.toMatchObject({ code: 'E_ROLES_UNAVAILABLE' });
  activations.get = get;
  await rbac.activateRole(ann, 'reader');
  expect([await rbac.can(ann, 'book:read'), await rbac.can('ann', 'book:read')]).toEqual([true, false]);
});
