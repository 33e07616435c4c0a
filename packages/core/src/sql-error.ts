import { docsBase, SecurityError } from './security-error.js';
import { isError } from './is-error.js';

/** What went wrong, independent of the driver. Only `serialization`, `deadlock` and `unavailable` are worth a retry. */
export type SqlErrorKind =
  | 'unique'
  | 'foreign-key'
  | 'check'
  | 'not-null'
  | 'serialization'
  | 'deadlock'
  | 'timeout'
  | 'unavailable'
  | 'permission'
  | 'other';

type SqlErrorCode = 'E_SQL' | 'E_SQL_CONFLICT' | 'E_SQL_TIMEOUT' | 'E_SQL_UNAVAILABLE';

export interface SqlErrorFacts {
  readonly kind: SqlErrorKind;
  /** The five characters of PostgreSQL's appendix A; empty for an error of the connection. */
  readonly sqlState?: string;
  readonly constraint?: string | undefined;
  readonly table?: string | undefined;
  readonly cause?: unknown;
  /** For the log only. */
  readonly details?: unknown;
}

const BRAND = Symbol.for('portcullis.sql-error');

const UNAVAILABLE = 'The service is temporarily unavailable.';
const CONFLICT = 'Another change got in the way. Please try again.';
const REFUSED = 'The database refused the statement.';

const rows: Readonly<Record<SqlErrorKind, readonly [SqlErrorCode, number, string, string]>> = {
  unique: ['E_SQL_CONFLICT', 409, 'Conflicting change', 'This conflicts with something that already exists.'],
  serialization: ['E_SQL_CONFLICT', 409, 'Conflicting change', CONFLICT],
  deadlock: ['E_SQL_CONFLICT', 409, 'Conflicting change', CONFLICT],
  timeout: ['E_SQL_TIMEOUT', 503, 'Database too slow', UNAVAILABLE],
  unavailable: ['E_SQL_UNAVAILABLE', 503, 'Database unavailable', UNAVAILABLE],
  'foreign-key': ['E_SQL', 500, 'Database error', REFUSED],
  check: ['E_SQL', 500, 'Database error', REFUSED],
  'not-null': ['E_SQL', 500, 'Database error', REFUSED],
  permission: ['E_SQL', 500, 'Database error', REFUSED],
  other: ['E_SQL', 500, 'Database error', REFUSED],
};

/**
 * An error of the database, the same for every driver. The message is safe for clients; the driver's own error, which may
 * quote values, is the `cause`. Recognise one with {@link isSqlError}.
 * After `timeout` or `unavailable` it is unknown whether the statement (or the commit) took effect.
 */
export class SqlError extends SecurityError {
  readonly kind: SqlErrorKind;
  readonly sqlState: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;
  /** True if the same transaction, run again from its start, may succeed. */
  readonly retryable: boolean;

  constructor(facts: SqlErrorFacts) {
    const [code, status, title, message] = rows[facts.kind];
    super(message, {
      code,
      status,
      title,
      help: `${docsBase}/core/errors/${code}.md`,
      details: facts.details ?? { kind: facts.kind, sqlState: facts.sqlState, constraint: facts.constraint },
      cause: facts.cause,
    });
    this.name = 'SqlError';
    this.kind = facts.kind;
    this.sqlState = facts.sqlState ?? '';
    this.constraint = facts.constraint;
    this.table = facts.table;
    this.retryable =
      facts.kind === 'serialization' || facts.kind === 'deadlock' || facts.kind === 'unavailable';
    Object.defineProperty(this, BRAND, { value: true, enumerable: false });
  }
}

/** True for a {@link SqlError} of any module copy, and of this kind if one is named. */
export function isSqlError(error: unknown, kind?: SqlErrorKind): error is SqlError {
  return (
    isError(error) &&
    (error as { [BRAND]?: unknown })[BRAND] === true &&
    (kind === undefined || (error as SqlError).kind === kind)
  );
}
