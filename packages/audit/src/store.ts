import type { Sql, SqlTransaction } from '@portcullis/core';
import type { LogPlace } from './inventory.js';
import type { AuditTree } from './log/tree.js';
import type { AuditPage, CheckedQuery } from './query.js';
import type { TrackedTable, TrackOptions } from './tracking/install.js';

/** Consecutive entries of one writer: they become durable together, or none of them does. */
export interface AuditBatch {
  /** Random, 22 characters of base64url: one per start of a process, or more. */
  readonly writer: string;
  /** Number of the first entry in the writer's chain. */
  readonly first: number;
  /** Canonical JSON texts, stored and hashed as they are. */
  readonly bodies: readonly string[];
  /** Their leaf hashes (RFC 6962), 32 bytes each, in the same order. */
  readonly leaves: Buffer;
  /** Ed25519 by the writer's key over the last leaf hash, base64; empty without a signer. */
  readonly signature: string;
  /** Personal values that stand in the bodies as commitments only. */
  readonly sealed: readonly SealedValue[];
  /** Rows of the outbox that these entries are; they go away in the same transaction. */
  readonly outbox: readonly string[];
}

/** A personal value, encrypted, beside the log: deleting it leaves every hash as it is. */
export interface SealedValue {
  /** The commitment that stands in the entry instead of the value; unique. */
  readonly commitment: string;
  /** Pseudonym of the person, under whose key the value is encrypted. */
  readonly subject: string;
  /** Where in the entry: `context.address`. */
  readonly path: string;
  /** Id of the person's key, the key itself as it is wrapped, and when it was made (milliseconds since 1970). */
  readonly key: string;
  readonly wrapped: string;
  readonly since: number;
  /** Salt and value, AES-256-GCM, base64. */
  readonly value: string;
}

/** Personal values beside the log. */
export interface AuditPeople {
  /** Those that are there; the others have been erased. */
  find(commitments: readonly string[]): Promise<readonly SealedValue[]>;
  /**
   * Deletes the values and keys of these people whose key was made at `at` or before, for good: what an append brings later under such a
   * key, as out of a spool, is dropped. Resolves when that is durable, with the number of values.
   */
  erase(subjects: readonly string[], at: number): Promise<number>;
}

/** Where entries are kept. What it says about itself is not believed: the evidence is in the bodies. */
export interface AuditStore {
  /**
   * Resolves when the whole batch is durable; rejects if that is not certain. A batch that is there already is left alone,
   * so that a repeated call stores nothing twice. A store with an outbox refuses an entry whose id another batch holds (kind
   * `unique`): two processes may relay one row.
   */
  append(batch: AuditBatch): Promise<void>;
  query(query: CheckedQuery): Promise<AuditPage>;
  /**
   * Everything that is there, as lines of NDJSON that `verifyLog()` reads: first what is in the tree, in its order, with the
   * checkpoints; then the rest, writer by writer.
   */
  export?(): AsyncIterable<string>;
  /** Absent if the store keeps no Merkle tree: then there are no checkpoints. */
  readonly tree?: AuditTree;
  /** Where entries lie, in which form, and who may read them; for `inventory()`. Absent: the store does not say. */
  readonly place?: Omit<LogPlace, 'part'>;
  /** Nothing survives the end of the process. */
  readonly ephemeral?: true;
  /** Absent if entries cannot be removed. */
  readonly pruning?: AuditPruning;
  /** Absent if the store has no transactions. */
  readonly outbox?: AuditOutbox;
  /** Absent if the store keeps no personal values apart. */
  readonly people?: AuditPeople;
  /** Gives back what it holds, such as files. The last thing that `audit.close()` does. */
  close?(): Promise<void>;
  /** Makes triggers that write the changes of a table into the outbox. */
  track?(sql: Sql, table: string, options?: TrackOptions): Promise<TrackedTable>;
}

/** Removes the beginning of a log. What a verifier then needs is a line of its export, which the store does not read. */
export interface AuditPruning {
  /** The largest leaf index up to this one at which the store can cut: where a batch begins, or more. */
  cutAt(index: number): Promise<number>;
  /**
   * From now on the log begins at this leaf index, and its export with this line; both become durable before anything is removed. Then
   * the entries before it go, with their batches, checkpoints and personal values; hashes of the tree stay. After a crash in between, `finish()` goes on.
   */
  prune(to: number, line: string): Promise<void>;
  /** Removes what an earlier `prune()` has left. */
  finish(): Promise<void>;
}

/** Entries that were written within a transaction of the application and wait for their place in a chain. */
export interface OutboxEntry {
  readonly id: string;
  /** Canonical JSON of `{ c, e, id, k, t }`, or what the triggers of a tracked table write. */
  readonly draft: string;
  /** Personal values that stand in it as commitments. */
  readonly sealed?: readonly SealedValue[];
}

/** One that waits. */
export interface WaitingEntry extends OutboxEntry {
  /** Where it stands in the order of waiting; for `waiting()`. */
  readonly place: string;
}

export interface AuditOutbox {
  /** Within the caller's transaction. */
  put(tx: SqlTransaction, entries: readonly OutboxEntry[]): Promise<void>;
  /**
   * The oldest entries that have waited longer than this: their process is gone, or triggers wrote them. With `behind`, a place that an
   * earlier call gave, those after it, whether that one is still there or not.
   */
  waiting(longerThanMs: number, limit: number, behind?: string): Promise<readonly WaitingEntry[]>;
}
