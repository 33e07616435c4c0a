import type { CallOptions } from './key-value-store.js';
import type { SqlTransaction } from './sql.js';

/** A fact that changed: whose, and of which kind. Subject `*` means all subjects of the topic. */
export interface Change {
  /** The concern, such as `rbac` or `auth`. Lower-case letters, digits, `-`. */
  readonly topic: string;
  /** Whom it concerns, such as a user id; `*` for everybody. */
  readonly subject: string;
}

export interface ChangesRead {
  /** The newest revision that this answer covers. */
  readonly revision: number;
  /** In order of commit. */
  readonly changes: readonly (Change & { readonly revision: number })[];
  /** True if older changes than asked for are gone, or the log was rolled back: drop everything cached. */
  readonly reset: boolean;
}

/**
 * The log of revoked and changed facts that every process reads (design section 5). One feed per database, shared by
 * the packages. Publishing within a transaction makes the change and the fact appear together or not at all.
 */
export interface ChangeFeed {
  /**
   * True if a published change has reached every reader when `publish` (or the transaction) ends: memory and PGlite,
   * where reader and writer are one process. Such a feed needs no lease.
   */
  readonly synchronous: boolean;
  /**
   * Appends changes and returns their revision. With `tx` they become visible with its commit; a feed that does not
   * live in that database ignores nothing: it throws OptionError.
   */
  publish(changes: readonly Change[], tx?: SqlTransaction): Promise<number>;
  /** Everything after `revision`. `undefined` asks for the current revision only, as a start. */
  readSince(revision: number | undefined, options?: CallOptions): Promise<ChangesRead>;
  /** Calls back when there may be something new; a hint that may be lost. Returns the function that stops. */
  onHint(fn: () => void): () => void;
  /** Synchronous feeds deliver here, before `publish` resolves (or directly after the commit). */
  onChange(fn: (read: ChangesRead) => void): () => void;
  close(): Promise<void>;
}
