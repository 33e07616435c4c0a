import {
  ALLOW,
  guard,
  isKnownSecure,
  isLoopbackHost,
  noEvents,
  option,
  OptionError,
  optionConflict,
  readOptions,
  systemClock,
  type Clock,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityRequest,
} from '@portcullis/core';
import type { ServerResponse } from 'node:http';
import { beforeHead, editFields } from './before-head.js';
import { judgeCookie, type CookieRules } from './cookie-rules.js';
import { errors } from './error-codes.js';

export interface SecureCookiesOptions {
  /** Names that scripts of the page may read, such as a chosen theme: no `HttpOnly` is added. @default [] */
  readonly readable?: readonly string[];
  /** Names that other sites' pages may send back: `SameSite=None` is left to them alone. @default [] */
  readonly crossSite?: readonly string[];
  /** Names that are meant for subdomains too: `Domain` is left to them alone. They cannot begin with `__Host-`. @default [] */
  readonly shared?: readonly string[];
  /** For cookies that say nothing, or something else than Lax, Strict or an allowed None. @default 'lax' */
  readonly sameSite?: 'lax' | 'strict';
  /** Names without `__Host-` or `__Secure-`, which a subdomain or plain http can overwrite. @default 'report' */
  readonly unprefixed?: 'allow' | 'report' | 'refuse';
  /**
   * A cookie that browsers would drop or that is refused: `'drop'` sends the answer without it, `'throw'` ends the request with
   * E_COOKIE_REFUSED (for development and tests). @default 'drop'
   */
  readonly onRefused?: 'drop' | 'throw';
  /** For development: `Secure` is not added while client and `Host` are this machine and speak plain http. @default false */
  readonly allowLoopback?: boolean;
  readonly clock?: Clock;
  readonly events?: Events;
}

/** Distinct findings remembered, so that one cookie is told once; a bound, because names may come from requests. */
const MAX_TOLD = 256;

/**
 * Hardens every cookie that leaves the app, whoever sets it and however (`res.cookie`, `setHeader`, `appendHeader`, `writeHead`):
 * Secure, HttpOnly and SameSite are added, `Domain` goes unless listed, and what a `__Host-` name demands is supplied. It only ever
 * narrows. Cookies over 4,096 bytes and malformed ones do not leave. Mount it before whatever sets cookies.
 * Emits `headers.cookie-hardened` once per name and finding, `headers.cookie-refused` every time.
 * @throws OptionError
 * @throws E_COOKIE_REFUSED 500, with `onRefused: 'throw'`, where the head is written
 * @see RFC 6265bis sections 4.1.3 and 5.6; OWASP ASVS 5.0 requirements 3.3.1 to 3.3.5
 */
export function secureCookies(options: SecureCookiesOptions = {}): Middleware {
  const { onRefused, allowLoopback, clock, events, ...rules } = read(options);
  const told = new Set<string>();

  const harden = (line: string, req: SecurityRequest, insecure: boolean): string | undefined => {
    const judged = judgeCookie(line, rules, { insecure, now: clock.now() });
    const requestId = req.security?.requestId;
    const by = { cookie: judged.name.slice(0, 64), ...(requestId === undefined ? {} : { requestId }) };
    if ('refused' in judged) {
      events.emit({ type: 'headers.cookie-refused', ...by, reason: judged.refused });
      if (onRefused === 'drop') return undefined;
      throw errors.E_COOKIE_REFUSED({ details: { cookie: by.cookie, reason: judged.refused } });
    }
    const finding = `${judged.name} ${judged.changes.join()}`;
    if (judged.changes.length > 0 && !told.has(finding) && told.size < MAX_TOLD) {
      told.add(finding);
      events.emit({ type: 'headers.cookie-hardened', ...by, changes: judged.changes });
    }
    return judged.line;
  };

  return guard('secureCookies', { stage: 'posture', detail: rules.sameSite, events }, (req, res) => {
    beforeHead(res, (_res, args) => {
      const insecure = allowLoopback && isPlainLoopback(req);
      const each = (value: unknown): string[] | undefined => {
        const lines = (Array.isArray(value) ? value : [value]) as readonly unknown[];
        const kept = lines.map((line) => harden(String(line), req, insecure));
        const left = kept.filter((line) => line !== undefined);
        return left.length > 0 ? left : undefined;
      };
      const present = res.getHeader('Set-Cookie');
      if (present !== undefined) {
        // Off first: if a refusal is thrown, the error page must not bring the cookie.
        res.removeHeader('Set-Cookie');
        restore(res, each(present));
      }
      editFields(args, (name, value) => (name.toLowerCase() === 'set-cookie' ? each(value) : value));
    });
    return ALLOW;
  });
}

function restore(res: ServerResponse, lines: string[] | undefined): void {
  if (lines) res.setHeader('Set-Cookie', lines);
}

function isPlainLoopback(req: SecurityRequest): boolean {
  if (isKnownSecure(req)) return false;
  return isLoopbackHost((req.headers.host ?? '').toLowerCase().replace(/:\d{1,5}$/, ''));
}

const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;

const names: OptionReader<ReadonlySet<string>> = (value, owner, path) => {
  const list = option.array(cookieName, { default: [], max: 1000 })(value, owner, path);
  return new Set(list);
};

const cookieName: OptionReader<string> = (value, owner, path) => {
  if (typeof value === 'string' && COOKIE_NAME.test(value)) return value;
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} must be the exact name of a cookie, such as "theme"; there are no patterns`,
  );
};

function read(options: SecureCookiesOptions): CookieRules & {
  readonly onRefused: 'drop' | 'throw';
  readonly allowLoopback: boolean;
  readonly clock: Clock;
  readonly events: Events;
} {
  const owner = 'secureCookies';
  const values = readOptions(owner, options, {
    readable: names,
    crossSite: names,
    shared: names,
    sameSite: option.oneOf(['lax', 'strict'], 'lax'),
    unprefixed: option.oneOf(['allow', 'report', 'refuse'], 'report'),
    onRefused: option.oneOf(['drop', 'throw'], 'drop'),
    allowLoopback: option.boolean(false),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    events: option.port<Events>(['emit'], noEvents),
  });
  for (const name of values.shared) {
    if (name.toLowerCase().startsWith('__host-')) {
      optionConflict(
        owner,
        'shared',
        `shared names ${JSON.stringify(name)}, but a __Host- cookie has no Domain: use "__Secure-" for one that subdomains share`,
      );
    }
  }
  return values;
}
