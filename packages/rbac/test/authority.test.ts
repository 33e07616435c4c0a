import { describe, expect, test } from '@jest/globals';
import type { Principal } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { isAdministrator, subsumes } from '../src/authority.js';
import { covers, parsePattern } from '../src/catalogue.js';
import { createRbac, definePermissions, memoryRoles, rbacPermissions, type RoleBatch } from '../src/index.js';

test('one pattern covers another if and only if it covers every name that the other one does', () => {
  const all = (alphabet: readonly string[], length: number): string[][] =>
    length === 0
      ? [[]]
      : all(alphabet, length - 1).flatMap((rest) => alphabet.map((part) => [...rest, part]));
  const names = [1, 2, 3, 4].flatMap((length) => all(['a', 'b', 'c'], length));
  const patterns = [1, 2, 3]
    .flatMap((length) => all(['a', 'b', '*', '**'], length))
    .map((parts) => parts.join(':'))
    .filter((pattern) => parsePattern(pattern) !== undefined);
  expect(patterns).toHaveLength(3 + 1 + 9 + 3 + 27 + 9);
  let yes = 0;
  for (const wide of patterns) {
    for (const narrow of patterns) {
      const [w, n] = [parsePattern(wide)!, parsePattern(narrow)!];
      const expected = names.every((name) => !covers(n, name) || covers(w, name));
      expect([wide, narrow, subsumes(wide, narrow)]).toEqual([wide, narrow, expected]);
      if (expected) yes++;
    }
  }
  expect(yes).toBeGreaterThan(patterns.length);
  for (const malformed of ['', 'A', 'a:**:b', 'a:b:c:d']) {
    expect(subsumes(malformed, 'a') || subsumes('**', malformed)).toBe(false);
  }
});

const permissions = definePermissions({
  ...rbacPermissions,
  book: ['read', 'update'],
  loan: ['read', 'end'],
});
const ada: Principal = { id: 'ada', kind: 'user' };
const beyond = { code: 'E_GRANT_BEYOND_OWN' };

async function office() {
  const clock = manualClock();
  const store = memoryRoles();
  const batches: RoleBatch[] = [];
  const rbac = createRbac({
    permissions,
    store: { ...store, commit: (batch) => (batches.push(batch), store.commit(batch)) },
    clock,
    roles: {
      admin: { allow: ['rbac:*'] },
      reader: { allow: ['book:read'] },
      child: { inherits: ['reader'] },
    },
  });
  await rbac.seed();
  await rbac.grantRole('setup', 'ada', 'admin');
  return { rbac, mine: rbac.onBehalfOf(ada), clock, store, batches };
}

describe('what is denied to oneself cannot be given', () => {
  for (const [denied, given, possible] of [
    ['book:read', 'book:read', false],
    ['book:read', 'book:update', true],
    ['book:*', 'book:read', false],
    ['book:*', 'loan:read', true],
    ['book:read', 'book:*', false],
    ['book:read', 'loan:*', true],
    ['book:*', '*:read', false],
    ['book:*', 'loan:*', true],
  ] as const) {
    test(`denied ${denied}: ${given} ${possible ? 'can' : 'cannot'} be`, async () => {
      const { rbac, mine } = await office();
      await rbac.grantPermission('setup', 'ada', '**');
      await rbac.denyPermission('setup', 'ada', denied);
      const gives = mine.grantPermission(ada, 'eve', given);
      if (possible) await gives;
      else await expect(gives).rejects.toMatchObject(beyond);
    });
  }
});

test('an inactive role may hold what its maker does not, until somebody who holds it switches it on', async () => {
  const { mine, rbac } = await office();
  await mine.defineRole(ada, 'plan', { active: false, allow: ['loan:end'] });
  await expect(mine.setRoleActive(ada, 'plan' as 'child', true)).rejects.toMatchObject(beyond);
  await rbac.grantPermission('setup', 'ada', 'loan:end');
  await mine.setRoleActive(ada, 'plan' as 'child', true);
});

test('an edit of a role is judged in every tenant in which a role that inherits from it is held', async () => {
  const { rbac, mine } = await office();
  for (const name of ['book:read', 'loan:read'] as const) await rbac.grantPermission('setup', 'ada', name);
  await mine.setRolePermissions(ada, 'reader', { allow: ['book:read', 'loan:read'] });
  await mine.setRolePermissions(ada, 'reader', { allow: ['book:read'] });
  await rbac.grantRole('setup', 'tom', 'child', { tenant: 'north' });
  await expect(
    mine.setRolePermissions(ada, 'reader', { allow: ['book:read', 'loan:read'] }),
  ).rejects.toMatchObject(beyond);
});

test('an administrator is who may administer without an end: a grant that ends is none, a denial that ends is one', () => {
  const role = { role: 'admin', grantedBy: 'root', grantedAt: 0 };
  const deny = { effect: 'deny', permission: 'rbac:grant', grantedBy: 'root', grantedAt: 0 } as const;
  const policy = {
    roles: [{ name: 'admin', description: '', active: true, inherits: [], allow: ['rbac:*'], deny: [] }],
    inactivePermissions: [] as string[],
  };
  const user = { active: true, roles: [role], rules: [] };
  expect(isAdministrator(policy, user, 1000)).toBe(true);
  const direct = (['rbac:grant', 'rbac:define'] as const).map((permission) => ({
    ...deny,
    effect: 'allow' as const,
    permission,
  }));
  expect(isAdministrator(policy, { ...user, roles: [], rules: direct }, 1000)).toBe(true);
  const ending = direct.map((rule) => ({ ...rule, until: 5000 }));
  expect(isAdministrator(policy, { ...user, roles: [], rules: ending }, 1000)).toBe(false);
  expect(isAdministrator(policy, { ...user, active: false }, 1000)).toBe(false);
  expect(isAdministrator(policy, { ...user, roles: [{ ...role, until: 5000 }] }, 1000)).toBe(false);
  expect(isAdministrator(policy, { ...user, rules: [{ ...deny, until: 5000 }] }, 1000)).toBe(false);
  expect(isAdministrator(policy, { ...user, rules: [{ ...deny, until: 500 }] }, 1000)).toBe(true);
  expect(isAdministrator({ ...policy, inactivePermissions: ['rbac:define'] }, user, 1000)).toBe(false);
});

test('who will be denied it later, by a rule or a role, is no administrator to leave alone', async () => {
  const { rbac, mine, clock } = await office();
  const last = { code: 'E_LAST_ADMINISTRATOR' };
  const from = clock.now() + 1000;
  await rbac.defineRole('setup', 'muted', { deny: ['rbac:define'] });
  await rbac.grantRole('setup', 'bea', 'admin');
  await rbac.denyPermission('setup', 'bea', 'rbac:grant', { from });
  await expect(mine.revokeRole('ada', 'ada', 'admin')).rejects.toMatchObject(last);
  await rbac.liftDenial('setup', 'bea', 'rbac:grant');
  await rbac.grantRole('setup', 'bea', 'muted' as never, { from });
  await expect(mine.revokeRole('ada', 'ada', 'admin')).rejects.toMatchObject(last);
  await rbac.revokeRole('setup', 'bea', 'muted' as never);
  await mine.revokeRole('ada', 'ada', 'admin');
});

test('where nobody administers yet, nobody is the last one', async () => {
  const rbac = createRbac({ permissions, store: memoryRoles(), roles: { plain: {} } });
  await rbac.seed();
  await rbac.grantPermission('setup', 'def', 'rbac:define');
  await rbac.onBehalfOf({ id: 'def', kind: 'user' }).defineRole('def', 'plain', { description: 'changed' });
});

test('who holds a permission for everything holds it for their own, and no more than that', async () => {
  const scoped = definePermissions({ ...rbacPermissions, doc: ['view', 'view:own', 'view:any'] });
  const rbac = createRbac({ permissions: scoped, store: memoryRoles() });
  for (const name of ['rbac:grant', 'doc:view:any'] as const)
    await rbac.grantPermission('setup', 'ada', name);
  const mine = rbac.onBehalfOf(ada);
  await mine.grantPermission(ada, 'eve', 'doc:view:any');
  await mine.grantPermission(ada, 'eve', 'doc:view:own');
  for (const more of ['doc:view', 'doc:*:own', '*:view:own'] as const) {
    await expect(mine.grantPermission(ada, 'eve', more)).rejects.toMatchObject(beyond);
  }
});

describe('where and when it is held', () => {
  test('what is held in one tenant, or where there is none, is given there and nowhere else', async () => {
    const { rbac, mine } = await office();
    await rbac.grantPermission('setup', 'ada', 'book:read', { tenant: 'another' });
    await mine.grantPermission(ada, 'eve', 'book:read', { tenant: 'another' });
    for (const options of [{}, { tenant: 'north' }, { tenant: '*' }])
      await expect(mine.grantPermission(ada, 'eve', 'book:read', options)).rejects.toMatchObject(beyond);
    await rbac.grantPermission('setup', 'ada', 'book:read');
    await mine.grantPermission(ada, 'eve', 'book:read');
    await expect(mine.grantPermission(ada, 'eve', 'book:read', { tenant: '*' })).rejects.toMatchObject(
      beyond,
    );
    await rbac.grantPermission('setup', 'ada', 'book:read', { tenant: '*' });
    for (const options of [{}, { tenant: 'north' }, { tenant: '*' }])
      await mine.grantPermission(ada, 'eve', 'book:read', options);
  });

  test('a credential of one tenant gives in that tenant only, and one of limited scope what its scopes cover', async () => {
    const { rbac } = await office();
    await rbac.grantPermission('setup', 'ada', '**', { tenant: '*' });
    const north: Principal = { ...ada, tenant: 'north' };
    await rbac.onBehalfOf(north).grantPermission(ada, 'eve', 'book:read', { tenant: 'north' });
    for (const options of [{}, { tenant: 'south' }, { tenant: '*' }])
      await expect(rbac.onBehalfOf(north).grantPermission(ada, 'eve', 'book:read', options)).rejects.toMatchObject(beyond);
    const narrow = rbac.onBehalfOf({ ...ada, scopes: ['rbac:grant', 'book:read'] });
    await narrow.grantPermission(ada, 'eve', 'book:read');
    await expect(narrow.grantPermission(ada, 'eve', 'book:update')).rejects.toMatchObject(beyond);
    await expect(rbac.onBehalfOf({ ...ada, scopes: ['rbac:grant'] }).grantPermission(ada, 'eve', 'book:read')).rejects.toMatchObject(beyond);
  }); // prettier-ignore

  test('what has ended is held no more, and who is switched off gives nothing', async () => {
    const { rbac, mine, clock } = await office();
    await rbac.grantPermission('setup', 'ada', 'book:read', { until: clock.now() + 1000 });
    await mine.grantPermission(ada, 'eve', 'book:read');
    await rbac.setUserActive('setup', 'ada', false);
    await expect(mine.grantPermission(ada, 'tom', 'book:read')).rejects.toMatchObject({
      code: 'E_PERMISSION_DENIED',
    });
    await rbac.setUserActive('setup', 'ada', true);
    await mine.grantPermission(ada, 'tom', 'book:read');
    clock.advance(1000);
    await expect(mine.grantPermission(ada, 'tim', 'book:read')).rejects.toMatchObject(beyond);
  });

  test('one of several denials is enough, and what nobody declares is denied nothing', async () => {
    const { rbac, mine, store } = await office();
    await rbac.grantPermission('setup', 'ada', '**');
    for (const name of ['loan:end', 'book:read'] as const) await rbac.denyPermission('setup', 'ada', name);
    await expect(mine.grantPermission(ada, 'eve', 'book:read')).rejects.toMatchObject(beyond);
    // A newer version of the app, on the same store, declares more.
    const film = definePermissions({ ...rbacPermissions, film: ['read', 'cut'] });
    const newer = createRbac({ permissions: film, store });
    await newer.denyPermission('setup', 'ada', 'film:cut');
    await newer.defineRole('setup', 'viewer', { allow: ['film:read'] });
    await mine.grantPermission(ada, 'eve', 'book:update');
    await mine.grantRole(ada, 'eve', 'viewer' as 'reader');
  });
});

describe('who administers one tenant', () => {
  async function north() {
    const found = await office();
    const { rbac } = found;
    await rbac.grantRole('setup', 'nora', 'admin', { tenant: 'north' });
    await rbac.grantRole('setup', 'nora', 'reader', { tenant: 'north' });
    for (const tenant of [undefined, 'north', 'south', '*']) {
      const place = tenant === undefined ? {} : { tenant };
      await rbac.grantRole('setup', 'eve', 'reader', place);
      await rbac.grantPermission('setup', 'eve', 'loan:read', place);
    }
    return { ...found, nora: rbac.onBehalfOf({ id: 'nora', kind: 'user', tenant: 'north' }) };
  }

  test('takes nothing away elsewhere: not from users, roles or permissions, which are of every tenant', async () => {
    const { rbac, nora } = await north();
    const before = JSON.stringify([await rbac.roles(), await rbac.grantsOf('eve')]);
    for (const attempt of [
      () => nora.revokeRole('nora', 'eve', 'reader'),
      () => nora.revokeRole('nora', 'eve', 'reader', { tenant: 'south' }),
      () => nora.revokeRole('nora', 'eve', 'reader', { tenant: '*' }),
      () => nora.revokePermission('nora', 'eve', 'loan:read', { tenant: 'south' }),
      () => nora.denyPermission('nora', 'eve', 'loan:read'),
      () => nora.denyPermission('nora', 'eve', 'loan:read', { tenant: 'south' }),
      () => nora.setUserActive('nora', 'eve', false),
      () => nora.setRoleActive('nora', 'reader', false),
      () => nora.setRolePermissions('nora', 'reader', {}),
      () => nora.removeRole('nora', 'child'),
      () => nora.setPermissionActive('nora', 'loan:read', false),
    ]) {
      await expect(attempt()).rejects.toMatchObject(beyond);
    }
    expect(JSON.stringify([await rbac.roles(), await rbac.grantsOf('eve')])).toBe(before);
    await nora.revokeRole('nora', 'eve', 'reader', { tenant: 'north' });
    await nora.denyPermission('nora', 'eve', 'loan:read', { tenant: 'north' });
  });

  test('sees what counts there, and nothing of other tenants', async () => {
    const { nora } = await north();
    const { roles, rules } = await nora.grantsOf('eve');
    expect([...roles, ...rules].map(({ tenant }) => tenant)).toEqual(['north', '*', 'north', '*']);
    expect((await nora.rolesOf('eve')).map(({ tenant }) => tenant)).toEqual(['north', '*']);
  });
});

test('who makes a change on behalf of somebody is that somebody, whoever is named', async () => {
  const { rbac, mine } = await office();
  await mine.grantPermission('another', 'eve', 'rbac:read');
  expect((await rbac.grantsOf('eve')).rules).toMatchObject([{ grantedBy: 'ada' }]);
});

describe('an edit of a role', () => {
  test('is judged by what it adds: what the role allowed before stays, whoever makes the edit', async () => {
    const { rbac, mine } = await office();
    await rbac.defineRole('setup', 'reader', { allow: ['loan:end'] });
    await rbac.grantPermission('setup', 'ada', 'book:read');
    await mine.setRolePermissions(ada, 'reader', { allow: ['loan:end', 'book:read'] });
    await expect(mine.setRolePermissions(ada, 'reader', { allow: ['loan:end', 'loan:read'] })).rejects.toMatchObject(beyond);
    await mine.setRoleActive(ada, 'reader', false);
    await expect(mine.setRoleActive(ada, 'reader', true)).rejects.toMatchObject(beyond);
  }); // prettier-ignore

  test('that narrows a pattern adds nothing, nor does a wider denial take one away', async () => {
    const { rbac, mine } = await office();
    await rbac.defineRole('setup', 'clerk', { allow: ['book:*'], deny: ['loan:read'] });
    await mine.defineRole('ada', 'clerk', { allow: ['book:read'], deny: ['loan:*'] });
    await expect(
      mine.defineRole('ada', 'clerk', { allow: ['book:*'], deny: ['loan:*'] }),
    ).rejects.toMatchObject(beyond);
    await expect(
      mine.defineRole('ada', 'clerk', { allow: ['book:read'], deny: ['loan:end'] }),
    ).rejects.toMatchObject(beyond);
  });

  test('is judged by the denials that it takes away: all of them when the role is switched off or removed', async () => {
    const { rbac, mine } = await office();
    const deny = (...names: ('book:read' | 'loan:end')[]) => ({ deny: names });
    await rbac.defineRole('setup', 'ban', deny('book:read', 'loan:end'));
    const ban = 'ban' as 'reader';
    await rbac.grantPermission('setup', 'ada', 'book:read');
    for (const lifts of [() => mine.setRolePermissions(ada, ban, { allow: [], ...deny('book:read') }), () => mine.setRoleActive(ada, ban, false), () => mine.removeRole(ada, ban)])
      await expect(lifts()).rejects.toMatchObject(beyond);
    await mine.setRolePermissions(ada, ban, { allow: [], ...deny('loan:end') });
    await rbac.setRoleActive('setup', ban, false);
    await mine.setRolePermissions(ada, ban, { allow: [], deny: [] }); // It denied nothing any more.
  }); // prettier-ignore

  test('is judged where the role is held, and not where its holders hold others', async () => {
    const { rbac, mine } = await office();
    for (const name of ['book:read', 'loan:read'] as const) await rbac.grantPermission('setup', 'ada', name);
    await rbac.defineRole('setup', 'other', {});
    await rbac.grantRole('setup', 'tom', 'child');
    await rbac.grantRole('setup', 'tom', 'other' as 'child', { tenant: 'north' });
    await mine.setRolePermissions(ada, 'reader', { allow: ['book:read', 'loan:read'] });
    await rbac.defineRole('setup', 'ban', { deny: ['book:read'] });
    await rbac.grantRole('setup', 'tom', 'ban' as 'child', { tenant: 'south' });
    await expect(mine.removeRole(ada, 'ban' as 'child')).rejects.toMatchObject(beyond);
  });
});

describe('denials and switches', () => {
  test('a denial with an end may replace a longer one: it takes the right to lift it; one without an end does not', async () => {
    const { rbac, mine, clock } = await office();
    await mine.denyPermission(ada, 'eve', 'book:read');
    await expect(mine.denyPermission(ada, 'eve', 'book:read', { until: clock.now() + 5 })).rejects.toMatchObject(beyond);
    await expect(mine.denyPermission(ada, 'eve', 'book:read', { from: clock.now() + 5 })).rejects.toMatchObject(beyond);
    await expect(mine.liftDenial(ada, 'eve', 'book:read')).rejects.toMatchObject(beyond);
    await rbac.grantPermission('setup', 'ada', 'book:read', { tenant: '*' });
    await mine.denyPermission(ada, 'eve', 'book:read', { until: clock.now() + 5 });
    await mine.liftDenial(ada, 'eve', 'book:read');
  }); // prettier-ignore

  test('a denial that goes is judged where the user is allowed something, and where there is no tenant', async () => {
    const { rbac, mine } = await office();
    await rbac.grantPermission('setup', 'ada', 'book:read');
    await rbac.denyPermission('setup', 'eve', 'book:read');
    await rbac.denyPermission('setup', 'eve', 'loan:end', { tenant: 'north' });
    await mine.liftDenial(ada, 'eve', 'book:read');
    await rbac.denyPermission('setup', 'eve', 'book:read');
    await rbac.grantPermission('setup', 'eve', 'book:*', { tenant: 'north' });
    await expect(mine.liftDenial(ada, 'eve', 'book:read')).rejects.toMatchObject(beyond);
    await rbac.denyPermission('setup', 'eve', 'book:read', { tenant: 'south' });
    await expect(mine.liftDenial(ada, 'eve', 'book:read', { tenant: 'south' })).rejects.toMatchObject(beyond);
  });

  test('to take an allowance away takes nothing; a role that denies takes what it denies', async () => {
    const { rbac, mine } = await office();
    await rbac.grantPermission('setup', 'eve', 'loan:end');
    await mine.revokePermission(ada, 'eve', 'loan:end');
    await rbac.grantRole('setup', 'eve', 'reader');
    await mine.revokeRole(ada, 'eve', 'reader');
    await rbac.defineRole('setup', 'ban', { deny: ['book:read'] });
    await mine.grantRole(ada, 'eve', 'ban' as 'reader');
    await expect(mine.revokeRole(ada, 'eve', 'ban' as 'reader')).rejects.toMatchObject(beyond);
  });

  test('to switch a user or a permission on takes what they then allow; to switch off takes nothing', async () => {
    const { rbac, mine } = await office();
    await rbac.grantRole('setup', 'eve', 'reader');
    await rbac.grantPermission('setup', 'tom', 'loan:end');
    await rbac.denyPermission('setup', 'tim', 'loan:end');
    await mine.setUserActive(ada, 'eve', true); // Is on.
    for (const id of ['eve', 'tom', 'tim']) await mine.setUserActive(ada, id, false);
    await expect(mine.setUserActive(ada, 'eve', true)).rejects.toMatchObject(beyond);
    await expect(mine.setUserActive(ada, 'tom', true)).rejects.toMatchObject(beyond);
    await mine.setUserActive(ada, 'tim', true);
    await mine.setPermissionActive(ada, 'loan:end', false);
    await expect(mine.setPermissionActive(ada, 'loan:end', true)).rejects.toMatchObject(beyond);
  });
});

test('what is given everywhere is held everywhere: a role that denies it in one place keeps it from being given', async () => {
  const { rbac, mine } = await office();
  await rbac.defineRole('setup', 'ban', { deny: ['book:read'] });
  await rbac.grantRole('setup', 'ada', 'reader', { tenant: '*' });
  await mine.grantPermission(ada, 'eve', 'book:read', { tenant: '*' });
  await rbac.grantRole('setup', 'ada', 'ban' as 'reader');
  await expect(mine.grantPermission(ada, 'tom', 'book:read', { tenant: '*' })).rejects.toMatchObject(beyond);
  await mine.grantPermission(ada, 'tom', 'book:read', { tenant: 'north' });
});

test('a write that rests on no other is no change of the roles; one that takes an administrator away is', async () => {
  const { rbac, mine, batches } = await office();
  await rbac.grantRole('setup', 'bob', 'admin');
  await rbac.grantPermission('setup', 'ada', 'book:read');
  batches.length = 0;
  await mine.grantPermission(ada, 'eve', 'book:read');
  await mine.revokeRole(ada, 'bob', 'admin');
  expect(batches.map(({ changesPolicy }) => changesPolicy)).toEqual([false, true]);
  await expect(mine.revokeRole(ada, 'ada', 'admin')).rejects.toMatchObject({ code: 'E_LAST_ADMINISTRATOR' });
});

test('an administrator holds both of what administering takes, beside whatever else is held or denied', () => {
  const policy = { roles: [], inactivePermissions: [] };
  const rule = (effect: 'allow' | 'deny', permission: string) => ({ effect, permission, grantedBy: 'root', grantedAt: 0 });
  const is = (...rules: ReturnType<typeof rule>[]) => isAdministrator(policy, { active: true, roles: [], rules }, 1000);
  expect(is(rule('allow', 'book:read'), rule('allow', 'rbac:*'))).toBe(true);
  expect(is(rule('allow', 'rbac:*'), rule('deny', 'book:read'))).toBe(true);
  expect(is(rule('allow', 'rbac:*'), rule('deny', 'book:read'), rule('deny', 'rbac:define'))).toBe(false);
  expect(is(rule('allow', 'rbac:grant'))).toBe(false);
  expect(is(rule('allow', 'rbac:define'))).toBe(false);
  expect(is()).toBe(false);
}); // prettier-ignore
