import type { SqlTransaction } from '@portcullis/core';
import type { AuditPage, CheckedQuery } from './query.js';

/** Where entries are kept. Bodies are canonical JSON and are stored as they are. */
export interface AuditStore {
  /**
   * Resolves when all of them are durable; rejects if that is not certain. An entry whose id is there already is left
   * alone, so that a repeated call stores nothing twice.
   */
  append(bodies: readonly string[]): Promise<void>;
  /** Within the caller's transaction. Stores without transactions lack it. */
  appendIn?(tx: SqlTransaction, bodies: readonly string[]): Promise<void>;
  query(query: CheckedQuery): Promise<AuditPage>;
}
