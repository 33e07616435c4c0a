import type { Audit } from '@portcullis/audit';
import type { AdminRouterOptions } from '@portcullis/rbac';

/** Changes of roles and reviews are written down before and after: what the log cannot say does not happen. */
export function recordAdministration(audit: Audit): NonNullable<AdminRouterOptions['record']> {
  return async ({ phase, what, params, body }, req) => {
    await audit.record({
      action: phase === 'done' ? 'rbac.changed' : 'rbac.change-requested',
      outcome: 'success',
      target: { type: 'rbac', id: params[0] ?? what },
      data: { what, params, body },
      request: req,
    });
  };
}
