export {
  definePermissions,
  type Askable,
  type Grantable,
  type PermissionDefinitions,
  type PermissionNames,
  type PermissionOf,
  type Permissions,
} from './permissions.js';
export { createRbac } from './create-rbac.js';
export type { PrincipalOf, Rbac, RbacOptions, SealOptions, SharedCacheOptions } from './rbac.js';
export {
  cardinality,
  differentActor,
  dynamicSeparation,
  permissionSeparation,
  prerequisite,
  staticSeparation,
  type Duty,
} from './duties.js';
export { showRoutes, type RouteOptions, type RouteRule } from './route-rules.js';
export type { FieldRules, Fields } from './fields.js';
export type { FilterColumns, RowFilter } from './row-filter.js';
export type { GuardRuleOptions, Guards } from './guards.js';
export type { AskOptions, Decision, Subject } from './decision.js';
export type { Reason } from './judge.js';
export type { Contribution, Explanation } from './explain.js';
export type { Step } from './remedy.js';
export type {
  Actor,
  Administration,
  ChangeOptions,
  GrantOptions,
  SeedResult,
  TenantOptions,
  Written,
} from './administration.js';
export type { RoleDefinition, RoleDefinitions } from './role-definition.js';
export { rbacPermissions } from './authority.js';
export type { AdminAction, AdminRouterOptions } from './admin-router.js';
export type { AuthzenOptions, EvaluationRequest } from './authzen.js';
export { verifyEvidence } from './evidence.js';
export { memoryGovernance, type GovernanceStore, type StoredReview, type Use } from './governance-store.js';
export type {
  Disposition,
  Governance,
  InactiveUser,
  Review,
  ReviewDecision,
  ReviewDraft,
  ReviewItem,
  ReviewScope,
  UnusedReport,
} from './reviews.js';
export { memoryRoles } from './memory-store.js';
export { roleStoreFrom, type RoleStoreFunctions } from './role-store-from.js';
export {
  POLICY_TOPIC,
  USER_TOPIC,
  type Bounds,
  type CommitResult,
  type DirectRule,
  type Effect,
  type LoadScope,
  type PolicyRecord,
  type Provenance,
  type RoleAssignment,
  type RoleBatch,
  type RoleRecord,
  type RoleStore,
  type RoleWrite,
  type Snapshot,
  type UserRecord,
} from './role-store.js';
export type { RbacEventType } from './events.js';
export { errors as rbacErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
