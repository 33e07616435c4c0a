/** A statement with its values apart: made by the {@link sql} tag, which binds every value. */
export interface SqlStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface QueryOptions {
  /** Cancel the statement after this many milliseconds. @default the client's own `timeoutMs` */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface QueryResult<Row> {
  readonly rows: readonly Row[];
  readonly rowCount: number;
}

export type SqlRow = Readonly<Record<string, unknown>>;

/** What every store needs of a relational database. Statements run one after another within a transaction. */
export interface SqlClient {
  query<Row = SqlRow>(
    statement: SqlStatement | string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<QueryResult<Row>>;
  /** Rows in batches, without holding all of them. Ends its portal when the loop is left. */
  cursor<Row = SqlRow>(
    statement: SqlStatement,
    options?: QueryOptions & { readonly batch?: number },
  ): AsyncIterable<readonly Row[]>;
}

export interface SqlTransaction extends SqlClient {
  /** Runs after the commit has succeeded, never after a rollback. Faults of `fn` do not undo the commit. */
  onCommit(fn: () => void): void;
}

export interface TransactionOptions extends QueryOptions {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
  /** `SET LOCAL ROLE`: needed for row-level security, which superusers and owners bypass. */
  readonly role?: string;
  /** `set_config(name, value, is_local => true)`: what row-level policies read, such as `app.user_id`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * PostgreSQL, on a server (`fromPg`) or embedded (`fromPglite`), from `@portcullis/core/postgres`.
 * Errors are normalised by SQLSTATE into `SqlError`.
 */
export interface Sql extends SqlClient {
  readonly kind: 'postgres' | 'pglite';
  /** True if other processes can write to the same database. */
  readonly shared: boolean;
  /** Commits what `fn` did, or rolls all of it back if it throws. Transactions do not nest. */
  transaction<T>(fn: (tx: SqlTransaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** LISTEN on a channel; hints only, notifications may be lost. Returns the function that stops. */
  listen?(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>>;
}

const FRAGMENT = Symbol.for('portcullis.sql');

interface Fragment extends SqlStatement {
  readonly [FRAGMENT]: { readonly strings: readonly string[]; readonly values: readonly unknown[] };
}

/**
 * Binds every value as a parameter: sql`select * from books where isbn = ${isbn}`. Statements nest.
 * Identifiers go through `sql.identifier`, lists through `sql.join`; there is no way to splice in text by accident.
 */
export function sql(strings: TemplateStringsArray, ...values: readonly unknown[]): SqlStatement {
  return fragment(strings, values);
}

/** A quoted identifier; dots separate schema and name: `sql.identifier('audit', 'entry')`. */
sql.identifier = (...names: readonly string[]): SqlStatement => {
  const quoted = names.map((name) => {
    if (name === '' || name.includes('\0') || name.length > 63)
      throw new TypeError('An SQL identifier has 1 to 63 characters and no NUL.');
    return `"${name.replaceAll('"', '""')}"`;
  });
  return fragment([quoted.join('.')], []);
};

/** Values or statements, separated: `sql.join([1, 2, 3])` is `$1, $2, $3`. */
sql.join = (items: readonly unknown[], separator: ', ' | ' and ' | ' or ' = ', '): SqlStatement => {
  if (items.length === 0) throw new TypeError('sql.join() needs at least one item.');
  return fragment(['', ...items.slice(1).map(() => separator), ''], items);
};

/** Text that is not a value. For constants of the program only: whatever a user typed must never come here. */
sql.unsafe = (text: string): SqlStatement => fragment([text], []);

function fragment(strings: readonly string[], values: readonly unknown[]): SqlStatement {
  const statement: Omit<Fragment, 'text' | 'values'> & { text: string; values: unknown[] } = {
    text: '',
    values: [],
    [FRAGMENT]: { strings, values },
  };
  append(statement, strings, values);
  return Object.freeze(statement);
}

function append(
  into: { text: string; values: unknown[] },
  strings: readonly string[],
  values: readonly unknown[],
): void {
  into.text += strings[0];
  for (const [i, value] of values.entries()) {
    const nested =
      typeof value === 'object' && value !== null ? (value as Partial<Fragment>)[FRAGMENT] : undefined;
    if (nested) {
      append(into, nested.strings, nested.values);
    } else {
      into.values.push(value);
      into.text += `$${into.values.length}`;
    }
    into.text += strings[i + 1];
  }
}
