import type { ClientAddress } from './address.js';
import { errors } from './error-codes.js';
import type { SecurityRequest } from './http.js';
import { anonymous, type AnonymousPrincipal, type Principal } from './principal.js';
import { systemClock, type Clock } from './clock.js';
import { systemRandom, type Random } from './random.js';

/**
 * What Portcullis knows about a request: `req.security`. Other packages merge their keys into this interface
 * (`declare module '@portcullis/core' { interface SecurityContext { decision?: Decision } }`).
 */
export interface SecurityContext {
  /** Unique per request; also sent as `X-Request-Id` by `context()`. */
  requestId: string;
  /** Milliseconds since 1970 at the start of the request. */
  startedAt: number;
  /** Monotonic milliseconds at the start of the request. */
  startedMono: number;
  /**
   * The client, as far as the configured proxies can be trusted.
   * @throws E_CONTEXT_MISSING when `context()` is not mounted
   */
  readonly address: ClientAddress;
  /** True if the client's connection (or the trusted proxy's word about it) is TLS. Throws like `address`. */
  readonly secure: boolean;
  /** Anonymous until an authentication middleware has identified somebody. */
  principal: Principal | AnonymousPrincipal;
}

export interface ContextSeed {
  readonly requestId: string;
  readonly address?: ClientAddress;
  readonly secure?: boolean;
}

/** Makes the record; without an address (no `context()` mounted) reading it throws instead of guessing. */
export function createSecurityContext(seed: ContextSeed, clock: Clock): SecurityContext {
  const { address, secure } = seed;
  return {
    requestId: seed.requestId,
    startedAt: clock.now(),
    startedMono: clock.monotonic(),
    get address(): ClientAddress {
      if (address === undefined) throw errors.E_CONTEXT_MISSING();
      return address;
    },
    get secure(): boolean {
      if (secure === undefined) throw errors.E_CONTEXT_MISSING();
      return secure;
    },
    principal: anonymous,
  };
}

/**
 * The request's record; made on the spot, without a client address, where `context()` is not mounted.
 * For middleware that can work alone, such as headers or the error handler.
 */
export function ensureContext(
  req: SecurityRequest,
  deps: { readonly clock?: Clock; readonly random?: Random } = {},
): SecurityContext {
  req.security ??= createSecurityContext(
    { requestId: (deps.random ?? systemRandom).uuid() },
    deps.clock ?? systemClock,
  );
  return req.security;
}
