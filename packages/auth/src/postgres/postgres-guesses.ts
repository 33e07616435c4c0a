import {
  option,
  readOptions,
  sql as tag,
  systemClock,
  type Clock,
  type Sql,
  type StoreKey,
} from '@portcullis/core';
import type { GuessStore } from '../guesses/ladder.js';

export interface PostgresGuessesOptions {
  /** `fromPg(pool)` or `fromPglite(db)`. */
  readonly sql: Sql;
  /** Where `authMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
  readonly clock?: Clock;
}

export interface PostgresGuesses extends GuessStore {
  /** Deletes counts whose time has passed; call it now and then. Returns how many. */
  sweep(): Promise<number>;
}

interface Row {
  readonly value: string;
  readonly ttl: number;
}

/**
 * Counts of guesses in PostgreSQL or PGlite, for those without Redis: each call is one statement. Several rows are written for
 * each sign-in, so Redis suits a service that many people sign in to at once.
 * @throws OptionError here; SqlError from its methods
 */
export function postgresGuesses(options: PostgresGuessesOptions): PostgresGuesses {
  const { sql, schema, clock } = readOptions('postgresGuesses', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  });
  const table = tag.identifier(schema, 'auth_guess');
  const at = (ttlMs: number | undefined) => (ttlMs === undefined ? null : new Date(clock.now() + ttlMs));
  const now = () => new Date(clock.now());

  return {
    async get(key: StoreKey) {
      const { rows } = await sql.query<Row>(
        tag`select value from ${table} where key = ${key} and (expires_at is null or expires_at > ${now()})`,
      );
      return rows[0]?.value;
    },
    async set(key, value, { ttlMs, ifAbsent = false } = {}) {
      const { rowCount } = await sql.query(tag`
        insert into ${table} as old (key, value, expires_at) values (${key}, ${value}, ${at(ttlMs)})
        on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at
        where not ${ifAbsent}::boolean or old.expires_at <= ${now()}`);
      return rowCount === 1;
    },
    async increment(key, by, { ttlMs, extend = false }) {
      const { rows } = await sql.query<Row>(tag`
        insert into ${table} as old (key, value, expires_at) values (${key}, ${String(by)}, ${at(ttlMs)})
        on conflict (key) do update set
          value = case when old.expires_at <= ${now()} then excluded.value
            else (old.value::bigint + excluded.value::bigint)::text end,
          expires_at = case when ${extend}::boolean or old.expires_at is null or old.expires_at <= ${now()}
            then excluded.expires_at else old.expires_at end
        returning value, (extract(epoch from expires_at) * 1000 - ${clock.now()}::double precision)::double precision as ttl`);
      const [row] = rows;
      return { value: Number(row!.value), ttlMs: Math.max(1, Math.ceil(row!.ttl)) };
    },
    async delete(key) {
      const { rowCount } = await sql.query(tag`
        delete from ${table} where key = ${key} and (expires_at is null or expires_at > ${now()})`);
      return rowCount === 1;
    },
    async sweep() {
      const { rowCount } = await sql.query(tag`delete from ${table} where expires_at <= ${now()}`);
      return rowCount ?? 0;
    },
  };
}
