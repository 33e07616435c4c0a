import type { Outcome } from './answer.js';

declare module '@portcullis/core' {
  interface SecurityEvents {
    /** An error reached `errorHandler()`. */
    'errors.handled': {
      readonly requestId: string;
      readonly status: number;
      readonly code: string;
      readonly outcome: Outcome;
    };
    /** `secureServer()` refused a request before the app saw it whole, or cut a connection. */
    'errors.refused': {
      readonly reason: ServerRefusal;
      /** The answer's status; undefined where the connection was cut without one. */
      readonly status?: number;
      /** The peer of the connection, which may be a proxy. */
      readonly address?: string;
      readonly requestId?: string;
    };
    /** A hook that the app gave (`report`, `logger`, `redact`, `map`, `html`) failed; the answer was made without it. */
    'errors.hook-failed': { readonly hook: ErrorHook };
  }
}

export type ErrorHook = 'report' | 'logger' | 'redact' | 'map' | 'html';

/** Why `secureServer()` refuses a request or cuts a connection. */
export type ServerRefusal =
  | 'url-too-long'
  | 'headers-too-large'
  | 'body-too-large'
  /** Headers or body did not arrive in time. */
  | 'request-timeout'
  /** An answer was not taken in time. */
  | 'slow-reader'
  /** A method that this service does not know, or `CONNECT`. */
  | 'method'
  | 'expectation'
  /** Not HTTP, or HTTP whose end could be seen in two places. */
  | 'malformed';
