import {
  ALLOW,
  ensureContext,
  guard,
  option,
  readOptions,
  type Events,
  type Middleware,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import type { AuditOutcome } from './entry.js';
import { actorOf, addressOf, prepare, sessionOf, type PreparedEntry, type RecordDeps } from './record.js';
import { agentOf, pathOf, routeOf, traceOf } from './request-facts.js';

export interface AccessLogOptions {
  /** Exact paths that are not recorded, such as `/healthz`. @default [] */
  readonly exclude?: readonly string[];
}

export interface AccessLogDeps extends RecordDeps {
  readonly events: Events;
  readonly write: (entry: PreparedEntry) => Promise<unknown>;
}

/**
 * One record per request, made when the response is closed: whoever answered it, whether it was sent or the client went
 * away. Nothing waits for it: a failing audit log never fails a request.
 * Who asked is read at the end, so mount it early (after `context()`) and it still knows.
 */
export function accessLog(options: AccessLogOptions | undefined, deps: AccessLogDeps): Middleware {
  const { exclude } = readOptions('accessLog', options, {
    exclude: option.array(option.string({ max: 2048, pattern: /^\// }), { default: [] }),
  });
  const excluded = new Set(exclude);

  return guard('accessLog', { stage: 'observe', events: deps.events }, (req, res) => {
    // Read now: it throws where context() is not mounted, and a log without addresses is worth little.
    const { address } = ensureContext(req, deps);
    void address;
    const path = pathOf(req);
    if (!excluded.has(path)) {
      if (res.closed) finish(req, res, path, deps);
      else res.once('close', () => finish(req, res, path, deps));
    }
    return ALLOW;
  });
}

function finish(req: SecurityRequest, res: SecurityResponse, path: string, deps: AccessLogDeps): void {
  try {
    const { startedMono, requestId, principal } = ensureContext(req, deps);
    // 'close' without 'finish': the client went away, or the process ended the connection.
    const aborted = !res.writableFinished;
    const status = res.headersSent ? res.statusCode : undefined;
    const entry = prepare(
      {
        kind: 'request',
        action: aborted ? 'request.aborted' : 'request.completed',
        outcome: aborted ? 'aborted' : outcomeOf(status ?? 0),
        actor: actorOf(principal),
        context: {
          requestId,
          trace: traceOf(req),
          session: sessionOf(principal),
          method: req.method,
          path,
          route: routeOf(req),
          status,
          durationMs: Math.max(0, Math.round(deps.clock.monotonic() - startedMono)),
          address: addressOf(req),
          agent: agentOf(req),
        },
      },
      deps,
    );
    deps.write(entry).catch(() => dropped(deps));
  } catch {
    // We are in an event handler of the response: an error here would end the process.
    dropped(deps);
  }
}

function dropped(deps: AccessLogDeps): void {
  deps.events.emit({ type: 'audit.dropped', count: 1, of: 'request', reason: 'not recordable' });
}

const DENIED = new Set([401, 403, 407, 429]);

function outcomeOf(status: number): AuditOutcome {
  if (status >= 500) return 'error';
  if (DENIED.has(status)) return 'denied';
  return status >= 400 ? 'failure' : 'success';
}
