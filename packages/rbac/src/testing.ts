export {
  roleStoreSuite,
  type RoleStorePair,
  type RoleStoreSuiteOptions,
} from './testing/role-store-suite.js';
export {
  policyTable,
  type PersonOfTable,
  type PolicyRow,
  type PolicyTable,
  type PolicyTableOptions,
} from './testing/policy-table.js';
export { rbacMatchers, type MatcherResult } from './testing/matchers.js';
export type { SecurityContext } from '@portcullis/core';
