import type { PolicyRecord, RoleWrite, UserRecord } from './role-store.js';

/** A write before it is committed, with what it would make of roles and users. Everything is of one policy revision. */
export interface PendingWrite {
  readonly writes: readonly RoleWrite[];
  readonly before: PolicyRecord;
  readonly after: PolicyRecord;
  /** The users that the write is about: none for a write about roles. */
  readonly userIds: readonly string[];
  /** What a user has, and would have. */
  user(id: string): Promise<{ readonly before: UserRecord; readonly after: UserRecord }>;
  /** Everybody to whom one of these roles is assigned, or everybody; page by page. */
  usersWith(
    roles: readonly string[] | undefined,
  ): AsyncIterable<{ readonly id: string; readonly before: UserRecord; readonly after: UserRecord }>;
}

/**
 * Refuses a write by throwing. Answers true if its judgement rests on what other writes change: then the write is serialised with
 * all others like it, so that two of them at the same time, in two processes, cannot do together what neither may do alone.
 */
export type WriteCheck = (write: PendingWrite) => Promise<boolean>;
