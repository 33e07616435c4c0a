import { types } from 'node:util';

/**
 * True for errors of any realm (test runners and `node:vm` have their own `Error`). Never throws: a proxy may answer
 * `instanceof` with an error of its own.
 */
export function isError(value: unknown): value is Error {
  if (types.isNativeError(value)) return true;
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}
