export { roleStoreSuite, type RoleStoreSuiteOptions } from './testing/role-store-suite.js';
