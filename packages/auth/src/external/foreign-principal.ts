import type { Principal } from '@portcullis/core';
import type { AccessClaims } from '../tokens/claims.js';
import { isSeconds } from '../tokens/claims.js';

/**
 * Who a foreign token speaks for. The issuer is part of the id: `sub` is unique at its issuer only, and no stranger may become
 * a user of ours by having the same one. Roles in the token are not taken over.
 */
export function foreignPrincipal(claims: AccessClaims): Principal {
  const { iss, sub, client_id: client, azp, scope, auth_time: at } = claims;
  const clientId = typeof client === 'string' ? client : typeof azp === 'string' ? azp : undefined;
  return {
    id: `${iss}|${sub}`,
    // RFC 9068 section 5: a client that acts for itself is its own subject.
    kind: clientId === sub ? 'service' : 'user',
    ...(clientId === undefined ? {} : { clientId }),
    ...(isSeconds(at) ? { authenticatedAt: at * 1000 } : {}),
    // What is not granted is not allowed: without `scope` the list is empty, not absent.
    scopes: typeof scope === 'string' ? scope.split(' ').filter((one) => one !== '') : [],
  };
}
