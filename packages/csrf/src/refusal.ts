import type { Events, SecurityRequest } from '@portcullis/core';
import type { CsrfDecision } from './check.js';
import { errors } from './error-codes.js';

export function tellRefusal(
  events: Events,
  req: SecurityRequest,
  reason: string,
  origin: string | undefined,
): void {
  const requestId = req.security?.requestId;
  events.emit({
    type: 'csrf.refused',
    reason,
    method: req.method ?? '',
    ...(origin === undefined ? {} : { origin }),
    ...(requestId === undefined ? {} : { requestId }),
  });
}

/** @throws E_CSRF_CROSS_SITE unless the decision allows */
export function refuseCrossSite(decision: CsrfDecision, req: SecurityRequest, events: Events): void {
  if (decision.allowed) return;
  const { reason, origin } = decision;
  tellRefusal(events, req, reason, origin);
  throw errors.E_CSRF_CROSS_SITE({ details: { reason, origin, method: req.method } });
}
