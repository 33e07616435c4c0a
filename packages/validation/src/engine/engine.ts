import type { Schema } from '../schema.js';
import { checkOf, type Check } from './check.js';
import type { Dialect } from './emit.js';
import { scope, type MakePair } from './scope.js';

/** Where checks come from: generated now, or ahead of time. */
export type Engine = (prepared: Schema | boolean, dialect: Dialect, owner: string, path: string) => MakePair;

export function compile(
  engine: Engine,
  prepared: Schema | boolean,
  dialect: Dialect,
  owner: string,
  path: string,
): Check {
  return checkOf(engine(prepared, dialect, owner, path)(scope));
}
