import type { SecurityRequest } from './http.js';

/**
 * True if the client's connection is known to be TLS: the socket's own, or a trusted proxy's word as `context()` read it. For
 * what is only better over TLS; a guard that refuses asks `req.security.secure`, which throws instead of guessing.
 */
export function isKnownSecure(req: SecurityRequest): boolean {
  if ((req.socket as { encrypted?: boolean } | undefined)?.encrypted === true) return true;
  try {
    return req.security?.secure === true;
  } catch {
    return false; // No context() before us.
  }
}
