import { isSqlError, option, readOptions, sql as tag, type Sql } from '@portcullis/core';
import { isUuid } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';
import { postgresPasskeys } from './postgres-passkeys.js';

export interface PostgresUsersOptions {
  /** `fromPg(pool)` or `fromPglite(db)`. */
  readonly sql: Sql;
  /** Where `accountMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
}

export interface PostgresUsers extends Required<UserPort> {
  /** Opens or closes an account. Closing ends nothing by itself: `auth.deactivate(id)` does both. */
  setActive(id: string, active: boolean): Promise<boolean>;
}

/**
 * Accounts for apps that have none, in the table `auth_account`: id (UUID), login, name, password hash, active; passkeys in `auth_passkey`.
 * @throws OptionError here; SqlError from its methods
 */
export function postgresUsers(options: PostgresUsersOptions): PostgresUsers {
  const { sql, schema } = readOptions('postgresUsers', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
  });
  const accounts = tag.identifier(schema, 'auth_account');
  const columns = tag.unsafe(
    'id, login, name, password_hash as "passwordHash", active, email_verified as "emailVerified", factors',
  );

  async function setActive(id: string, active: boolean): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { rowCount } = await sql.query(tag`update ${accounts} set active = ${active} where id = ${id}`);
    return rowCount === 1;
  }

  return {
    setActive,
    passkeys: postgresPasskeys({ sql, schema }),
    deactivate: (id) => setActive(id, false),
    async findByLogin(login) {
      const { rows } = await sql.query<AuthUser>(
        tag`select ${columns} from ${accounts} where login = ${login}`,
      );
      return rows[0];
    },
    async findById(id) {
      if (!isUuid(id)) return undefined;
      const { rows } = await sql.query<AuthUser>(tag`select ${columns} from ${accounts} where id = ${id}`);
      return rows[0];
    },
    async saveCredential(id, { passwordHash, replaces }) {
      if (!isUuid(id)) return false;
      const { rowCount } = await sql.query(tag`
        update ${accounts} set password_hash = ${passwordHash}
        where id = ${id} and password_hash is not distinct from ${replaces}::text`);
      return rowCount === 1;
    },
    async markVerified(id, login) {
      if (!isUuid(id)) return false;
      const { rowCount } = await sql.query(
        tag`update ${accounts} set email_verified = true where id = ${id} and login = ${login}`,
      );
      return rowCount === 1;
    },
    async saveFactors(id, { factors, replaces }) {
      if (!isUuid(id)) return false;
      const { rowCount } = await sql.query(tag`
        update ${accounts} set factors = ${factors}
        where id = ${id} and factors is not distinct from ${replaces}::text`);
      return rowCount === 1;
    },
    async changeLogin(id, { login, replaces }) {
      if (!isUuid(id)) return false;
      try {
        const { rowCount } = await sql.query(tag`
          update ${accounts} set login = ${login}, email_verified = true where id = ${id} and login = ${replaces}`);
        return rowCount === 1;
      } catch (error) {
        if (isSqlError(error, 'unique')) return false;
        throw error;
      }
    },
    async create({ login, passwordHash, name, emailVerified = true }) {
      const { rows } = await sql.query<AuthUser>(tag`
        insert into ${accounts} (login, name, password_hash, email_verified)
        values (${login}, ${name ?? null}, ${passwordHash}, ${emailVerified})
        on conflict (login) do nothing returning ${columns}`);
      return rows[0];
    },
  };
}
