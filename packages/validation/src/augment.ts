import type { PartName } from './schema.js';

/** What has passed validation, by part; copies of its own, whose objects have no prototype. */
export interface ValidInput {
  readonly body?: unknown;
  readonly query?: unknown;
  readonly params?: unknown;
  readonly headers?: unknown;
  readonly cookies?: unknown;
}

declare module '@portcullis/core' {
  interface SecurityContext {
    /** Written by `validate()`; read it typed with `validOf(schemas, req)`. */
    valid?: ValidInput;
  }

  interface SecurityEvents {
    /** Input was refused; `keywords` says by which rules, without repetition, at most ten. */
    'validation.failed': {
      readonly requestId: string;
      readonly in: readonly PartName[];
      readonly keywords: readonly string[];
    };
    /** An answer did not fit its schema and did not leave; `at` are JSON Pointers, at most ten, without values. */
    'validation.response-refused': {
      readonly requestId: string;
      readonly status: number;
      readonly at: readonly string[];
      readonly keywords: readonly string[];
    };
    /** So many members that the schema does not list were left out of an answer. */
    'validation.response-filtered': {
      readonly requestId: string;
      readonly status: number;
      readonly removed: number;
    };
  }
}
