import { sql, type SqlStatement } from '@portcullis/core';
import type { Relation } from './judge.js';

/** Names of columns, as they stand in the query: `user_id`, `loan.user_id`. */
export interface FilterColumns {
  /** Who owns the row; for permissions of one's own. Without it no row is one's own. */
  readonly owner?: string;
  /** Of which tenant the row is. Without it all rows are of the principal's tenant. */
  readonly tenant?: string;
}

/** The rows that a subject may, as of the moment it was made: use it at once. Made by `rbac.where()`. */
export interface RowFilter {
  /**
   * A condition that is true for exactly the rows of which `can(subject, permission, { owner, tenant })` is true, with the
   * row's columns as they are. Values are bound. An owner column that is not text (such as `uuid`) has to take the ids of
   * principals as input, and `can()` is then to be asked with its text.
   * @example sql`select * from loan where ${filter.toSql({ owner: 'loan.user_id' })}`
   */
  toSql(columns?: FilterColumns): SqlStatement;
}

/** What the filter is made of: how the question would be answered for a row of this kind. */
export interface RowJudge {
  readonly principalId: string;
  /** Of the principal; rows of other tenants are then none of its business. */
  readonly tenant: string | undefined;
  /** Tenants that the user's grants name. */
  readonly tenants: readonly string[];
  /** In a tenant, where there is none (undefined), or in one that is not named (false). */
  allows(relation: Relation, tenant: string | undefined | false): boolean;
}

export const noRows: RowFilter = { toSql: () => sql`false` };

export function rowFilter(judge: RowJudge): RowFilter {
  /** Rows of one tenant. Undefined: none of them. */
  function rowsOf(
    tenant: string | undefined | false,
    owner: SqlStatement | undefined,
  ): SqlStatement | undefined {
    const others = judge.allows('other', tenant);
    if (!owner) return others ? sql`true` : undefined;
    const own = judge.allows('own', tenant);
    if (own && others) return sql`true`;
    if (!own && !others) return undefined;
    // Letter for letter, whatever the collation of the column; the plain comparison is for its index.
    const exact = sql`${owner}::text collate "C" = ${judge.principalId}`;
    return own ? sql`${owner} = ${judge.principalId} and ${exact}` : sql`(${exact}) is not true`;
  }

  return {
    toSql({ owner, tenant } = {}) {
      const owned = owner === undefined ? undefined : column(owner);
      if (tenant === undefined) return parenthesised([rowsOf(judge.tenant, owned)]);
      const where = column(tenant);
      const exact = sql`${where}::text collate "C"`;
      const places = judge.tenant === undefined ? judge.tenants : [judge.tenant];
      const named = places.map((place) => {
        const rows = rowsOf(place, owned);
        return rows && sql`${where} = ${place} and ${exact} = ${place} and ${rows}`;
      });
      if (judge.tenant !== undefined) return parenthesised(named);
      const rest = rowsOf(false, owned);
      // Neither empty nor '*' is a tenant that can be asked about.
      const elsewhere = rest && sql`${exact} <> all(${[...places, '', '*']}::text[]) and ${rest}`;
      return parenthesised([...named, elsewhere]);
    },
  };
}

function parenthesised(conditions: readonly (SqlStatement | undefined)[]): SqlStatement {
  const some = conditions.filter((condition) => condition !== undefined).map((each) => sql`(${each})`);
  return some.length === 0 ? sql`false` : sql`(${sql.join(some, ' or ')})`;
}

function column(name: string): SqlStatement {
  return sql.identifier(...name.split('.'));
}
