import { OptionError } from './option-error.js';
import { ALLOW, guard } from './guard.js';
import type { Middleware, SecurityRequest } from './http.js';
import { freezePrincipal, isAuthenticated, type Principal } from './principal.js';
import { ensureContext } from './security-context.js';

/**
 * Takes over who asks from what the app identifies people with: Passport, express-jwt, a session, a gateway's header. Stands
 * behind that, and before what asks for the principal (limits, csrf.token(), authorization). Undefined stays anonymous; a throw, a
 * rejection or what is no principal refuses the request, and so does a second identity for one request.
 * @throws OptionError
 */
export function identify<R extends SecurityRequest>(
  principalOf: (req: R) => Principal | undefined | Promise<Principal | undefined>,
): Middleware {
  if (typeof principalOf !== 'function') {
    throw new OptionError(
      'E_OPTION_TYPE',
      'identify',
      'principalOf',
      'identify() takes a function (req) => ({ id, kind }), or undefined for nobody',
    );
  }
  return guard('identify', { stage: 'identify' }, async (req) => {
    const principal = await principalOf(req as R);
    if (principal === undefined) return ALLOW;
    const security = ensureContext(req);
    if (isAuthenticated(security.principal)) {
      throw new TypeError('identify(): the request has been identified before.');
    }
    security.principal = freezePrincipal(principal);
    return ALLOW;
  });
}
