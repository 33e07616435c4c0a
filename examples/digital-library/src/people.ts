import { isSqlError, sql, type Sql } from '@portcullis/core';
import type { AuthUser, NewAccount, UserPort } from '@portcullis/auth';
import { postgresPasskeys } from '@portcullis/auth/postgres';

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly active: boolean;
  readonly createdAt: Date;
}

export interface People extends Omit<UserPort, 'create'>, Required<Pick<UserPort, 'create'>> {
  list(limit: number): Promise<readonly Person[]>;
  find(id: string): Promise<Person | undefined>;
  /** Their passkeys go with them. */
  remove(id: string): Promise<void>;
}

interface AccountRow {
  readonly id: string;
  readonly login: string;
  readonly passwordHash: string | null;
  readonly active: boolean;
  readonly enrolled: boolean;
  readonly emailVerified: boolean;
  readonly factors: string | null;
}

const columns = sql`id::text as id, email as login, password_hash as "passwordHash", active, enrolled, factors,
  email_verified as "emailVerified"`;

/**
 * The library's people, in its own table: what `@portcullis/auth` needs of them are eight functions, and a table for passkeys.
 * `enrol` makes a new person a patron. It runs after the account is stored; if that is interrupted, it runs again at
 * the next sign-in, so that nobody is left without a role.
 */
export function createPeople(db: Sql, enrol: (id: string) => Promise<void>): People {
  async function enrolled(row: AccountRow): Promise<AuthUser> {
    if (!row.enrolled) {
      await enrol(row.id);
      await db.query(sql`update library.person set enrolled = true where id = ${row.id}`);
    }
    return row;
  }
  const one = async (where: ReturnType<typeof sql>): Promise<AccountRow | undefined> => {
    const found = await db.query<AccountRow>(sql`select ${columns} from library.person where ${where}`);
    return found.rows[0];
  };

  return {
    passkeys: postgresPasskeys({
      sql: db,
      schema: 'library',
      table: 'passkey',
      owner: 'person_id',
      accounts: 'person',
    }),
    async findByLogin(login) {
      const row = await one(sql`email = ${login}`);
      return row && enrolled(row);
    },
    findById: async (id) => (isUuid(id) ? one(sql`id = ${id}`) : undefined),
    async saveCredential(id, { passwordHash, replaces }) {
      const saved = await db.query(sql`
        update library.person set password_hash = ${passwordHash}
        where id = ${id} and password_hash is not distinct from ${replaces}`);
      return saved.rowCount === 1;
    },
    async saveFactors(id, { factors, replaces }) {
      const saved = await db.query(sql`
        update library.person set factors = ${factors} where id = ${id} and factors is not distinct from ${replaces}::text`);
      return saved.rowCount === 1;
    },
    async deactivate(id) {
      if (!isUuid(id)) return false;
      const { rowCount } = await db.query(sql`update library.person set active = false where id = ${id}`);
      return rowCount === 1;
    },
    async markVerified(id, login) {
      const { rowCount } = await db.query(
        sql`update library.person set email_verified = true where id = ${id} and email = ${login}`,
      );
      return rowCount === 1;
    },
    async changeLogin(id, { login, replaces }) {
      try {
        const { rowCount } = await db.query(sql`
          update library.person set email = ${login}, email_verified = true where id = ${id} and email = ${replaces}`);
        return rowCount === 1;
      } catch (error) {
        if (isSqlError(error, 'unique')) return false;
        throw error;
      }
    },
    async create({ login, passwordHash, emailVerified = true }: NewAccount) {
      try {
        const added = await db.query<AccountRow>(sql`
          insert into library.person (email, password_hash, email_verified)
          values (${login}, ${passwordHash}, ${emailVerified}) returning ${columns}`);
        return await enrolled(added.rows[0]!);
      } catch (error) {
        if (isSqlError(error, 'unique')) return undefined;
        throw error;
      }
    },
    async list(limit) {
      const found = await db.query<Person>(sql`
        select id::text as id, email, active, created_at as "createdAt" from library.person order by email limit ${limit}`);
      return found.rows;
    },
    async remove(id) {
      await db.query(sql`delete from library.person where id = ${id}`);
    },
    async find(id) {
      if (!isUuid(id)) return undefined;
      const found = await db.query<Person>(sql`
        select id::text as id, email, active, created_at as "createdAt" from library.person where id = ${id}`);
      return found.rows[0];
    },
  };
}

// PostgreSQL refuses a comparison with anything else; casting the column instead would keep its index out.
function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
}
