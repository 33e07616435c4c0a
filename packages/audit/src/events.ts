declare module '@portcullis/core' {
  interface SecurityEvents {
    /** The store failed; records go to the spool, or are refused or dropped by class. */
    'audit.degraded': { readonly reason: string };
    'audit.recovered': { readonly afterMs: number };
    /** Records that are lost, as their class allows. */
    'audit.dropped': { readonly count: number; readonly of: 'action' | 'request'; readonly reason: string };
    'audit.spooled': { readonly count: number };
    'audit.replayed': { readonly count: number };
    'audit.mirror-failed': { readonly code: string };
  }
}

export type AuditEventType =
  | 'audit.degraded'
  | 'audit.recovered'
  | 'audit.dropped'
  | 'audit.spooled'
  | 'audit.replayed'
  | 'audit.mirror-failed';
