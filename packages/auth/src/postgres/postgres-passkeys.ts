import { sql as tag, type Sql } from '@portcullis/core';
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

/** The passkeys of `postgresUsers()`, in the table `auth_passkey` beside `auth_account`. */
export function postgresPasskeys(sql: Sql, schema: string): PasskeyPort {
  const passkeys = tag.identifier(schema, 'auth_passkey');
  const accounts = tag.identifier(schema, 'auth_account');

  /** Additions and removals of one account take turns. */
  const inTurn = <T>(userId: string, run: (tx: Pick<Sql, 'query'>) => Promise<T>): Promise<T> =>
    sql.transaction(async (tx) => {
      await tx.query(tag`select 1 from ${accounts} where id = ${userId} for update`);
      return run(tx);
    });

  return {
    async find(id) {
      const { rows } = await sql.query<Row>(tag`select * from ${passkeys} where id = ${id}`);
      return rows[0] && toRecord(rows[0]);
    },

    async list(userId) {
      if (!isUuid(userId)) return [];
      const { rows } = await sql.query<Row>(tag`select * from ${passkeys} where user_id = ${userId}`);
      return rows.map(toRecord);
    },

    add: (passkey, max) =>
      inTurn(passkey.userId, async (tx) => {
        const { rows } = await tx.query<{ taken: boolean; owned: number }>(tag`
          select exists (select 1 from ${passkeys} where id = ${passkey.id}) as taken,
            (select count(*)::int from ${passkeys} where user_id = ${passkey.userId}) as owned`);
        if (rows[0]!.taken) return 'taken';
        if (rows[0]!.owned >= max) return 'full';
        // Another account may have added it since.
        const { rowCount } = await tx.query(tag`
          insert into ${passkeys} (id, user_id, public_key, counter, transports, backup_eligible, backed_up, name, created_at)
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
        tag`update ${passkeys} set name = ${name} where id = ${id} and user_id = ${userId}`,
      );
      return rowCount === 1;
    },

    async remove(userId, id, { keepOne }) {
      if (!isUuid(userId)) return false;
      return inTurn(userId, async (tx) => {
        const { rowCount } = await tx.query(tag`
          delete from ${passkeys} where id = ${id} and user_id = ${userId}
          and (not ${keepOne}::boolean or exists (select 1 from ${passkeys} where user_id = ${userId} and id <> ${id}))`);
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
