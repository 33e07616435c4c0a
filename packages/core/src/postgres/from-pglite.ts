import type { Duration } from '../duration.js';
import { option, readOptions } from '../options.js';
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
import { Mutex } from './mutex.js';
import { toSqlError } from './to-sql-error.js';
import { DATABASE, fetchAll, OpenTransaction, textOf, type Connection } from './transaction.js';
import { parsers, toParameters } from './value-types.js';

// What is used of `@electric-sql/pglite`: its types are no dependency of this package.

interface PgliteResult {
  readonly rows: unknown[];
  readonly affectedRows?: number;
}

interface PgliteOptions {
  parsers?: Record<number, (text: string) => unknown>;
  serializers?: Record<number, (value: never) => string>;
}

interface PgliteRunner {
  query(text: string, params?: unknown[], options?: PgliteOptions): Promise<PgliteResult>;
  exec(text: string, options?: PgliteOptions): Promise<PgliteResult[]>;
}

/** A `PGlite` instance, or anything with its shape. */
export interface PgliteLike extends PgliteRunner {
  transaction<T>(fn: (tx: PgliteRunner) => Promise<T>): Promise<T>;
  listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>>;
}

export interface FromPgliteOptions {
  /** Longest wait for the one connection; 1 ms to 1 h. @default 5000 */
  readonly timeoutMs?: Duration;
  /** Longest time for a whole transaction, 1 ms to 24 h. @default 60_000 */
  readonly transactionTimeoutMs?: Duration;
}

/**
 * PostgreSQL embedded in this process. There is one connection: statements and transactions run one after another, and a
 * deadline bounds the wait. A statement that runs cannot be cancelled, because it holds the thread; one that is still
 * waiting when its time is over is never started. Within a transaction use only its `tx`: the outer client waits for it.
 * Two processes must not open one data folder.
 * @throws OptionError here; SqlError from its methods
 */
export function fromPglite(db: PgliteLike, options: FromPgliteOptions = {}): Sql {
  const { timeoutMs, transactionTimeoutMs } = readOptions('fromPglite', options, {
    timeoutMs: option.duration({ minMs: 1, maxMs: 3_600_000, default: 5000 }),
    transactionTimeoutMs: option.duration({ minMs: 1, maxMs: 86_400_000, default: 60_000 }),
  });
  option.port<PgliteLike>(['query', 'exec', 'transaction', 'listen'])(db, 'fromPglite', 'db');
  return new PgliteSql(db, timeoutMs, transactionTimeoutMs);
}

const resultOptions: PgliteOptions = {
  parsers: { ...parsers },
  serializers: { 17: (bytes: Buffer) => `\\x${bytes.toString('hex')}` },
};

class PgliteConnection implements Connection {
  readonly #runner: PgliteRunner;
  readonly #timeoutMs: number;

  constructor(runner: PgliteRunner, timeoutMs: number) {
    this.#runner = runner;
    this.#timeoutMs = timeoutMs;
  }

  async run(
    text: string,
    values: readonly unknown[] | undefined,
    options: QueryOptions,
  ): Promise<QueryResult<unknown>> {
    const deadline = new Deadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    deadline.check('starting a statement');
    try {
      const answering = values
        ? this.#runner.query(text, toParameters(values), resultOptions)
        : this.#runner.exec(text, resultOptions).then((results) => results.at(-1) ?? { rows: [] });
      const { rows, affectedRows } = await deadline.bound(answering, 'running a statement');
      return { rows, rowCount: rows.length > 0 ? rows.length : (affectedRows ?? 0) };
    } catch (error) {
      throw fromPgliteError(error);
    }
  }
}

class PgliteSql implements Sql {
  readonly kind = 'pglite';
  readonly shared = false;
  readonly #db: PgliteLike;
  readonly #direct: PgliteConnection;
  readonly #mutex = new Mutex();
  readonly #timeoutMs: number;
  readonly #transactionTimeoutMs: number;

  constructor(db: PgliteLike, timeoutMs: number, transactionTimeoutMs: number) {
    this.#db = db;
    this.#timeoutMs = timeoutMs;
    this.#transactionTimeoutMs = transactionTimeoutMs;
    this.#direct = new PgliteConnection(db, timeoutMs);
    Object.defineProperty(this, DATABASE, { value: db, enumerable: false });
  }

  async query<Row = SqlRow>(
    statement: SqlStatement | string,
    params?: readonly unknown[],
    options: QueryOptions = {},
  ): Promise<QueryResult<Row>> {
    const deadline = new Deadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    const result = await this.#mutex.run(deadline, () =>
      this.#direct.run(...textOf(statement, params), { ...options, timeoutMs: Math.max(1, deadline.leftMs) }),
    );
    return result as QueryResult<Row>;
  }

  cursor<Row = SqlRow>(
    statement: SqlStatement,
    options: QueryOptions & { readonly batch?: number } = {},
  ): AsyncIterable<readonly Row[]> {
    // WITH HOLD outlives its transaction: the body of the loop may use the connection between two batches.
    const query = (text: string, values?: readonly unknown[]) => this.query(text, values, options);
    return fetchAll<Row>(query, statement, options.batch, 'with hold');
  }

  async transaction<T>(fn: (tx: SqlTransaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const modes = modesOf(options);
    const settings = settingsOf(options);
    const wholeMs = options.timeoutMs ?? this.#transactionTimeoutMs;
    const deadline = new Deadline(wholeMs, options.signal);
    const waiting = new Deadline(Math.min(wholeMs, this.#timeoutMs), options.signal);
    let open: OpenTransaction | undefined;
    try {
      const result = await this.#mutex.run(waiting, () =>
        this.#db.transaction(async (runner) => {
          const connection = new PgliteConnection(runner, this.#timeoutMs);
          const tx = (open = new OpenTransaction(connection, this.#db));
          try {
            if (modes.length > 0) await connection.run(modes.join('; '), undefined, {});
            if (settings) await connection.run(settings.text, settings.values, {});
            const value = await deadline.bound(fn(tx), 'running a transaction');
            await tx.end('The transaction has ended.');
            // COMMIT of a failed transaction would roll back without an error in some versions; this fails with 25P02.
            await connection.run('select 1', undefined, {});
            return { value };
          } catch (error) {
            await tx.end('The transaction was rolled back.');
            throw new Rejected(error);
          }
        }),
      );
      open?.committed();
      return result.value;
    } catch (error) {
      // What the caller's function threw passes untouched; what the driver threw is normalised.
      throw error instanceof Rejected ? error.reason : fromPgliteError(error);
    }
  }

  async listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    const deadline = new Deadline(this.#timeoutMs);
    const quoted = `"${channel.replaceAll('"', '""')}"`;
    const stop = await this.#mutex.run(deadline, () => this.#db.listen(quoted, fn));
    return async () => this.#mutex.run(new Deadline(this.#timeoutMs), () => stop());
  }
}

class Rejected {
  constructor(readonly reason: unknown) {}
}

function fromPgliteError(error: unknown): Error {
  const closed = error instanceof Error && /clos(ed|ing)/i.test(error.message);
  return toSqlError(error, closed ? 'unavailable' : 'other');
}
