import { option, readOptions, sql as tag, type Sql } from '@portcullis/core';
import type { PasskeyPort, PasskeyRecord } from '../passkeys/passkey-port.js';
import { isUuid } from '../sessions/sessions.js';

interface Row {
  readonly id: string;
  readonly user_id: string;
  readonly public_key: string;
  /** bigint: text or number, as the driver likes it. */
  readonly counter: string | number;
  readonly transports: readonly string[];
  readonly backup_eligible: boolean;
  readonly backed_up: boolean;
  readonly name: string;
  readonly created_at: Date;
  readonly last_used_at: Date | null;
}

export interface PostgresPasskeysOptions {
  /** `fromPg(pool)` or `fromPglite(db)`. */
  readonly sql: Sql;
  /** Where both tables are. @default 'portcullis' */
  readonly schema?: string;
  /** The table of passkeys: columns and constraints as in `accountMigrations`. @default 'auth_passkey' */
  readonly table?: string;
  /** Its column with the id of the account, a UUID. @default 'user_id' */
  readonly owner?: string;
  /** The table of accounts with their `id`: a row is locked while passkeys of its account are added or removed. @default 'auth_account' */
  readonly accounts?: string;
}

/**
 * Passkeys in a table of their own, beside the accounts of `postgresUsers()` or beside yours.
 * @throws OptionError here; SqlError from its methods
 */
export function postgresPasskeys(options: PostgresPasskeysOptions): PasskeyPort {
  const name = (fallback: string) => option.string({ max: 63, default: fallback });
  const { sql, schema, ...names } = readOptions('postgresPasskeys', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: name('portcullis'),
    table: name('auth_passkey'),
    owner: name('user_id'),
    accounts: name('auth_account'),
  });
  const passkeys = tag.identifier(schema, names.table);
  const accounts = tag.identifier(schema, names.accounts);
  const owner = tag.identifier(names.owner);
  const columns = tag`id, ${owner}::text as user_id, public_key, counter, transports, backup_eligible, backed_up, name,
    created_at, last_used_at`;

  /** Additions and removals of one account take turns. */
  const inTurn = <T>(userId: string, run: (tx: Pick<Sql, 'query'>) => Promise<T>): Promise<T> =>
    sql.transaction(async (tx) => {
      await tx.query(tag`select 1 from ${accounts} where id = ${userId} for update`);
      return run(tx);
    });

  return {
    async find(id) {
      const { rows } = await sql.query<Row>(tag`select ${columns} from ${passkeys} where id = ${id}`);
      return rows[0] && toRecord(rows[0]);
    },

    async list(userId) {
      if (!isUuid(userId)) return [];
      const { rows } = await sql.query<Row>(
        tag`select ${columns} from ${passkeys} where ${owner} = ${userId}`,
      );
      return rows.map(toRecord);
    },

    add: (passkey, max) =>
      inTurn(passkey.userId, async (tx) => {
        const { rows } = await tx.query<{ taken: boolean; owned: number }>(tag`
          select exists (select 1 from ${passkeys} where id = ${passkey.id}) as taken,
            (select count(*)::int from ${passkeys} where ${owner} = ${passkey.userId}) as owned`);
        if (rows[0]!.taken) return 'taken';
        if (rows[0]!.owned >= max) return 'full';
        // Another account may have added it since.
        const { rowCount } = await tx.query(tag`
          insert into ${passkeys} (id, ${owner}, public_key, counter, transports, backup_eligible, backed_up, name, created_at)
          values (${passkey.id}, ${passkey.userId}, ${passkey.publicKey}, ${passkey.counter},
            ${JSON.stringify(passkey.transports)}::jsonb, ${passkey.backupEligible}, ${passkey.backedUp}, ${passkey.name},
            ${new Date(passkey.createdAt)})
          on conflict (id) do nothing`);
        return rowCount === 1 ? 'added' : 'taken';
      }),

    async use(id, { counter, backedUp, at }) {
      const { rowCount } = await sql.query(tag`
        update ${passkeys} set counter = ${counter}, backed_up = ${backedUp}, last_used_at = ${new Date(at)}
        where id = ${id} and (counter < ${counter}::bigint or (counter = 0 and ${counter}::bigint = 0))`);
      return rowCount === 1;
    },

    async rename(userId, id, name) {
      if (!isUuid(userId)) return false;
      const { rowCount } = await sql.query(
        tag`update ${passkeys} set name = ${name} where id = ${id} and ${owner} = ${userId}`,
      );
      return rowCount === 1;
    },

    async remove(userId, id, { keepOne }) {
      if (!isUuid(userId)) return false;
      return inTurn(userId, async (tx) => {
        const { rowCount } = await tx.query(tag`
          delete from ${passkeys} where id = ${id} and ${owner} = ${userId}
          and (not ${keepOne}::boolean or exists (select 1 from ${passkeys} where ${owner} = ${userId} and id <> ${id}))`);
        return rowCount === 1;
      });
    },
  };
}

function toRecord(row: Row): PasskeyRecord {
  return {
    id: row.id,
    userId: row.user_id,
    publicKey: row.public_key,
    counter: Number(row.counter),
    transports: row.transports,
    backupEligible: row.backup_eligible,
    backedUp: row.backed_up,
    name: row.name,
    createdAt: row.created_at.getTime(),
    lastUsedAt: row.last_used_at?.getTime() ?? null,
  };
}
