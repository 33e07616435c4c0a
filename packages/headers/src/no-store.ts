import {
  ALLOW,
  appendVary,
  guard,
  isAuthenticated,
  option,
  readOptions,
  type Middleware,
} from '@portcullis/core';
import type { SecurityRequest } from '@portcullis/core';
import type { ServerResponse } from 'node:http';
import { beforeHead } from './before-head.js';

export interface NoStoreOptions {
  /** `'authenticated'`: only for a known principal. @default 'authenticated' */
  readonly when?: 'authenticated' | 'always';
}

/**
 * `Cache-Control: no-store` for answers that belong to one person, so that no browser or shared cache keeps them, and `Vary: Cookie,
 * Authorization` for all that depend on who asks: what an anonymous visitor was shown is not shown to a member. Decided when the head
 * is written, so a route that identifies late counts too. A handler that sets `Cache-Control` itself has the last word. Where nobody
 * has said who asks (no `req.security`), it counts as authenticated.
 * @throws OptionError
 * @see RFC 9111 section 5.2.2.5; OWASP ASVS 5.0 requirements 14.2.2, 14.2.5 and 14.3.2
 */
export function noStore(options: NoStoreOptions = {}): Middleware {
  const { when } = readOptions('noStore', options, {
    when: option.oneOf(['authenticated', 'always'], 'authenticated'),
  });
  return guard('noStore', { stage: 'posture', detail: when }, (req, res) => {
    if (when === 'always') res.setHeader('Cache-Control', 'no-store');
    else beforeHead(res, () => keepPrivate(req, res));
    return ALLOW;
  });
}

const WHO = ['Cookie', 'Authorization'];
const PUBLIC = /(?:^|[,\s])(?:public|no-store)(?:[,\s]|$)/i;

/** The last step before the head: who asked is known by now, and so is what the handler said about caching. */
export function keepPrivate({ security }: SecurityRequest, res: ServerResponse): void {
  const said = res.getHeader('cache-control');
  if (said === undefined) {
    if (!security || isAuthenticated(security.principal)) {
      res.setHeader('Cache-Control', 'no-store');
      return;
    }
  } else if (PUBLIC.test(String(said))) {
    return; // The same for everybody, or kept by nobody.
  }
  if (res.hasHeader('vary')) appendVary(res, WHO);
  else res.setHeader('Vary', 'Cookie, Authorization');
}
