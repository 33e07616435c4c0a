import type { AuditEntry } from './entry.js';

/** A copy for people and SIEMs. It may be lost; the store is what counts. */
export interface AuditMirror {
  /** `durable` is false for a record that was dropped because the store was down. Must not keep the caller waiting. */
  write(entry: AuditEntry, durable: boolean): void;
  /** Where copies go, for `inventory()`. Absent: the mirror does not say. */
  readonly place?: string;
}
