import { ALLOW, guard } from '../guard.js';
import type { Middleware } from '../http.js';
import { freezePrincipal, type Principal } from '../principal.js';
import { ensureContext } from '../security-context.js';

/**
 * Middleware that identifies every request as this principal, in place of an authentication package.
 * For tests: it asks nobody. Refuses to be built in production.
 */
export function asPrincipal(principal: Partial<Principal> = {}): Middleware {
  if (process.env['NODE_ENV'] === 'production') throw new Error('asPrincipal() is for tests only.');
  const who = freezePrincipal({ id: 'test-user', kind: 'user', ...principal });
  return guard('asPrincipal', { stage: 'identify', detail: who.id }, (req) => {
    ensureContext(req).principal = who;
    return ALLOW;
  });
}
