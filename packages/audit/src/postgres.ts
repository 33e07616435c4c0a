export { auditMigrations, auditRoleMigration, type AuditMigration } from './postgres/migrations.js';
export { postgresAudit, type PostgresAuditOptions } from './postgres/store.js';
