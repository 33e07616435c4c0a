import { randomUUID } from 'node:crypto';
import { SqlError } from '../sql-error.js';
import type { QueryOptions, QueryResult, SqlRow, SqlStatement, SqlTransaction } from '../sql.js';

/** What a client can do with one connection. */
export interface Connection {
  run(
    text: string,
    values: readonly unknown[] | undefined,
    options: QueryOptions,
  ): Promise<QueryResult<unknown>>;
}

/** Which database a transaction belongs to, so that a feed of another one can refuse it. */
export const DATABASE = Symbol.for('portcullis.sql.database');

/** Statement and parameters of either calling form. */
export function textOf(
  statement: SqlStatement | string,
  params: readonly unknown[] | undefined,
): readonly [string, readonly unknown[] | undefined] {
  return typeof statement === 'string' ? [statement, params] : [statement.text, statement.values];
}

/** The transaction that the caller's function gets: dead once it has ended, so that nothing runs outside of it. */
export class OpenTransaction implements SqlTransaction {
  readonly #connection: Connection;
  readonly #hooks: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #ended: string | undefined;

  constructor(connection: Connection, database: object) {
    this.#connection = connection;
    Object.defineProperty(this, DATABASE, { value: database, enumerable: false });
  }

  async query<Row = SqlRow>(
    statement: SqlStatement | string,
    params?: readonly unknown[],
    options: QueryOptions = {},
  ): Promise<QueryResult<Row>> {
    if (this.#ended !== undefined) throw new SqlError({ kind: 'other', details: this.#ended });
    const running = this.#connection.run(...textOf(statement, params), options);
    this.#running.add(running);
    try {
      return (await running) as QueryResult<Row>;
    } finally {
      this.#running.delete(running);
    }
  }

  cursor<Row = SqlRow>(
    statement: SqlStatement,
    options: QueryOptions & { readonly batch?: number } = {},
  ): AsyncIterable<readonly Row[]> {
    return fetchAll<Row>((text, values) => this.query(text, values, options), statement, options.batch);
  }

  onCommit(fn: () => void): void {
    this.#hooks.push(fn);
  }

  get busy(): boolean {
    return this.#running.size > 0;
  }

  /** From now on every statement is refused. Waits for those that were started without being awaited. */
  async end(reason: string): Promise<void> {
    this.#ended = reason;
    await Promise.allSettled(this.#running);
  }

  /** After the commit: faults cannot undo it any more and are reported as process warnings. */
  committed(): void {
    for (const hook of this.#hooks) {
      try {
        hook();
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}

/** The rows of a statement in batches; the cursor is closed when the loop is left. */
export async function* fetchAll<Row>(
  query: (text: string, values?: readonly unknown[]) => Promise<QueryResult<unknown>>,
  statement: SqlStatement,
  batch = 500,
  hold = '',
): AsyncGenerator<readonly Row[], void, void> {
  if (!Number.isInteger(batch) || batch < 1)
    throw new TypeError(`batch must be a positive integer, not ${batch}.`);
  // Not counted: a second copy of this module in the process would count the same numbers.
  const name = `portcullis_${randomUUID().replaceAll('-', '')}`;
  await query(`declare ${name} no scroll cursor ${hold} for ${statement.text}`, statement.values);
  try {
    for (;;) {
      const { rows } = await query(`fetch forward ${batch} from ${name}`);
      if (rows.length > 0) yield rows as Row[];
      if (rows.length < batch) return;
    }
  } finally {
    // After an error the transaction is gone, and its cursors with it.
    await query(`close ${name}`).catch(() => undefined);
  }
}
