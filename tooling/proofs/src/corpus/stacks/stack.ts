import type { Calls, Folders } from '../service.js';
import type { Mutant } from '../check.js';

/** A way to serve the shop. */
export interface Stack {
  readonly name: string;
  /** What is in it, for the table. */
  readonly parts: string;
  start(deps: StackDeps): Promise<Running>;
}

export interface StackDeps {
  readonly calls: Calls;
  readonly folders: Folders;
  /** Of our stack only: what is taken out. */
  readonly mutant?: Mutant | undefined;
}

export interface Running {
  readonly port: number;
  /** Header lines that let a change of state pass as one of the shop's own page. */
  legitimate(): Promise<Readonly<Record<string, string>>>;
  stop(): Promise<void>;
}

export const ALLOWED_ORIGIN = 'https://app.example.com';
export const PROXY = '127.0.0.1';
