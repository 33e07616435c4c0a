import {
  option,
  readOptions,
  sql as tag,
  type ChangeFeed,
  type Sql,
  type SqlTransaction,
} from '@portcullis/core';
import { API_KEY_TOPIC, type ApiKeyRecord, type ApiKeyStore } from '../api-keys/api-key-store.js';

export interface PostgresApiKeysOptions {
  /** `fromPg(pool)` or `fromPglite(db)`, on the primary. */
  readonly sql: Sql;
  /** `postgresFeed({ sql })` on the same database, for processes that keep keys in memory. @default none */
  readonly feed?: ChangeFeed;
  /** Where `authMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
}

export interface PostgresApiKeys extends ApiKeyStore {
  /** Deletes keys whose time has passed. Returns how many. */
  sweep(now: number): Promise<number>;
}

interface Row {
  readonly id: string;
  readonly owner_id: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly string[];
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly last_used_at: Date | null;
}

/**
 * API keys in PostgreSQL or PGlite. An end and its announcement are one transaction.
 * @throws OptionError here; SqlError (503) from its methods
 */
export function postgresApiKeys(options: PostgresApiKeysOptions): PostgresApiKeys {
  const { sql, feed, schema } = readOptions('postgresApiKeys', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    feed: option.optional(option.port<ChangeFeed>(['publish'])),
    schema: option.string({ max: 63, default: 'portcullis' }),
  });
  const keys = tag.identifier(schema, 'auth_api_key');
  const subjects = tag.identifier(schema, 'auth_subject');

  async function announce(tx: SqlTransaction, ids: readonly string[]): Promise<void> {
    if (ids.length > 0)
      await feed?.publish(
        ids.map((subject) => ({ topic: API_KEY_TOPIC, subject })),
        tx,
      );
  }

  return {
    kind: sql.kind,
    shared: sql.shared,

    add: (record, max) =>
      sql.transaction(async (tx) => {
        const { id, ownerId, name, hash, scopes } = record;
        // The lock that sign-ins of this user take too: creations of one owner take turns.
        await tx.query(
          tag`insert into ${subjects} (user_id, epoch) values (${ownerId}, 0) on conflict (user_id) do nothing`,
        );
        await tx.query(tag`select epoch from ${subjects} where user_id = ${ownerId} for update`);
        const { rowCount } = await tx.query(tag`
          insert into ${keys} (id, owner_id, name, hash, scopes, created_at, expires_at)
          select ${id}::uuid, ${ownerId}::text, ${name}::text, ${hash}::text, ${JSON.stringify(scopes)}::jsonb,
            ${instant(record.createdAt)}::timestamptz, ${instant(record.expiresAt)}::timestamptz
          where (select count(*) from ${keys} where owner_id = ${ownerId} and expires_at > ${instant(record.createdAt)}) < ${max}::int`);
        return rowCount === 1;
      }),

    async find(id) {
      const { rows } = await sql.query<Row>(tag`select * from ${keys} where id = ${id}`);
      return rows[0] && toRecord(rows[0]);
    },

    async list(ownerId) {
      const { rows } = await sql.query<Row>(tag`select * from ${keys} where owner_id = ${ownerId}`);
      return rows.map(toRecord);
    },

    end: (id, ownerId) =>
      sql.transaction(async (tx) => {
        const { rowCount } = await tx.query(
          tag`delete from ${keys} where id = ${id} and owner_id = ${ownerId}`,
        );
        if (rowCount === 0) return false;
        await announce(tx, [id]);
        return true;
      }),

    endAll: (ownerId) =>
      sql.transaction(async (tx) => {
        const { rows } = await tx.query<{ id: string }>(
          tag`delete from ${keys} where owner_id = ${ownerId} returning id`,
        );
        const ids = rows.map((row) => row.id);
        await announce(tx, ids);
        return ids;
      }),

    async touch(id, at) {
      await sql.query(tag`update ${keys} set last_used_at = ${instant(at)} where id = ${id}`);
    },

    async sweep(now) {
      const { rowCount } = await sql.query(tag`delete from ${keys} where expires_at <= ${instant(now)}`);
      return rowCount;
    },
  };
}

function toRecord(row: Row): ApiKeyRecord {
  return {
    id: row.id,
    ownerId: row.owner_id,
    name: row.name,
    hash: row.hash,
    scopes: row.scopes,
    createdAt: row.created_at.getTime(),
    expiresAt: row.expires_at.getTime(),
    lastUsedAt: row.last_used_at?.getTime() ?? null,
  };
}

const instant = (ms: number): Date => new Date(ms);
