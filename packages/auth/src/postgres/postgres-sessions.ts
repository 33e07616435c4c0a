import {
  option,
  readOptions,
  sql as tag,
  type ChangeFeed,
  type Sql,
  type SqlTransaction,
} from '@portcullis/core';
import {
  SESSION_TOPIC,
  type SessionDetails,
  type SessionRecord,
  type SessionStore,
} from '../sessions/session-store.js';

export interface PostgresSessionsOptions {
  /** `fromPg(pool)` or `fromPglite(db)`, on the primary: a replica would answer with what has ended. */
  readonly sql: Sql;
  /** `postgresFeed({ sql })` on the same database, for processes that keep sessions in memory. @default none */
  readonly feed?: ChangeFeed;
  /** Where `authMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
}

export interface PostgresSessions extends SessionStore {
  /** Deletes sessions whose time has passed (those of a user go at sign-in anyway). Returns how many. */
  sweep(now: number): Promise<number>;
}

interface Row {
  readonly id: string;
  readonly user_id: string;
  readonly created_at: Date;
  readonly rotated_at: Date;
  readonly idle_expires_at: Date;
  readonly expires_at: Date;
  readonly generation: string;
  readonly current_hash: string;
  readonly previous_hash: string | null;
  readonly sealed: string | null;
  readonly tag_key: string;
  readonly details: SessionDetails;
}

/**
 * Sessions in PostgreSQL or PGlite. An end and its announcement are one transaction: after it no process that follows
 * the feed acts on the session longer than the lease.
 * @throws OptionError here; SqlError from its methods
 */
export function postgresSessions(options: PostgresSessionsOptions): PostgresSessions {
  const { sql, feed, schema } = readOptions('postgresSessions', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    feed: option.optional(option.port<ChangeFeed>(['publish'])),
    schema: option.string({ max: 63, default: 'portcullis' }),
  });
  const subjects = tag.identifier(schema, 'auth_subject');
  const sessions = tag.identifier(schema, 'auth_session');

  async function announce(tx: SqlTransaction, userId: string): Promise<void> {
    await feed?.publish([{ topic: SESSION_TOPIC, subject: userId }], tx);
  }

  return {
    kind: sql.kind,
    shared: sql.shared,

    async epoch(userId) {
      const { rows } = await sql.query<{ epoch: string }>(
        tag`select epoch from ${subjects} where user_id = ${userId}`,
      );
      return Number(rows[0]?.epoch ?? 0);
    },

    create: (record, { epoch, max }) =>
      sql.transaction(async (tx) => {
        const { id, userId } = record;
        await tx.query(
          tag`insert into ${subjects} (user_id, epoch) values (${userId}, 0) on conflict (user_id) do nothing`,
        );
        // The lock makes sign-ins and `endAll` of one user take turns.
        const { rows } = await tx.query<{ epoch: string }>(
          tag`select epoch from ${subjects} where user_id = ${userId} for update`,
        );
        if (Number(rows[0]?.epoch) !== epoch) return { created: false };
        const now = instant(record.createdAt);
        await tx.query(
          tag`delete from ${sessions} where user_id = ${userId} and least(idle_expires_at, expires_at) <= ${now}`,
        );
        const surplus = await tx.query<{ id: string }>(tag`
          delete from ${sessions} where id in (
            select id from ${sessions} where user_id = ${userId} order by rotated_at desc, id offset ${max - 1}
          ) returning id`);
        await tx.query(tag`
          insert into ${sessions} (id, user_id, created_at, rotated_at, idle_expires_at, expires_at, generation,
            current_hash, previous_hash, sealed, tag_key, details)
          values (${id}, ${userId}, ${now}, ${instant(record.rotatedAt)}, ${instant(record.idleExpiresAt)},
            ${instant(record.expiresAt)}, ${record.generation}, ${record.current}, ${record.previous}, ${record.sealed},
            ${record.tagKey}, ${JSON.stringify(record.details)}::jsonb)`);
        if (surplus.rowCount > 0) await announce(tx, userId);
        return { created: true, ended: surplus.rows.map((row) => row.id) };
      }),

    async find(id) {
      const { rows } = await sql.query<Row>(tag`select * from ${sessions} where id = ${id}`);
      return rows[0] && toRecord(rows[0]);
    },

    async rotate(id, current, next) {
      const { rowCount } = await sql.query(tag`
        update ${sessions} set rotated_at = ${instant(next.rotatedAt)}, idle_expires_at = ${instant(next.idleExpiresAt)},
          generation = ${next.generation}, current_hash = ${next.current}, previous_hash = ${next.previous},
          sealed = ${next.sealed}, details = ${JSON.stringify(next.details)}::jsonb
        where id = ${id} and current_hash = ${current}`);
      return rowCount === 1;
    },

    end: (id, userId) =>
      sql.transaction(async (tx) => {
        const { rowCount } = await tx.query(
          tag`delete from ${sessions} where id = ${id} and user_id = ${userId}`,
        );
        if (rowCount === 0) return false;
        await announce(tx, userId);
        return true;
      }),

    endAll: (userId, except) =>
      sql.transaction(async (tx) => {
        await tx.query(tag`
          insert into ${subjects} as subject (user_id, epoch) values (${userId}, 1)
          on conflict (user_id) do update set epoch = subject.epoch + 1`);
        const { rows } = await tx.query<{ id: string }>(tag`
          delete from ${sessions} where user_id = ${userId} and id::text is distinct from ${except ?? null}::text
          returning id`);
        await announce(tx, userId);
        return rows.map((row) => row.id);
      }),

    async list(userId) {
      const { rows } = await sql.query<Row>(tag`select * from ${sessions} where user_id = ${userId}`);
      return rows.map(toRecord);
    },

    async sweep(now) {
      const { rowCount } = await sql.query(
        tag`delete from ${sessions} where idle_expires_at <= ${instant(now)}`,
      );
      return rowCount;
    },
  };
}

function toRecord(row: Row): SessionRecord {
  return {
    id: row.id,
    userId: row.user_id,
    createdAt: row.created_at.getTime(),
    rotatedAt: row.rotated_at.getTime(),
    idleExpiresAt: row.idle_expires_at.getTime(),
    expiresAt: row.expires_at.getTime(),
    generation: Number(row.generation),
    current: row.current_hash,
    previous: row.previous_hash,
    sealed: row.sealed,
    tagKey: row.tag_key,
    details: row.details,
  };
}

const instant = (ms: number): Date => new Date(ms);
