import { isError } from './is-error.js';

/** Marks errors of the Portcullis family across module copies; `instanceof` does not survive two copies. */
const BRAND = Symbol.for('portcullis.error');

/**
 * Where help pages are found: the folder of the installed packages. The page of a code is
 * `<docsBase>/<package>/errors/<code>.md`; it ships inside the package.
 */
export const docsBase = 'node_modules/@portcullis';

export interface SecurityErrorOptions {
  /** Stable code for programs, `E_UPPER_SNAKE`. */
  readonly code: string;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** Short name of the kind of problem, the same for every occurrence (RFC 9457 `title`). */
  readonly title?: string;
  /** For the log only; never rendered to a client. */
  readonly details?: unknown;
  /** Response headers that belong to this refusal, such as `Retry-After` or `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Public extension members of the problem document (RFC 9457 section 3.2), such as `errors`. */
  readonly problem?: Readonly<Record<string, unknown>>;
  /** Help page; set by {@link defineErrors}. */
  readonly help?: string;
  readonly cause?: unknown;
}

/**
 * A refusal: a code for programs, a sentence that is safe for the client, details for the log only.
 * The message must not contain secrets, SQL, paths or other people's data: `errorHandler()` shows it for 4xx.
 * Recognise one with {@link hasCode} or {@link isSecurityError}, never with `instanceof` across packages.
 */
export class SecurityError extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly problem: Readonly<Record<string, unknown>>;
  readonly help: string | undefined;
  /** For the log only. Not enumerable, so that serialisers and spreads do not carry it along. */
  declare readonly details: unknown;

  constructor(message: string, options: SecurityErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SecurityError';
    this.code = options.code;
    this.status = options.status;
    this.title = options.title ?? message;
    this.headers = options.headers ?? {};
    this.problem = options.problem ?? {};
    this.help = options.help;
    Object.defineProperty(this, 'details', { value: options.details, enumerable: false });
    Object.defineProperty(this, BRAND, { value: true, enumerable: false });
  }
}

/** True for a {@link SecurityError} made by any copy of core in this process. */
export function isSecurityError(error: unknown): error is SecurityError {
  return isError(error) && read(error, BRAND) === true;
}

/** True if the error carries this code, whichever package and module copy threw it. */
export function hasCode<Code extends string>(error: unknown, code: Code): error is Error & { code: Code } {
  return isError(error) && read(error, 'code') === code;
}

// What was thrown is not ours: a getter or a proxy may throw in turn.
function read(error: Error, key: PropertyKey): unknown {
  try {
    return (error as unknown as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}

export interface ErrorRow {
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** Short name of the kind of problem (RFC 9457 `title`). */
  readonly title: string;
  /** Sentence for the client; defaults to the title. */
  readonly message?: string;
}

export interface ErrorFactory {
  (
    options?: Partial<Omit<SecurityErrorOptions, 'code' | 'help'>> & { readonly message?: string },
  ): SecurityError;
  readonly code: string;
  readonly status: number;
  readonly title: string;
}

type ErrorCode = `E_${string}`;

/**
 * Registers the refusals of one package in one place: a factory per code. Every code has a page
 * `packages/<name>/errors/<code>.md`, which ships in the package; a repository test holds that.
 */
export function defineErrors<const Rows extends Readonly<Record<ErrorCode, ErrorRow>>>(
  packageName: string,
  rows: Rows,
): { readonly [Code in keyof Rows]: ErrorFactory } {
  const factories: Record<string, ErrorFactory> = Object.create(null);
  for (const [code, row] of Object.entries(rows)) {
    const help = `${docsBase}/${packageName}/errors/${code}.md`;
    const make: ErrorFactory = Object.assign(
      (options: Partial<SecurityErrorOptions> & { message?: string } = {}) => {
        const { message, ...rest } = options;
        return new SecurityError(message ?? row.message ?? row.title, {
          status: row.status,
          title: row.title,
          ...rest,
          code,
          help,
        });
      },
      { code, status: row.status, title: row.title },
    );
    factories[code] = make;
  }
  return factories as { readonly [Code in keyof Rows]: ErrorFactory };
}
