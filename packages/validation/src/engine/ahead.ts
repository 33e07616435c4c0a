import { createHash } from 'node:crypto';
import { OptionError, type OptionReader } from '@portcullis/core';
import type { Schema } from '../schema.js';
import type { Dialect } from './emit.js';
import type { Engine } from './engine.js';
import type { MakePair } from './scope.js';

/** What a module made by `precompile()` exports: checks by the digest of their schema. */
export interface Precompiled {
  readonly portcullis: 1;
  readonly checks: { readonly [digest: string]: (scope: never) => unknown };
}

/** The same text for the same meaning: a schema that was changed after the build is not found. */
export function digestOf(prepared: Schema | boolean, dialect: Dialect): string {
  return createHash('sha256')
    .update(JSON.stringify([1, dialect, prepared]))
    .digest('hex');
}

/**
 * Takes checks that were generated ahead of time; what is not among them is left to `otherwise`.
 * @throws OptionError if there is no other engine
 */
export function ahead(precompiled: Precompiled | undefined, otherwise?: Engine): Engine {
  return (prepared, dialect, owner, path) => {
    const digest = digestOf(prepared, dialect);
    if (precompiled !== undefined && Object.hasOwn(precompiled.checks, digest)) {
      return precompiled.checks[digest] as MakePair;
    }
    if (otherwise) return otherwise(prepared, dialect, owner, path);
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      'precompiled',
      `precompiled lacks ${path}: the schema was not given to precompile(), or has changed since`,
    );
  };
}

export const readPrecompiled: OptionReader<Precompiled | undefined> = (value, owner, path) => {
  if (value === undefined) return undefined;
  const { portcullis, checks } = (value ?? {}) as Partial<Precompiled>;
  if (portcullis === 1 && typeof checks === 'object' && checks !== null) return value as Precompiled;
  throw new OptionError(
    'E_OPTION_TYPE',
    owner,
    path,
    `${path} must be the default export of a module made by precompile()`,
  );
};
