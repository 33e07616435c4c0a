export { fromPg, type FromPgOptions } from './postgres/from-pg.js';
export type { PgClientLike, PgPoolClientLike, PgPoolLike, PgQueryConfig } from './postgres/pg-types.js';
export { fromPglite, type FromPgliteOptions, type PgliteLike } from './postgres/from-pglite.js';
export { migrate, type MigrateOptions, type MigrateResult, type Migration } from './postgres/migrate.js';
export { feedMigrations } from './postgres/feed-migrations.js';
export { postgresFeed, type PostgresFeedOptions } from './postgres/postgres-feed.js';
