import { isError } from '../is-error.js';
import { isSqlError, SqlError, type SqlErrorKind } from '../sql-error.js';

/** SQLSTATE (PostgreSQL manual, appendix A) by whole code, then by class. */
const kinds: Readonly<Record<string, SqlErrorKind>> = Object.assign(Object.create(null), {
  '23505': 'unique',
  '23P01': 'unique', // An exclusion constraint: it conflicts with something that exists.
  '23503': 'foreign-key',
  '23514': 'check',
  '23502': 'not-null',
  '40001': 'serialization',
  '40P01': 'deadlock',
  '57014': 'timeout', // query_canceled
  '55P03': 'timeout', // lock_not_available
  '25P03': 'timeout', // idle_in_transaction_session_timeout
  '25P04': 'timeout', // transaction_timeout
  '42501': 'permission',
  '08': 'unavailable', // connection exception
  '28': 'permission', // invalid authorization
  '53': 'unavailable', // insufficient resources, such as too many connections
  '57': 'unavailable', // operator intervention, such as a shutdown
  '58': 'unavailable', // system error
});

interface DriverError extends Error {
  readonly code?: unknown;
  readonly constraint?: unknown;
  readonly table?: unknown;
}

/**
 * Any error of a driver in the words of {@link SqlError}. What has no SQLSTATE is a fault of the connection, except
 * mistakes of the program (TypeError, RangeError), which pass as they are.
 */
export function toSqlError(error: unknown, otherwise: SqlErrorKind = 'unavailable'): Error {
  if (isSqlError(error)) return error;
  if (!isError(error)) return new SqlError({ kind: 'other', cause: error });
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined) {
    const { constraint, table } = error as DriverError;
    return new SqlError({
      kind: kinds[sqlState] ?? kinds[sqlState.slice(0, 2)] ?? 'other',
      sqlState,
      constraint: typeof constraint === 'string' ? constraint : undefined,
      table: typeof table === 'string' ? table : undefined,
      cause: withoutValues(error),
    });
  }
  if (error.name === 'TypeError' || error.name === 'RangeError') return error;
  return new SqlError({ kind: /timeout/i.test(error.message) ? 'timeout' : otherwise, cause: error });
}

/** Five characters, digits first or upper-case: Node's own codes (`EPIPE`, `ECONNRESET`) are told apart by their E. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = isError(error) ? (error as DriverError).code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E') ? code : undefined;
}

/** PGlite hangs the query's parameters onto its errors: passwords and tokens among them, on their way to a log. */
function withoutValues(error: Error): Error {
  const carrier = error as { params?: unknown };
  if ('params' in carrier) delete carrier.params;
  return error;
}
