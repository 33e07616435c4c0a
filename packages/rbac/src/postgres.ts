export { postgresRoles, type PostgresRolesOptions } from './postgres/postgres-roles.js';
export { rbacMigrations } from './postgres/migrations.js';
