import { ALLOW, guard, readOptions, type Middleware } from '@portcullis/core';
import { checkOptions, compileCheck, SAFE_METHODS, type CsrfOptions } from './check.js';
import { errors } from './error-codes.js';
import { refuseCrossSite } from './refusal.js';

/**
 * For routes that change something whatever their method is (`app.all()`, `app.use()`, RPC): refuses GET, HEAD and OPTIONS with 405,
 * also where a method override has made another method of them or says so, and checks the rest like `csrf()`.
 * @throws OptionError
 * @throws E_CSRF_METHOD 405 | E_CSRF_CROSS_SITE 403, into the error handler
 * @see OWASP ASVS 5.0 requirement 3.5.3
 */
export function stateChange(options: CsrfOptions = {}): Middleware {
  const read = readOptions('csrf.stateChange', options, checkOptions(options));
  const check = compileCheck('csrf.stateChange', read);
  const { events } = read;
  return guard('csrf.stateChange', { stage: 'posture', detail: 'no safe methods', events }, (req) => {
    const { originalMethod } = req as { originalMethod?: string };
    for (const method of [req.method ?? '', originalMethod]) {
      if (method !== undefined && SAFE_METHODS.has(method)) {
        throw errors.E_CSRF_METHOD({ details: { method }, headers: { Allow: 'POST, PUT, PATCH, DELETE' } });
      }
    }
    refuseCrossSite(check.decide(req), req, events);
    return ALLOW;
  });
}
