import { ALLOW, guard, isAuthenticated, option, readOptions, type Middleware } from '@portcullis/core';

export interface NoStoreOptions {
  /** `'authenticated'`: only for a known principal; mount it after the middleware that identifies. @default 'authenticated' */
  readonly when?: 'authenticated' | 'always';
}

/**
 * `Cache-Control: no-store` for answers that belong to one person, so that no browser or shared cache keeps them. A handler that
 * sets the header itself has the last word. Where nobody has said who asks (no `req.security`), it counts as authenticated.
 * @throws OptionError
 * @see RFC 9111 section 5.2.2.5; OWASP ASVS 5.0 requirement 14.3.2
 */
export function noStore(options: NoStoreOptions = {}): Middleware {
  const { when } = readOptions('noStore', options, {
    when: option.oneOf(['authenticated', 'always'], 'authenticated'),
  });
  return guard('noStore', { stage: 'posture', detail: when }, (req, res) => {
    const { security } = req;
    if (when === 'always' || !security || isAuthenticated(security.principal)) {
      res.setHeader('Cache-Control', 'no-store');
    }
    return ALLOW;
  });
}
