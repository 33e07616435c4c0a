export { postgresRoles, type PostgresRolesOptions } from './postgres/postgres-roles.js';
export { postgresGovernance, type PostgresGovernanceOptions } from './postgres/postgres-governance.js';
export { rbacMigrations } from './postgres/migrations.js';
export type { SecurityContext } from '@portcullis/core';
