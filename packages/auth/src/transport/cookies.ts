import { keepOutOfCaches, type Clock, type SecurityRequest, type SecurityResponse } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { DeviceCookie } from '../guesses/device-cookie.js';
import type { TokenPair } from '../sessions/sessions.js';

export interface AuthCookies {
  /**
   * Both tokens as cookies, and `Cache-Control: no-store`, because the answer now carries secrets: what a handler says of
   * caching afterwards does not count.
   */
  write(res: SecurityResponse, pair: TokenPair & { readonly deviceToken?: string }): void;
  clear(res: SecurityResponse): void;
  /** Makes a device known, as `write()` does; without effect without `devices`. */
  remember(res: SecurityResponse, deviceToken: string): void;
  /** The tokens that a request brings; nothing of them has been verified. */
  read(req: SecurityRequest): CookieCredentials;
}

export interface CookieCredentials {
  readonly access?: string;
  readonly refresh?: string;
}

export interface CookieSettings {
  readonly profile: 'host' | 'development';
  readonly lifetime: 'refresh' | 'session';
  readonly clock: Clock;
  readonly device?: DeviceCookie | undefined;
}

export function cookieNames(profile: CookieSettings['profile']): {
  readonly access: string;
  readonly refresh: string;
} {
  return profile === 'development'
    ? { access: 'dev-access', refresh: 'dev-refresh' }
    : { access: '__Host-access', refresh: '__Host-refresh' };
}

/**
 * `__Host-access` and `__Host-refresh`: Secure, HttpOnly, SameSite=Strict, Path=/ and no Domain, which the prefix makes the
 * browser enforce (RFC 6265bis section 4.1.3.2), so that neither a sibling domain nor plain HTTP can plant or read one. The
 * prefix demands Path=/, so the refresh token comes with every request; that is what lets `authenticate()` renew by itself.
 * The development profile leaves out Secure and the prefix, for http://localhost.
 */
export function createCookies({ profile, lifetime, clock, device }: CookieSettings): AuthCookies {
  const development = profile === 'development';
  const names = cookieNames(profile);
  const flags = `Path=/; ${development ? '' : 'Secure; '}HttpOnly; SameSite=Strict`;

  function put(res: SecurityResponse, name: string, value: string, maxAge: string): void {
    if (development) assertLocal((res as { req?: SecurityRequest }).req);
    // A cookie that was put before in this answer gives way: two of one name would leave the choice to the browser.
    const others = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
    const kept = others.filter((line) => !line.startsWith(`${name}=`));
    res.setHeader('Set-Cookie', [...kept, `${name}=${value}; ${flags}${maxAge}`]);
    keepOutOfCaches(res);
  }
  const maxAge = (end: number) =>
    lifetime === 'session' ? '' : `; Max-Age=${Math.max(0, Math.floor((end - clock.now()) / 1000))}`;

  return {
    write(res, pair) {
      put(res, names.access, pair.accessToken, maxAge(pair.accessExpiresAt));
      put(res, names.refresh, pair.refreshToken, maxAge(pair.refreshExpiresAt));
      if (pair.deviceToken !== undefined) device?.write(res, pair.deviceToken);
    },
    remember: (res, deviceToken) => device?.write(res, deviceToken),
    clear(res) {
      put(res, names.access, '', '; Max-Age=0');
      put(res, names.refresh, '', '; Max-Age=0');
    },
    read(req) {
      const header = req.headers.cookie;
      if (header === undefined) return {};
      const access = valueOf(header, names.access);
      const refresh = valueOf(header, names.refresh);
      return { ...(access ? { access } : {}), ...(refresh ? { refresh } : {}) };
    },
  };
}

/** The value of a cookie; '' where it occurs twice, since nobody can say which one is ours. */
export function valueOf(header: string, name: string): string {
  const values = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  return values.length === 1 ? values[0]! : '';
}

function assertLocal(req: SecurityRequest | undefined): void {
  const host = req?.headers.host ?? '';
  if (!/^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host)) {
    throw errors.E_DEVELOPMENT_COOKIES({ details: { host } });
  }
}
