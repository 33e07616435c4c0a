import type { Audit } from '@portcullis/audit';
import type { Events } from '@portcullis/core';

/** What browsers report about our policies, in the audit log: a bug of a page, or somebody who tries to put a script into it. */
export function recordReports(audit: Audit, events: Events): void {
  events.on('headers.reported', ({ rule, disposition, page, blocked, repeated, requestId }) => {
    const data = { rule, disposition, page, blocked, repeated, requestId };
    audit
      .record({ action: 'policy.violation-reported', outcome: 'denied', actor: 'system', data })
      // A report is for noticing and may be lost; the next equal one is told again.
      .catch(() => undefined);
  });
}
