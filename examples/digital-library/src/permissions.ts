import {
  definePermissions,
  rbacPermissions,
  type PermissionOf,
  type RoleDefinitions,
} from '@portcullis/rbac';

/** Everything that can be done in the library. A typo in a route is a compile error. */
export const permissions = definePermissions({
  book: ['read', 'create', 'update', 'delete'],
  // Who had a book before is confidential: one's own history is seen every day, that of others in an emergency.
  loan: ['create', 'read:own', 'read:any', 'return:own', 'return:any', 'history:own', 'history:any'],
  person: ['read', 'deactivate', 'erase'],
  role: ['grant'],
  audit: ['read:own', 'read:any', 'review'],
  ...rbacPermissions, // What the roles API asks for.
});

type Name = PermissionOf<typeof permissions>;

/** What the roles start with; staff can be changed later without a release. */
export const roles = {
  patron: {
    description: 'Reads and borrows books',
    allow: [
      'book:read',
      'loan:create',
      'loan:read:own',
      'loan:return:own',
      'loan:history:own',
      'audit:read:own',
    ],
  },
  staff: {
    description: 'Manages books, people and loans',
    inherits: ['patron'],
    allow: [
      'book:*',
      'loan:read:any',
      'loan:return:any',
      'person:*',
      'role:grant',
      'audit:read:any',
      'audit:review',
      'rbac:read',
      'rbac:grant',
      'rbac:define',
      'rbac:review',
      'rbac:break-glass',
    ],
  },
  emergency: {
    description: 'Sees who had a book before; staff take it for an hour at most, and say why',
    allow: ['loan:history:any'],
  },
} as const satisfies RoleDefinitions<Name, 'patron' | 'staff' | 'emergency'>;
