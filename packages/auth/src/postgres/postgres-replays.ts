import { option, readOptions, sql as tag, type Sql } from '@portcullis/core';
import { digestOf, type ReplayStore } from '../transport/replay-store.js';

export interface PostgresReplaysOptions {
  /** `fromPg(pool)` or `fromPglite(db)`, on the primary. */
  readonly sql: Sql;
  /** Where `authMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
}

export interface PostgresReplays extends ReplayStore {
  /** Deletes what may be used again; happens by itself now and then. Returns how many. */
  sweep(): Promise<number>;
}

/** Uses of one process between two sweeps of its own. */
const SWEEP_EVERY = 500;

/**
 * Proofs that were used, in PostgreSQL or PGlite. Times are those of the database, so that all processes agree.
 * @throws OptionError here; SqlError (503) from its methods
 */
export function postgresReplays(options: PostgresReplaysOptions): PostgresReplays {
  const { sql, schema } = readOptions('postgresReplays', options, {
    sql: option.port<Sql>(['query']),
    schema: option.string({ max: 63, default: 'portcullis' }),
  });
  const table = tag.identifier(schema, 'auth_used');
  let uses = 0;

  async function sweep(): Promise<number> {
    const { rowCount } = await sql.query(tag`delete from ${table} where until <= clock_timestamp()`);
    return rowCount;
  }

  return {
    kind: sql.kind,
    shared: sql.shared,
    sweep,
    async firstUse(id, ttlMs) {
      // An entry whose time has passed gives way; one that still counts makes the statement return nothing.
      const { rowCount } = await sql.query(tag`
        insert into ${table} as used (id, until)
        values (${digestOf(id)}, clock_timestamp() + ${ttlMs}::double precision * interval '1 millisecond')
        on conflict (id) do update set until = excluded.until where used.until <= clock_timestamp()
        returning id`);
      if (++uses % SWEEP_EVERY === 0) await sweep();
      return rowCount === 1;
    },
  };
}
