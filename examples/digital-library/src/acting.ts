import { isAuthenticated, type Principal, type SecurityRequest, type SqlTransaction } from '@portcullis/core';
import type { House } from './house.js';
import { APP_ROLE } from './migrations.js';

/**
 * A transaction on behalf of whoever asks: as the role that owns nothing, with the settings that row-level security reads.
 * Whether somebody is staff is asked of rbac for each transaction, so that a revoked role counts here too.
 */
export async function acting<T>(
  { sql, rbac }: House,
  req: SecurityRequest,
  fn: (tx: SqlTransaction) => Promise<T>,
): Promise<T> {
  const { principal } = req.security!;
  const staff = isAuthenticated(principal) && (await rbac.can(principal, 'loan:read:any'));
  return sql.transaction(fn, {
    role: APP_ROLE,
    settings: {
      'app.user_id': isAuthenticated(principal) ? principal.id : '',
      'app.is_staff': String(staff),
      // Changes of tracked tables say in the course of which request.
      'app.request_id': req.security!.requestId,
    },
  });
}

/** A principal that a guard has already asked for. */
export function personOf(req: SecurityRequest): Principal {
  const { principal } = req.security!;
  if (!isAuthenticated(principal)) throw new TypeError('This route has no guard.');
  return principal;
}

export function idOf(req: SecurityRequest): string {
  return personOf(req).id;
}
