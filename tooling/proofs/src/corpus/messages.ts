import type { Mutant, ProbeName } from './check.js';

/** What corpus.ts asks of a serving child. */
export type ToChild = { readonly id: number; readonly key: string } & (
  | { readonly type: 'start'; readonly stack: string; readonly mutant?: Mutant | undefined }
  | { readonly type: 'legitimate' }
  | { readonly type: ProbeName; readonly argument: string }
);
export interface FromChild {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}
