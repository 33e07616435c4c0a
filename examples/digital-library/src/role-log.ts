import type { Audit } from '@portcullis/audit';
import type { AdminAction, AdminRouterOptions } from '@portcullis/rbac';

/** Changes of roles and reviews are written down before and after: what the log cannot say does not happen. */
export function recordAdministration(audit: Audit): NonNullable<AdminRouterOptions['record']> {
  return async ({ phase, ...action }, req) => {
    const { requested, done, ...about } = administration(action);
    await audit.record({
      action: phase === 'done' ? done : requested,
      outcome: 'success',
      ...about,
      request: req,
    });
  };
}

/** For `recorded()`: the pages say the same of what they change as the API does. */
export function administration({ what, params, body }: Pick<AdminAction, 'what' | 'params' | 'body'>) {
  return {
    requested: 'rbac.change-requested',
    done: 'rbac.changed',
    target: { type: 'rbac', id: params[0] ?? what },
    data: { what, params, body },
  };
}
