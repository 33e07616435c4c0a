import { sql, type Sql } from '@portcullis/core';
import type { PasskeyPort, PasskeyRecord } from '@portcullis/auth';

type Row = Omit<PasskeyRecord, 'counter' | 'createdAt' | 'lastUsedAt'> & {
  readonly counter: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
};

const columns = sql`id, person_id::text as "userId", public_key as "publicKey", counter::text as counter, transports,
  backup_eligible as "backupEligible", backed_up as "backedUp", name, created_at as "createdAt", last_used_at as "lastUsedAt"`;

/** Passkeys beside the library's own people: the port that `@portcullis/auth` asks for, over one table. */
export function passkeyTable(db: Sql): PasskeyPort {
  /** Additions and removals of one person take turns. */
  const inTurn = <T>(personId: string, run: (tx: Pick<Sql, 'query'>) => Promise<T>): Promise<T> =>
    db.transaction(async (tx) => {
      await tx.query(sql`select 1 from library.person where id = ${personId} for update`);
      return run(tx);
    });

  return {
    async find(id) {
      const { rows } = await db.query<Row>(sql`select ${columns} from library.passkey where id = ${id}`);
      return rows[0] && toRecord(rows[0]);
    },
    async list(personId) {
      const { rows } = await db.query<Row>(
        sql`select ${columns} from library.passkey where person_id = ${personId}`,
      );
      return rows.map(toRecord);
    },
    add: (passkey, max) =>
      inTurn(passkey.userId, async (tx) => {
        const found = await tx.query<{ taken: boolean; owned: number }>(sql`
          select exists (select 1 from library.passkey where id = ${passkey.id}) as taken,
            (select count(*)::int from library.passkey where person_id = ${passkey.userId}) as owned`);
        if (found.rows[0]!.taken) return 'taken';
        if (found.rows[0]!.owned >= max) return 'full';
        const { rowCount } = await tx.query(sql`
          insert into library.passkey
            (id, person_id, public_key, counter, transports, backup_eligible, backed_up, name, created_at)
          values (${passkey.id}, ${passkey.userId}, ${passkey.publicKey}, ${passkey.counter},
            ${JSON.stringify(passkey.transports)}::jsonb, ${passkey.backupEligible}, ${passkey.backedUp},
            ${passkey.name}, ${new Date(passkey.createdAt)})
          on conflict (id) do nothing`);
        return rowCount === 1 ? 'added' : 'taken';
      }),
    async use(id, { counter, backedUp, at }) {
      const { rowCount } = await db.query(sql`
        update library.passkey set counter = ${counter}, backed_up = ${backedUp}, last_used_at = ${new Date(at)}
        where id = ${id} and (counter < ${counter}::bigint or (counter = 0 and ${counter}::bigint = 0))`);
      return rowCount === 1;
    },
    async rename(personId, id, name) {
      const { rowCount } = await db.query(
        sql`update library.passkey set name = ${name} where id = ${id} and person_id = ${personId}`,
      );
      return rowCount === 1;
    },
    remove: (personId, id, { keepOne }) =>
      inTurn(personId, async (tx) => {
        const { rowCount } = await tx.query(sql`
          delete from library.passkey where id = ${id} and person_id = ${personId}
          and (not ${keepOne}::boolean
            or exists (select 1 from library.passkey where person_id = ${personId} and id <> ${id}))`);
        return rowCount === 1;
      }),
  };
}

function toRecord(row: Row): PasskeyRecord {
  return {
    ...row,
    counter: Number(row.counter),
    createdAt: row.createdAt.getTime(),
    lastUsedAt: row.lastUsedAt?.getTime() ?? null,
  };
}
