import {
  ALLOW,
  compileTrustProxy,
  ensureContext,
  guard,
  isLoopbackHost,
  noEvents,
  option,
  OptionError,
  parseAddress,
  parseOrigin,
  readOptions,
  type Events,
  type Middleware,
  type OptionReader,
  type ProxyTrust,
  type SecurityRequest,
  type TrustProxy,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type { RefusalGuard } from './events.js';

export interface HttpsOnlyOptions {
  /**
   * Names of this service that page requests are redirected to, with the https port if it is not 443: `'library.example'`,
   * `'localhost:8443'`. A request whose `Host` is not among them is refused: redirecting to it would send people wherever the
   * request says. Without a list nothing is redirected. @default []
   */
  readonly hosts?: readonly string[];
  /** For development: let plain http pass when the client and the `Host` it asked for are both this machine. @default false */
  readonly allowLoopback?: boolean;
  readonly events?: Events;
}

/**
 * Plain http does not get through. Page requests (GET and HEAD that accept HTML) for one of `hosts` are sent to https with 308;
 * everything else is refused with 403, so that a client which sends its credentials in the clear is noticed the first time
 * (OWASP ASVS 5.0 requirement 4.1.2). Needs `context()` before it, which says whether the connection is TLS.
 * @throws OptionError
 * @throws E_HTTPS_REQUIRED 403, into the error handler
 * @throws E_CONTEXT_MISSING 500, into the error handler
 */
export function httpsOnly(options: HttpsOnlyOptions = {}): Middleware {
  const { hosts, allowLoopback, events } = readOptions('httpsOnly', options, {
    hosts: option.array(authority, { default: [] }),
    allowLoopback: option.boolean(false),
    events: option.port<Events>(['emit'], noEvents),
  });
  const targets = new Map(hosts.map((text) => [nameOf(text), text]));

  return guard(
    'httpsOnly',
    { stage: 'posture', detail: hosts.join(', ') || 'refuse', events },
    (req, res) => {
      const security = ensureContext(req);
      if (security.secure) return ALLOW;
      const host = nameOf(req.headers.host ?? '');
      if (allowLoopback && isLoopbackHost(host) && isLoopback(security.address)) return ALLOW;

      const target = targets.get(host);
      const path = req.originalUrl ?? req.url ?? '';
      // An absolute-form target (RFC 9112 section 3.2.2) would smuggle another authority in.
      const page = isPageRequest(req) && path.startsWith('/');
      if (page && target !== undefined) {
        res.statusCode = 308;
        res.setHeader('Location', `https://${target}${asciiOnly(path)}`);
        res.setHeader('Cache-Control', 'no-store');
        res.setHeader('Content-Length', '0');
        res.end();
        return undefined;
      }
      const reason = page && targets.size > 0 ? 'unknown-host' : 'plain-http';
      const by: RefusalGuard = 'httpsOnly';
      events.emit({ type: 'headers.refused', guard: by, reason, requestId: security.requestId });
      throw errors.E_HTTPS_REQUIRED({ details: { reason, method: req.method } });
    },
  );
}

export interface HttpsCheckOptions {
  /** Which peers are our own proxies, as in `context()`; required, because upgrades do not pass it. */
  readonly trustProxy: TrustProxy;
  /** For development: plain ws passes between this machine and itself. @default false */
  readonly allowLoopback?: boolean;
}

export interface HttpsCheck {
  /**
   * True if a WebSocket handshake came over TLS (wss). Call it in the server's `upgrade` event, which no middleware sees, and destroy
   * the socket otherwise.
   */
  allowsUpgrade(req: SecurityRequest): boolean;
}

/**
 * What {@link httpsOnly} asks, for WebSocket handshakes.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V4.4.1
 */
export function createHttpsCheck(options: HttpsCheckOptions): HttpsCheck {
  const { trustProxy, allowLoopback } = readOptions('createHttpsCheck', options, {
    trustProxy: (value, owner): ProxyTrust => compileTrustProxy(value, owner),
    allowLoopback: option.boolean(false),
  });
  const countsHops = typeof options.trustProxy === 'number';
  return {
    allowsUpgrade(req) {
      if ((req.socket as { encrypted?: boolean }).encrypted === true) return true;
      const peer = parseAddress(req.socket.remoteAddress ?? '');
      if (peer ? trustProxy(peer, 0) : countsHops) {
        const said = String(req.headers['x-forwarded-proto'] ?? '');
        // The proxy next to us wrote the last entry; some say wss of a handshake.
        const proto = said
          .slice(said.lastIndexOf(',') + 1)
          .trim()
          .toLowerCase();
        return proto === 'https' || proto === 'wss';
      }
      return (
        allowLoopback &&
        peer !== undefined &&
        isLoopback(peer) &&
        isLoopbackHost(nameOf(req.headers.host ?? ''))
      );
    },
  };
}

function isPageRequest(req: SecurityRequest): boolean {
  if (req.method !== 'GET' && req.method !== 'HEAD') return false;
  // A handshake for a WebSocket: browsers do not follow a redirect of one.
  if (req.headers.upgrade !== undefined) return false;
  return (req.headers.accept ?? '').toLowerCase().includes('text/html');
}

/** The name in `Host`, without the port. */
function nameOf(hostHeader: string): string {
  return hostHeader.toLowerCase().replace(/:\d{1,5}$/, '');
}

function isLoopback({ ip, version }: { readonly ip: string; readonly version: 4 | 6 }): boolean {
  return isLoopbackHost(version === 6 ? `[${ip}]` : ip);
}

function asciiOnly(path: string): string {
  return path.replace(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character));
}

const authority: OptionReader<string> = (value, owner, path) => {
  const origin = typeof value === 'string' ? parseOrigin(`https://${value}`) : undefined;
  if (!origin) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} must be a host name such as "library.example" or "localhost:8443": lower case, no scheme, no path, no ":443"`,
    );
  }
  return value as string;
};
