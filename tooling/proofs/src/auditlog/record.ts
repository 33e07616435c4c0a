import type { AuditRecord } from '@portcullis/audit';

/** What a library would record: an actor, a target, a change, and a secret that must not be written down. */
export function someRecord(i: number): AuditRecord {
  return {
    action: 'loan.created',
    outcome: 'success',
    actor: { id: `reader-${i % 1000}`, kind: 'user' },
    target: { type: 'book', id: String(i) },
    reason: 'borrowed at the desk',
    change: { before: { copies: 3, due: null }, after: { copies: 2, due: '2026-12-24' } },
    data: { branch: 'main', shelf: 'A-12', note: 'second copy', sessionToken: 'c3VwZXItc2VjcmV0' },
  };
}
