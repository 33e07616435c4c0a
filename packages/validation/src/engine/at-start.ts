import { isError, OptionError } from '@portcullis/core';
import { emit } from './emit.js';
import type { Engine } from './engine.js';
import type { MakePair } from './scope.js';

/**
 * Generates the checks of a schema when the service starts.
 * @throws OptionError where the process does not allow code to be made from text
 */
export const atStart: Engine = (prepared, dialect, owner, path) => {
  try {
    // The text is made by ajv from a schema of the service, never from input.
    // oxlint-disable-next-line no-implied-eval, no-new-func
    return new Function('scope', emit(prepared, dialect, owner, path)) as MakePair;
  } catch (error) {
    if (!isError(error) || error.name !== 'EvalError') throw error;
    throw new OptionError(
      'E_OPTION_REQUIRED',
      owner,
      'precompiled',
      `${path} cannot be compiled, because this process makes no code from text; give what precompile() has made of it as option "precompiled"`,
    );
  }
};
