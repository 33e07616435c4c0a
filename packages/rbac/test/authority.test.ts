import { describe, expect, test } from '@jest/globals';
import type { Principal } from '@portcullis/core';
import { isAdministrator, subsumes } from '../src/authority.js';
import { covers, parsePattern } from '../src/catalogue.js';
import { createRbac, definePermissions, memoryRoles, rbacPermissions } from '../src/index.js';

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
  const rbac = createRbac({
    permissions,
    store: memoryRoles(),
    roles: {
      admin: { allow: ['rbac:*'] },
      reader: { allow: ['book:read'] },
      child: { inherits: ['reader'] },
    },
  });
  await rbac.seed();
  await rbac.grantRole('setup', 'ada', 'admin');
  return { rbac, mine: rbac.onBehalfOf(ada) };
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
