import { ALLOW, guard, option, readOptions, type Middleware } from '@portcullis/core';
import { beforeHead } from './before-head.js';

export type SiteData =
  'cache' | 'cookies' | 'storage' | 'executionContexts' | 'clientHints' | 'prefetchCache';

export interface ClearSiteDataOptions {
  /**
   * What browsers forget. `'cookies'` reaches the whole registrable domain, subdomains and cookies that are meant to outlive a
   * session included. @default ['cache', 'cookies', 'storage']
   */
  readonly types?: readonly SiteData[];
}

/**
 * For the route that signs out: browsers forget what they kept of this site. Sent only with an answer that succeeds (status under
 * 400), because a sign-out that was refused, for instance as a forged request, must not clear anything. Browsers listen over https only.
 * @throws OptionError
 * @see W3C Clear Site Data; OWASP ASVS 5.0 requirement 14.3.1
 */
export function clearSiteData(options: ClearSiteDataOptions = {}): Middleware {
  const { types } = readOptions('clearSiteData', options, {
    types: option.array(
      option.oneOf([
        'cache',
        'cookies',
        'storage',
        'executionContexts',
        'clientHints',
        'prefetchCache',
      ] as const),
      { min: 1, default: ['cache', 'cookies', 'storage'] },
    ),
  });
  const value = types.map((type) => `"${type}"`).join(', ');
  return guard('clearSiteData', { stage: 'posture', detail: types.join(', ') }, (_req, res) => {
    beforeHead(res, () => {
      if (res.statusCode < 400) res.setHeader('Clear-Site-Data', value);
    });
    return ALLOW;
  });
}
