import { types } from 'node:util';

/** True for errors of any realm (test runners and `node:vm` have their own `Error`). */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}
