import { docsBase } from '@portcullis/core';
import type { errors } from './error-codes.js';

/** The code of one problem; each has a page `errors/<code>.md`. */
export type ConfigProblemCode = Exclude<keyof typeof errors, 'E_CONFIG_INVALID'>;

/** One thing that is wrong. Never holds the value, which may be a secret or one in the wrong place. */
export interface ConfigProblem {
  readonly code: ConfigProblemCode;
  /** The setting, variable or file that is meant. */
  readonly name: string;
  /** What is wrong and what would be right, as a sentence. */
  readonly message: string;
  /** Where the value came from, if it came from anywhere. */
  readonly source?: string;
}

/**
 * Everything that is wrong with a configuration, at once, so that nobody mends it one start at a time.
 * Safe to print: neither the message nor the problems hold a value.
 */
export class ConfigError extends Error {
  readonly code = 'E_CONFIG_INVALID';
  readonly problems: readonly ConfigProblem[];
  readonly help: string;

  constructor(problems: readonly ConfigProblem[]) {
    const help = `${docsBase}/config/errors`;
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    const lines = problems.map((p) => `  - ${p.name}: ${p.message}${from(p)} [${p.code}]`);
    super(`The configuration has ${count}:\n${lines.join('\n')}\n  help: ${help}/<code>.md`);
    this.name = 'ConfigError';
    this.help = help;
    this.problems = Object.freeze(problems.map((p) => Object.freeze({ ...p })));
  }
}

function from(problem: ConfigProblem): string {
  return problem.source === undefined ? '' : ` (from ${problem.source})`;
}
