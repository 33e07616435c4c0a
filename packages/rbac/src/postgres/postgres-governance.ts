import { option, readOptions, sql as tag, type Sql, type SqlStatement } from '@portcullis/core';
import type { GovernanceStore } from '../governance-store.js';

export interface PostgresGovernanceOptions {
  /** `fromPg(pool)` or `fromPglite(db)`. */
  readonly sql: Sql;
  /** Where `rbacMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
  /** For one call, 10 ms to 10 minutes. @default 5_000 */
  readonly timeoutMs?: number | string;
}

/** Reviews and the last use of permissions in PostgreSQL or PGlite. @throws OptionError here; SqlError from its methods */
export function postgresGovernance(options: PostgresGovernanceOptions): GovernanceStore {
  const { sql, schema, timeoutMs } = readOptions('postgresGovernance', options, {
    sql: option.port<Sql>(['query', 'transaction']),
    schema: option.string({ max: 63, default: 'portcullis' }),
    timeoutMs: option.duration({ minMs: 10, maxMs: 600_000, default: 5_000 }),
  });
  const review = tag.identifier(schema, 'rbac_review');
  const use = tag.identifier(schema, 'rbac_use');
  const run = <Row>(statement: SqlStatement) => sql.query<Row>(statement, undefined, { timeoutMs });
  interface Row {
    readonly id: string;
    readonly version: string;
    readonly body: string;
  }
  const toReview = ({ id, version, body }: Row) => ({ id, version: Number(version), body });

  return {
    async putReview({ id, version, body }) {
      const { rowCount } = await run(
        version === 1
          ? tag`insert into ${review} (id, version, body) values (${id}, 1, ${body}) on conflict do nothing`
          : tag`update ${review} set version = ${version}, body = ${body}
              where id = ${id} and version = ${version - 1}`,
      );
      return rowCount === 1;
    },
    async review(id) {
      const { rows } = await run<Row>(tag`select id, version, body from ${review} where id = ${id}`);
      return rows[0] && toReview(rows[0]);
    },
    async reviews() {
      const { rows } = await run<Row>(tag`select id, version, body from ${review} order by id collate "C"`);
      return rows.map(toReview);
    },
    async noteUses(uses) {
      const days = uses.map(({ day }) => new Date(day).toISOString().slice(0, 10));
      await run(tag`
        insert into ${use} (user_id, permission, day)
        select user_id, permission, max(day) from unnest(
          ${uses.map(({ userId }) => userId)}::text[], ${uses.map(({ permission }) => permission)}::text[],
          ${days}::date[]
        ) as given (user_id, permission, day)
        group by user_id, permission order by user_id, permission
        on conflict (user_id, permission) do update set day = greatest(${use}.day, excluded.day)`);
    },
    async uses(userIds) {
      const { rows } = await run<{ user_id: string; permission: string; day: string }>(tag`
        select user_id, permission, day::text as day from ${use} where user_id = any(${userIds}::text[])
        order by user_id collate "C", permission collate "C"`);
      return rows.map(({ user_id, permission, day }) => ({
        userId: user_id,
        permission,
        day: Date.parse(`${day}T00:00:00Z`),
      }));
    },
  };
}
