import { option, readOptions, sql as tag, type Sql } from '@portcullis/core';
import { isUuid } from '../sessions/sessions.js';
import type { AuthUser, UserPort } from '../users.js';

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
 * Accounts for apps that have none, in the table `auth_account`: id (UUID), login, name, password hash, active.
 * @throws OptionError here; SqlError from its methods
 */
export function postgresUsers(options: PostgresUsersOptions): PostgresUsers {
  const { sql, schema } = readOptions('postgresUsers', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
  });
  const accounts = tag.identifier(schema, 'auth_account');
  const columns = tag.unsafe('id, login, name, password_hash as "passwordHash", active');

  async function setActive(id: string, active: boolean): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { rowCount } = await sql.query(tag`update ${accounts} set active = ${active} where id = ${id}`);
    return rowCount === 1;
  }

  return {
    setActive,
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
    async create({ login, passwordHash, name }) {
      const { rows } = await sql.query<AuthUser>(tag`
        insert into ${accounts} (login, name, password_hash) values (${login}, ${name ?? null}, ${passwordHash})
        on conflict (login) do nothing returning ${columns}`);
      return rows[0];
    },
  };
}
