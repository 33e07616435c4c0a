import { expect, test } from '@jest/globals';
import { recordedEvents } from '@portcullis/core/testing';
import { createRbac, definePermissions, memoryRoles } from '../src/index.js';
import { roleStoreSuite } from '../src/testing.js';

roleStoreSuite('memory', { create: () => memoryRoles() });

test('smoke', async () => {
  const permissions = definePermissions({ book: ['create', 'read'], loan: ['read:own', 'read:any'] });
  const events = recordedEvents();
  const rbac = createRbac({
    permissions,
    store: memoryRoles(),
    events,
    roles: {
      patron: { allow: ['book:read', 'loan:read:own'] },
      staff: { inherits: ['patron'], allow: ['book:*', 'loan:read:any'] },
    },
  });
  expect(await rbac.seed()).toMatchObject({ created: ['patron', 'staff'] });
  expect(await rbac.seed()).toEqual({ created: [], same: ['patron', 'staff'], different: [] });
  await rbac.grantRole('root', 'ann', 'patron');
  expect(await rbac.can('ann', 'book:read')).toBe(true);
  expect(await rbac.can('ann', 'book:create')).toBe(false);
  expect(await rbac.can('ann', 'loan:read', { owner: 'ann' })).toBe(true);
  expect(await rbac.can('ann', 'loan:read', { owner: 'bob' })).toBe(false);
  await rbac.grantRole('root', 'ann', 'staff');
  expect(await rbac.can('ann', 'loan:read', { owner: 'bob' })).toBe(true);
  await rbac.revokeRole('root', 'ann', 'staff');
  expect(await rbac.can('ann', 'loan:read', { owner: 'bob' })).toBe(false);
  expect(await rbac.explain('ann', 'book:create')).toMatchObject({ wouldBeGrantedBy: ['staff'] });
  await rbac.close();
});
