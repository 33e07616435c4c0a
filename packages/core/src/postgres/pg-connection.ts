import { SqlError } from '../sql-error.js';
import type { QueryOptions, QueryResult } from '../sql.js';
import { Deadline } from './deadline.js';
import { cancelStatement } from './pg-cancel.js';
import type { PgClientInternals, PgPoolClientLike, PgQueryConfig, PgResult } from './pg-types.js';
import { sqlStateOf, toSqlError } from './to-sql-error.js';
import type { Connection } from './transaction.js';
import { parsers, toParameters } from './value-types.js';

/** A connection taken from the pool. What has become doubtful is closed at release, never given back. */
export class PgConnection implements Connection {
  readonly #client: PgPoolClientLike;
  readonly #timeoutMs: number;
  readonly #onError = (): void => this.#break();
  readonly #types: NonNullable<PgQueryConfig['types']>;
  #broken = false;
  #released = false;

  constructor(client: PgPoolClientLike, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    // Without a listener, a connection that dies between two statements would end the process.
    client.on('error', this.#onError);
    const own = client as PgClientInternals;
    this.#types = {
      getTypeParser: (oid, format) =>
        format === 'binary'
          ? (own.getTypeParser?.(oid, format) ?? String)
          : (parsers[oid] ?? own.getTypeParser?.(oid, format) ?? String),
    };
  }

  async run(
    text: string,
    values: readonly unknown[] | undefined,
    options: QueryOptions,
  ): Promise<QueryResult<unknown> & { readonly command: string }> {
    const deadline = new Deadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    return this.runWithin(text, values, deadline);
  }

  async runWithin(
    text: string,
    values: readonly unknown[] | undefined,
    deadline: Deadline,
  ): Promise<QueryResult<unknown> & { readonly command: string }> {
    if (this.#broken) throw new SqlError({ kind: 'unavailable', details: 'the connection is lost' });
    deadline.check('starting a statement');
    const config: PgQueryConfig = { text, types: this.#types };
    if (values) config.values = toParameters(values);
    let answered = false;
    try {
      const answering = this.#client.query(config).finally(() => (answered = true));
      const results = await deadline.bound(answering, 'running a statement');
      // A text with several statements: the last one counts.
      const { rows, rowCount, command } = (Array.isArray(results) ? results.at(-1) : results) as PgResult;
      return { rows, rowCount: rowCount ?? 0, command };
    } catch (error) {
      if (!answered) {
        // Nobody knows what this connection will say next. The server is told to stop; the connection is closed.
        this.abandon();
      } else if (sqlStateOf(error) === undefined || isFatal(error)) {
        this.#break();
      }
      throw toSqlError(error);
    }
  }

  /** Stops what runs on the server, which rolls back, and closes the connection. */
  abandon(): void {
    if (!this.#broken) cancelStatement(this.#client);
    this.#break();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#client.removeListener('error', this.#onError);
    this.#client.release(this.#broken);
  }

  #break(): void {
    this.#broken = true;
    this.release();
  }
}

function isFatal(error: unknown): boolean {
  return (error as { severity?: unknown }).severity === 'FATAL';
}
