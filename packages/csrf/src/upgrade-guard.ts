import { optionConflict, readOptions, type SecurityRequest } from '@portcullis/core';
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { checkOptions, compileCheck, type CsrfDecision, type CsrfOptions } from './check.js';
import { errors } from './error-codes.js';
import { tellRefusal } from './refusal.js';

/**
 * Refuses WebSocket handshakes (every HTTP/1.1 upgrade) of other sites, before anyone who listens for `upgrade` on this server
 * hears of them: ws, socket.io and others need not be told. Browsers let any site open a WebSocket with the user's cookies, and no
 * CORS protects what is read through it. The client gets 403 and the connection ends. Clients that send neither
 * `Origin` nor `Sec-Fetch-Site` are no browsers and pass, unless `requireOrigin` is set.
 * Does not see WebSockets over HTTP/2 (RFC 8441), nor fallbacks over plain requests, which are `csrf()`'s.
 * @throws OptionError
 * @see RFC 6455 section 10.2; OWASP ASVS 5.0 requirement 4.4.2
 */
export function upgradeGuard(server: EventEmitter, options: Omit<CsrfOptions, 'exempt'> = {}): void {
  const read = readOptions('upgradeGuard', options, checkOptions(options));
  if (read.exempt.length > 0) {
    optionConflict('upgradeGuard', 'exempt', 'a handshake has no webhook signature: nothing is exempt here');
  }
  const check = compileCheck('upgradeGuard', read);
  const emit = server.emit.bind(server);

  // Node calls every listener, whatever the first one does: only in front of all of them can one say no.
  server.emit = (event: string | symbol, ...given: unknown[]): boolean => {
    if (event === 'upgrade') {
      const [req, socket] = given as [SecurityRequest, Duplex];
      const decision = decide(req);
      if (!decision.allowed) {
        tellRefusal(read.events, req, decision.reason, decision.origin);
        refuse(socket);
        return true;
      }
    }
    return emit(event, ...given);
  };

  function decide(req: SecurityRequest): CsrfDecision {
    try {
      return check.decideUpgrade(req);
    } catch {
      return { allowed: false, reason: 'malformed-origin', origin: undefined };
    }
  }
}

function refuse(socket: Duplex): void {
  const { status, code, title, message } = errors.E_CSRF_CROSS_SITE();
  const body = JSON.stringify({ type: `urn:portcullis:error:${code}`, title, status, detail: message });
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
