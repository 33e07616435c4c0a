import { parseAddress, parseForwardedAddress, type ClientAddress } from './address.js';
import { systemClock, type Clock } from './clock.js';
import { errors } from './error-codes.js';
import { noEvents, type Events } from './events.js';
import { ALLOW, guard } from './guard.js';
import type { Middleware, SecurityRequest } from './http.js';
import { option, readOptions } from './options.js';
import { systemRandom, type Random } from './random.js';
import { createSecurityContext } from './security-context.js';
import { compileTrustProxy, type ProxyTrust, type TrustProxy } from './trust-proxy.js';

export interface ContextOptions {
  /** Required: a wrong guess lets clients forge their address, or puts all of them into one bucket. */
  readonly trustProxy: TrustProxy;
  /**
   * Take over an `X-Request-Id` that the request brings, if it is 8 to 128 characters of `A-Z a-z 0-9 . _ -`.
   * Only sensible behind a proxy that sets it. @default false
   */
  readonly trustRequestId?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

const REQUEST_ID = /^[A-Za-z0-9._-]{8,128}$/;
const MAX_CHAIN = 32;

/**
 * First in the way of a request: request id, client address, start time and an anonymous principal.
 * The address is the right-most hop of `X-Forwarded-For` that is not one of the trusted proxies.
 * An app that has no `trust proxy` setting takes this one over at the first request, so that `req.ip` and `req.protocol` agree
 * with it. One that says something else is refused every request: they and the limits would speak of different clients.
 * A request without an address is refused with 400 (E_ADDRESS_UNKNOWN). Behind a proxy that connects over a Unix socket, say
 * how many proxies there are: a socket's peer has no network to list.
 * @throws OptionError
 * @see RFC 7239 section 8.1 on why a forwarded address cannot be trusted from anybody else
 */
export function context(options: ContextOptions): Middleware {
  const {
    trustProxy: isProxy,
    trustRequestId,
    clock,
    random,
    events,
  } = readOptions('context', options, {
    trustProxy: (value, owner) => compileTrustProxy(value, owner),
    trustRequestId: option.boolean(false),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const sameTrust = new WeakMap<object, boolean>();
  // A Unix socket has no address to name; only who counts hops can mean the proxy at its other end.
  const said = options.trustProxy;
  const countsHops = typeof said === 'number';

  return guard('context', { stage: 'context', events }, (req, res) => {
    if (hasAddress(req)) return ALLOW; // Mounted twice, for instance in a sub-app: the first one counts.

    const app = req.app as AppSettings | undefined;
    if (app) {
      let same = sameTrust.get(app);
      if (same === undefined) {
        if (saysNothing(app)) app.set?.('trust proxy', said);
        sameTrust.set(app, (same = agrees(app, isProxy)));
      }
      if (!same) throw errors.E_TRUST_PROXY_MISMATCH();
    }
    const brought = req.headers['x-request-id'];
    const requestId =
      trustRequestId && typeof brought === 'string' && REQUEST_ID.test(brought) ? brought : random.uuid();
    const { address, viaProxy } = clientOf(req, isProxy, countsHops);
    const secure =
      (req.socket as { encrypted?: boolean }).encrypted === true ||
      (viaProxy && forwardedProto(req) === 'https');

    const earlier = req.security;
    req.security = createSecurityContext({ requestId, address, secure }, clock);
    // A middleware that ran before may have written its own keys into a record without address.
    if (earlier) copyForeignKeys(earlier, req.security);
    res.setHeader('X-Request-Id', requestId);
    return ALLOW;
  });
}

/** The client of a connection: the socket's peer, or what trusted proxies say of it. */
function clientOf(
  req: SecurityRequest,
  isProxy: ProxyTrust,
  countsHops: boolean,
): { address: ClientAddress; viaProxy: boolean } {
  const peer = parseAddress(req.socket.remoteAddress ?? '');
  let address = peer;
  if (peer ? !isProxy(peer, 0) : !countsHops) return { address: known(address), viaProxy: false };

  const chain = headerOf(req, 'x-forwarded-for')
    .split(',')
    .map((hop) => hop.trim())
    .filter((hop, _i, all) => hop !== '' || all.length > 1)
    .toReversed();
  if (chain.length > MAX_CHAIN) throw errors.E_FORWARDED_MALFORMED();
  for (const [i, text] of chain.entries()) {
    const hop = parseForwardedAddress(text);
    if (!hop) throw errors.E_FORWARDED_MALFORMED();
    address = hop;
    if (!isProxy(hop, i + 1)) break;
  }
  return { address: known(address), viaProxy: true };
}

// A client that resets the connection right after its request leaves no peer address either: an invented one would let it
// act under nobody's name, in the audit log and out of its own limits.
function known(address: ClientAddress | undefined): ClientAddress {
  if (!address) throw errors.E_ADDRESS_UNKNOWN();
  return address;
}

function forwardedProto(req: SecurityRequest): string {
  // The proxy next to us wrote the last entry.
  return headerOf(req, 'x-forwarded-proto').split(',').at(-1)!.trim().toLowerCase();
}

function headerOf(req: SecurityRequest, name: string): string {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

interface AppSettings {
  readonly settings?: object;
  get?(name: string): unknown;
  set?(name: string, value: unknown): unknown;
}

/** How Express 4 and 5 mark a `trust proxy` that nobody has set. */
const UNSET = '@@symbol:trust_proxy_default';

/** Settings of a mounted app inherit from those of its parent: what counts is where the value comes from. */
function saysNothing({ settings }: AppSettings): boolean {
  let from: object | null = settings ?? null;
  while (from && !Object.hasOwn(from, 'trust proxy')) from = Object.getPrototypeOf(from) as object | null;
  return from !== null && Object.getOwnPropertyDescriptor(from, UNSET)?.value === true;
}

// Both settings are asked about the same hops; they agree if they answer alike.
const PROBES = [
  '127.0.0.1',
  '::1',
  '10.1.2.3',
  '172.16.9.9',
  '192.168.7.7',
  '169.254.3.3',
  '192.0.2.1',
  '203.0.113.9',
];
const PROBES_V6 = ['fc00::9', 'fe80::9', '2001:db8::9'];

function agrees(app: AppSettings, isProxy: ProxyTrust): boolean {
  const theirs = typeof app.get === 'function' ? app.get('trust proxy fn') : undefined;
  if (typeof theirs !== 'function') return true;
  return [...PROBES, ...PROBES_V6].every((text) =>
    [0, 1, 2, 3].every((hop) => Boolean(theirs(text, hop)) === isProxy(parseAddress(text)!, hop)),
  );
}

function hasAddress(req: SecurityRequest): boolean {
  const given = req.security;
  if (!given) return false;
  try {
    return given.address !== undefined;
  } catch {
    return false;
  }
}

const OWN = new Set(['requestId', 'startedAt', 'startedMono', 'address', 'secure']);

function copyForeignKeys(from: object, to: object): void {
  for (const [key, value] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
    if (!OWN.has(key)) Object.defineProperty(to, key, value);
  }
}
