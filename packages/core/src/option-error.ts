import { docsBase } from './security-error.js';

export type OptionErrorCode =
  | 'E_OPTION_UNKNOWN'
  | 'E_OPTION_REQUIRED'
  | 'E_OPTION_TYPE'
  | 'E_OPTION_RANGE'
  | 'E_OPTION_VALUE'
  | 'E_OPTION_CONFLICT'
  | 'E_PEER_MISSING';

/** Every code that a wrong configuration can have; each has a page in core's `errors/`. */
export const optionErrorCodes: readonly OptionErrorCode[] = [
  'E_OPTION_UNKNOWN',
  'E_OPTION_REQUIRED',
  'E_OPTION_TYPE',
  'E_OPTION_RANGE',
  'E_OPTION_VALUE',
  'E_OPTION_CONFLICT',
  'E_PEER_MISSING',
];

/**
 * A wrong configuration, thrown while something is built, never while it serves requests.
 * The message names the option, what is wrong with its value, the fix or near miss, and the help page.
 */
export class OptionError extends TypeError {
  readonly code: OptionErrorCode;
  /** What was being built, for example `rateLimit`. */
  readonly owner: string;
  /** Path of the option, for example `limits.login.burst`; empty for the options object itself. */
  readonly option: string;
  readonly help: string;

  constructor(code: OptionErrorCode, owner: string, option: string, problem: string, options?: ErrorOptions) {
    const help = `${docsBase}/core/errors/${code}.md`;
    super(`${owner}: ${problem} [${code}, help: ${help}]`, options);
    this.name = 'OptionError';
    this.code = code;
    this.owner = owner;
    this.option = option;
    this.help = help;
    Object.defineProperty(this, Symbol.for('portcullis.option-error'), { value: true, enumerable: false });
  }
}
