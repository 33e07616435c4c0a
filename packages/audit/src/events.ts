declare module '@portcullis/core' {
  interface SecurityEvents {
    /** The store failed; records go to the spool, or are refused or dropped by class. */
    'audit.degraded': { readonly reason: string };
    'audit.recovered': { readonly afterMs: number };
    /** Records that are lost, as their class allows. */
    'audit.dropped': { readonly count: number; readonly of: 'action' | 'request'; readonly reason: string };
    'audit.spooled': { readonly count: number };
    'audit.replayed': { readonly count: number };
    /** A file store was opened after its process had died in the middle of a write: what was never acknowledged is cut off. */
    'audit.tail-cut': { readonly bytes: number };
    /** Retention has removed entries from the beginning of the log; a signed record of it is in the log. */
    'audit.pruned': { readonly entries: number; readonly first: number };
    'audit.mirror-failed': { readonly code: string };
    /** No checkpoint could be made; tried again with the next. Once until it succeeds or fails in another way. */
    'audit.seal-failed': { readonly reason: string };
    /** The stored log is not a continuation of what it has signed before: entries are gone or changed. `size` was known. */
    'audit.rewritten': { readonly size: number };
    /** An anchor does not take checkpoints; it is asked again. */
    'audit.anchor-failed': { readonly anchor: string; readonly reason: string };
    'audit.anchor-recovered': { readonly anchor: string; readonly afterMs: number };
    /** At start: nothing outside of the database would show that the newest entries were cut off. */
    'audit.unanchored': { readonly guarantee: string };
    /** Entries, or the round, of a review policy wait too long. Once until that is over. */
    'audit.review-overdue': {
      readonly policy: string;
      readonly open: number;
      readonly overdue: number;
      readonly dueAt: string;
    };
  }
}

export type AuditEventType =
  | 'audit.degraded'
  | 'audit.recovered'
  | 'audit.dropped'
  | 'audit.spooled'
  | 'audit.replayed'
  | 'audit.tail-cut'
  | 'audit.pruned'
  | 'audit.mirror-failed'
  | 'audit.seal-failed'
  | 'audit.rewritten'
  | 'audit.anchor-failed'
  | 'audit.anchor-recovered'
  | 'audit.unanchored'
  | 'audit.review-overdue';
