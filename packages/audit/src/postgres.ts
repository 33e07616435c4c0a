export { auditMigrations, auditPrunerRoleMigration, auditRoleMigration } from './postgres/migrations.js';
export { postgresAudit, type PostgresAuditOptions } from './postgres/store.js';
export {
  auditAnchorMigrations,
  databaseAnchor,
  type DatabaseAnchorOptions,
} from './postgres/database-anchor.js';
