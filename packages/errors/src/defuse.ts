import { types } from 'node:util';

/**
 * Somebody threw a promise. If it rejects, nobody handles that, and Node ends the process: so it is handled here. Its
 * error is not looked at; what was thrown is reported as a promise.
 */
export function defuse(thrown: unknown): void {
  if (types.isPromise(thrown)) thrown.catch(() => undefined);
}
