import { hasCode, option, readOptions, SecurityError } from '@portcullis/core';
import type { HttpProblemOptions } from './http-problems.js';

export interface ProblemRow {
  /** HTTP status, 400 to 599. Of 5xx the client sees status and code (501 and above), nothing else. */
  readonly status: number;
  /** Name of the kind of problem, the same for every occurrence (RFC 9457 `title`). 1 to 200 characters. */
  readonly title: string;
  /** Sentence for the client where an occurrence brings none. @default the title */
  readonly message?: string;
}

/** The class of one kind of domain error. */
export interface ProblemClass<Code extends string> {
  new (message?: string, options?: HttpProblemOptions): SecurityError & { readonly code: Code };
  readonly code: Code;
  readonly status: number;
  readonly title: string;
  /** True for errors of this kind, whichever copy of the module made them. */
  is(error: unknown): error is Error & { readonly code: Code };
}

/**
 * Makes the class of a domain error with a code and status of its own. Throw it as it is, or extend it for typed members:
 * `class CardDeclined extends defineProblem('E_CARD_DECLINED', { status: 402, title: 'Card declined' }) { ... }`.
 * @throws OptionError for a code that is not `E_` and upper-case words, a status outside 400 to 599 or a missing title
 */
export function defineProblem<const Code extends `E_${string}`>(
  code: Code,
  row: ProblemRow,
): ProblemClass<Code> {
  const { status, title, message: usual } = read(code, row);

  return class DomainProblem extends SecurityError {
    static readonly code = code;
    static readonly status = status;
    static readonly title = title;
    static is(error: unknown): error is Error & { readonly code: Code } {
      return hasCode(error, code);
    }

    declare readonly code: Code;

    constructor(message?: string, options: HttpProblemOptions = {}) {
      super(message ?? usual ?? title, { ...options, code, status, title });
      this.name = new.target.name;
    }
  };
}

function read(code: string, row: ProblemRow): { status: number; title: string; message: string | undefined } {
  const readers = {
    code: option.string({ max: 80, pattern: /^E_[A-Z0-9]+(?:_[A-Z0-9]+)*$/ }),
    row: option.group({
      status: option.integer({ min: 400, max: 599 }),
      title: option.string({ max: 200 }),
      message: option.optional(option.string({ max: 1_000 })),
    }),
  };
  return readOptions('defineProblem', { code, row }, readers).row;
}
