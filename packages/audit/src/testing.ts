export {
  auditStoreSuite,
  type AuditStoreSuiteOptions,
  type AuditStoreUnderTest,
} from './testing/audit-store-suite.js';
export type { SecurityContext } from '@portcullis/core';
