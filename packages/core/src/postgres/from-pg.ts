import type { Duration } from '../duration.js';
import { option, readOptions } from '../options.js';
import { SqlError } from '../sql-error.js';
import type {
  QueryOptions,
  QueryResult,
  Sql,
  SqlRow,
  SqlStatement,
  SqlTransaction,
  TransactionOptions,
} from '../sql.js';
import { modesOf, settingsOf } from './begin.js';
import { Deadline } from './deadline.js';
import { PgConnection } from './pg-connection.js';
import { PgListener } from './pg-listener.js';
import type { PgPoolInternals, PgPoolLike } from './pg-types.js';
import { toSqlError } from './to-sql-error.js';
import { DATABASE, fetchAll, OpenTransaction, textOf } from './transaction.js';

export interface FromPgOptions {
  /** Longest time for a statement, waiting for a connection included; 1 ms to 1 h. @default 5000 */
  readonly timeoutMs?: Duration;
  /**
   * Longest time for a whole transaction, 1 ms to 24 h. The server ends one that idles so long
   * (`idle_in_transaction_session_timeout`), so that a frozen process cannot hold its locks. @default 60_000
   */
  readonly transactionTimeoutMs?: Duration;
}

/**
 * PostgreSQL through a `Pool` of `pg` 8.
 * - A statement that takes too long, or whose signal is aborted, rejects on time even if the server hangs. The server is
 *   asked to cancel it, and its connection is closed instead of returned to the pool.
 * - A text without parameters may hold several statements; the result is the last one's.
 * - Values have the same types as with `fromPglite`: `int8`, `numeric`, `date` and `timestamp` are text, `timestamptz` is a
 *   Date, `bytea` a Buffer, JSON is parsed. JSON arrays are passed as JSON text (arrays are PostgreSQL arrays).
 * - Faults of idle connections are swallowed (the next statement makes a new one).
 * @throws OptionError here; SqlError from its methods
 */
export function fromPg(pool: PgPoolLike, options: FromPgOptions = {}): Sql {
  const { timeoutMs, transactionTimeoutMs } = readOptions('fromPg', options, {
    timeoutMs: option.duration({ minMs: 1, maxMs: 3_600_000, default: 5000 }),
    transactionTimeoutMs: option.duration({ minMs: 1, maxMs: 86_400_000, default: 60_000 }),
  });
  option.port<PgPoolLike>(['connect', 'on'])(pool, 'fromPg', 'pool');
  // Without a listener, an idle connection that the server closes would end the process.
  pool.on('error', () => undefined);
  return new PgSql(pool, timeoutMs, transactionTimeoutMs);
}

const MAX_WAITING = 1000;

class PgSql implements Sql {
  readonly kind = 'postgres';
  readonly shared = true;
  readonly #pool: PgPoolLike;
  readonly #timeoutMs: number;
  readonly #transactionTimeoutMs: number;
  readonly #listener: PgListener;
  #waiting = 0;

  constructor(pool: PgPoolLike, timeoutMs: number, transactionTimeoutMs: number) {
    this.#pool = pool;
    this.#timeoutMs = timeoutMs;
    this.#transactionTimeoutMs = transactionTimeoutMs;
    this.#listener = new PgListener(pool, timeoutMs);
    Object.defineProperty(this, DATABASE, { value: pool, enumerable: false });
    // A server that says goodbye in the same breath as hello meets a connection that the pool has let go of and nobody has
    // received yet: without a listener that would end the process.
    (pool as unknown as Partial<PgPoolInternals>).on?.('connect', (client) =>
      client.on('error', () => undefined),
    );
  }

  async query<Row = SqlRow>(
    statement: SqlStatement | string,
    params?: readonly unknown[],
    options: QueryOptions = {},
  ): Promise<QueryResult<Row>> {
    const deadline = new Deadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    const connection = await this.#take(deadline, this.#timeoutMs);
    try {
      const { rows, rowCount } = await connection.runWithin(...textOf(statement, params), deadline);
      return { rows: rows as Row[], rowCount };
    } finally {
      connection.release();
    }
  }

  async *cursor<Row = SqlRow>(
    statement: SqlStatement,
    options: QueryOptions & { readonly batch?: number } = {},
  ): AsyncGenerator<readonly Row[], void, void> {
    const first = new Deadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    const connection = await this.#take(first, this.#timeoutMs);
    let done = false;
    try {
      await connection.runWithin(this.#begin(this.#transactionTimeoutMs), undefined, first);
      yield* fetchAll<Row>((text, values) => connection.run(text, values, options), statement, options.batch);
      done = true;
    } finally {
      // A cursor only reads: left early or ended, there is nothing to keep but what its functions may have done.
      await connection.run(done ? 'commit' : 'rollback', undefined, {}).catch(() => undefined);
      connection.release();
    }
  }

  async transaction<T>(fn: (tx: SqlTransaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const modes = modesOf(options);
    const settings = settingsOf(options);
    const wholeMs = options.timeoutMs ?? this.#transactionTimeoutMs;
    const deadline = new Deadline(wholeMs, options.signal);
    const waiting = new Deadline(Math.min(wholeMs, this.#timeoutMs), options.signal);
    const connection = await this.#take(waiting, Math.min(wholeMs, this.#timeoutMs));
    const tx = new OpenTransaction(connection, this.#pool);
    try {
      await connection.run([this.#begin(wholeMs), ...modes].join('; '), undefined, {});
      if (settings) await connection.run(settings.text, settings.values, {});
      const result = await deadline.bound(fn(tx), 'running a transaction');
      await tx.end('The transaction has ended.');
      const { command } = await connection.run('commit', undefined, {});
      // The server answers COMMIT of a failed transaction with ROLLBACK, and without an error.
      if (command !== 'COMMIT') throw rolledBack();
      connection.release();
      tx.committed();
      return result;
    } catch (error) {
      await rollBack(connection, tx, deadline);
      throw error;
    } finally {
      connection.release();
    }
  }

  listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    return this.#listener.listen(channel, fn);
  }

  async #take(deadline: Deadline, timeoutMs: number): Promise<PgConnection> {
    deadline.check('waiting for a connection');
    // pg's queue has no end; while a server hangs, every refused call would leave something in it.
    if (this.#waiting >= MAX_WAITING) {
      throw new SqlError({ kind: 'unavailable', details: `${MAX_WAITING} calls wait for a connection` });
    }
    this.#waiting++;
    const taking = this.#pool.connect();
    const counted = () => void this.#waiting--;
    taking.then(counted, counted);
    try {
      return new PgConnection(await deadline.bound(taking, 'waiting for a connection'), timeoutMs);
    } catch (error) {
      // One that comes too late goes straight back.
      taking.then((client) => client.release()).catch(() => undefined);
      throw toSqlError(error);
    }
  }

  #begin(idleMs: number): string {
    return `begin; set local idle_in_transaction_session_timeout = ${Math.ceil(idleMs)}`;
  }
}

async function rollBack(connection: PgConnection, tx: OpenTransaction, deadline: Deadline): Promise<void> {
  const quiet = tx.end('The transaction was rolled back.');
  try {
    const patience = new Deadline(ROLLBACK_MS);
    // Statements that nobody awaited, as `Promise.all` leaves them behind, fail at once in a failed transaction.
    if (!deadline.passed) await patience.bound(quiet, 'ending statements');
    if (deadline.passed || tx.busy) connection.abandon();
    else await connection.runWithin('rollback', undefined, patience);
  } catch {
    connection.abandon();
  }
}

/** How long a rollback may take before the connection is closed, which rolls back too. */
const ROLLBACK_MS = 500;

/** A statement failed, its error was caught, and the function went on as if nothing had happened. */
export function rolledBack(): SqlError {
  return new SqlError({
    kind: 'other',
    sqlState: '25P02',
    details: 'a statement had failed; COMMIT rolled back',
  });
}
