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
    /** A hook that the app gave (`report`, `logger`, `redact`, `map`, `html`) failed; the answer was made without it. */
    'errors.hook-failed': { readonly hook: ErrorHook };
  }
}

export type ErrorHook = 'report' | 'logger' | 'redact' | 'map' | 'html';
