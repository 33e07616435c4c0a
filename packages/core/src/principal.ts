/** How a principal proved who they are, and when (milliseconds since 1970). Names as in RFC 8176 (amr). */
export interface AuthenticationMethod {
  readonly method: string;
  readonly at: number;
}

/** Who asks. Frozen; written once per request, by `authenticate()` or by the app's own `principal` function. */
export interface Principal {
  readonly id: string;
  readonly kind: 'user' | 'service' | 'api-key';
  readonly tenant?: string;
  readonly sessionId?: string;
  readonly clientId?: string;
  readonly methods?: readonly AuthenticationMethod[];
  /** Authenticator assurance level, NIST SP 800-63B. */
  readonly aal?: 1 | 2 | 3;
  /** Milliseconds since 1970. */
  readonly authenticatedAt?: number;
  /** Who really acts, when one acts for another (RFC 8693 `act`). */
  readonly actor?: { readonly id: string };
  /** Ignored for decisions unless `rolesFrom: 'principal'` is chosen, and then without a freshness promise. */
  readonly roles?: readonly string[];
  /** Narrows what the live grants of the principal allow; never widens it. */
  readonly scopes?: readonly string[];
}

/** Nobody has been identified (yet). */
export interface AnonymousPrincipal {
  readonly kind: 'anonymous';
  readonly id?: undefined;
}

export const anonymous: AnonymousPrincipal = Object.freeze({ kind: 'anonymous' });

export function isAuthenticated(
  principal: Principal | AnonymousPrincipal | undefined,
): principal is Principal {
  return principal !== undefined && principal.kind !== 'anonymous';
}

/** A frozen copy with an id that is a non-empty string; anything else is a programming error. */
export function freezePrincipal(principal: Principal): Principal {
  if (typeof principal.id !== 'string' || principal.id === '') {
    throw new TypeError('A principal needs a non-empty string id.');
  }
  return Object.freeze({ ...principal });
}
