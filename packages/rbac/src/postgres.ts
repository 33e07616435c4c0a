export { postgresRoles, type PostgresRolesOptions } from './postgres/postgres-roles.js';
export { rbacMigrations } from './postgres/migrations.js';
export type { SecurityContext } from '@portcullis/core';
