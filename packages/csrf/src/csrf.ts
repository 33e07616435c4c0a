import { ALLOW, guard, readOptions, type Middleware } from '@portcullis/core';
import { checkOptions, compileCheck, type CsrfOptions } from './check.js';
import { refuseCrossSite } from './refusal.js';
import { stateChange } from './state-change.js';
import { csrfToken } from './token/csrf-token.js';

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

export interface Csrf {
  /**
   * Refuses state changes that another site started, by what the browser itself says: `Sec-Fetch-Site`, else `Origin`.
   * Nothing to plumb into forms or clients, and no state. Mount it before body parsers and routes; it looks at every
   * method but GET, HEAD and OPTIONS, whatever the content type. Those three must not change anything.
   * Clients that send neither header (curl, services, mobile apps) are not browsers and pass; a browser that is old enough to
   * send neither is protected only by `csrf.token()` or `requireOrigin`.
   * Does not protect against scripts on the same origin (XSS) or DNS rebinding (restrict `Host` for that).
   * @throws OptionError
   * @throws E_CSRF_CROSS_SITE 403, into the error handler
   * @see W3C Fetch Metadata; RFC 6454 section 7; OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers"
   */
  (options?: CsrfOptions): Middleware;
  readonly token: typeof csrfToken;
  readonly stateChange: typeof stateChange;
}

export const csrf: Csrf = Object.assign(headerCheck, { token: csrfToken, stateChange });

function headerCheck(options: CsrfOptions = {}): Middleware {
  const read = readOptions('csrf', options, checkOptions(options));
  const check = compileCheck('csrf', read);
  const { events } = read;
  return guard('csrf', { stage: 'posture', detail: 'fetch-metadata, origin', events }, (req) => {
    refuseCrossSite(check.decide(req), req, events);
    return ALLOW;
  });
}
