export {
  roleStoreSuite,
  type RoleStorePair,
  type RoleStoreSuiteOptions,
} from './testing/role-store-suite.js';
export type { SecurityContext } from '@portcullis/core';
