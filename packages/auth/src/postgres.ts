export {
  postgresSessions,
  type PostgresSessions,
  type PostgresSessionsOptions,
} from './postgres/postgres-sessions.js';
export {
  postgresApiKeys,
  type PostgresApiKeys,
  type PostgresApiKeysOptions,
} from './postgres/postgres-api-keys.js';
export {
  postgresReplays,
  type PostgresReplays,
  type PostgresReplaysOptions,
} from './postgres/postgres-replays.js';
export { postgresPasskeys, type PostgresPasskeysOptions } from './postgres/postgres-passkeys.js';
export { postgresUsers, type PostgresUsers, type PostgresUsersOptions } from './postgres/postgres-users.js';
export {
  postgresGuesses,
  type PostgresGuesses,
  type PostgresGuessesOptions,
} from './postgres/postgres-guesses.js';
export { accountMigrations, authMigrations } from './postgres/migrations.js';
export type { SecurityContext } from '@portcullis/core';
