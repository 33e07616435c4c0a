import { ALLOW, guard, type Middleware } from '@portcullis/core';
import { compileCheck, type CsrfOptions } from './check.js';
import { errors } from './error-codes.js';

declare module '@portcullis/core' {
  interface SecurityEvents {
    'csrf.refused': {
      readonly reason: string;
      readonly method: string;
      /** The origin the browser named, if it is a well-formed one. */
      readonly origin?: string;
      readonly requestId?: string;
    };
  }
}

/**
 * Refuses state changes that another site started, by what the browser itself says: `Sec-Fetch-Site`, else `Origin`.
 * Nothing to plumb into forms or clients, and no state. Mount it before body parsers and routes; it looks at every
 * method but GET, HEAD and OPTIONS, whatever the content type. Those three must not change anything.
 * Clients that send neither header (curl, services, mobile apps) are not browsers and pass; a browser that is old enough to
 * send neither is protected only by `requireOrigin`.
 * Does not protect against scripts on the same origin (XSS) or DNS rebinding (restrict `Host` for that).
 * @throws OptionError
 * @throws E_CSRF_CROSS_SITE 403, into the error handler
 * @see W3C Fetch Metadata; RFC 6454 section 7; OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers"
 */
export function csrf(options: CsrfOptions = {}): Middleware {
  const { check, events } = compileCheck('csrf', options);
  return guard('csrf', { stage: 'posture', detail: 'fetch-metadata, origin', events }, (req) => {
    const decision = check.decide(req);
    if (decision.allowed) return ALLOW;
    const { reason, origin } = decision;
    const requestId = req.security?.requestId;
    events.emit({
      type: 'csrf.refused',
      reason,
      method: req.method ?? '',
      ...(origin === undefined ? {} : { origin }),
      ...(requestId === undefined ? {} : { requestId }),
    });
    throw errors.E_CSRF_CROSS_SITE({ details: { reason, origin, method: req.method } });
  });
}
