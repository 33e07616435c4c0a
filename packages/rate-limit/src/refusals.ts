import {
  ensureContext,
  isAuthenticated,
  type Clock,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { lengthOf } from './ban.js';
import type { Outcome, Part } from './counting.js';
import { errors } from './error-codes.js';
import { wholeSeconds, type FieldWriter } from './header-fields.js';
import type { Settings } from './settings.js';

export function tell(
  writers: readonly FieldWriter[],
  res: SecurityResponse,
  { part, state }: Outcome,
  clock: Clock,
  first: boolean,
): void {
  if (part.limit.meter === undefined) return;
  for (const write of writers) write(res, part.limit.told, state, clock, first);
}

export function report(req: SecurityRequest, { part, refusal }: Outcome, { events, dryRun }: Settings): void {
  events.emit({
    type: 'rate-limit.exceeded',
    ...who(req, part),
    first: refusal!.first,
    ...(dryRun ? { dryRun } : {}),
  });
}

export function reportBan(
  req: SecurityRequest,
  part: Part,
  number: number,
  { ban, events, dryRun }: Settings,
): void {
  const forMs = lengthOf(ban!, number);
  events.emit({
    type: 'rate-limit.banned',
    ...who(req, part),
    forMs,
    number,
    ...(dryRun ? { dryRun } : {}),
  });
}

function who(req: SecurityRequest, { limit, counted }: Part) {
  const { principal, address } = ensureContext(req);
  const named = isAuthenticated(principal) ? { principal: principal.id } : {};
  return { limit: limit.name, by: counted.by, ip: address.ip, ...named };
}

export function refusalOf({ part, refusal }: Outcome, outcomes: readonly Outcome[]): Error {
  const { limit, counted } = part;
  const make = refusal!.bannedMs > 0 ? errors.E_RATE_LIMIT_BANNED : errors.E_RATE_LIMITED;
  const violated = outcomes.flatMap((outcome) => (outcome.refusal ? [outcome.part.limit.name] : []));
  return make({
    ...(limit.message === undefined ? {} : { message: limit.message }),
    headers: { 'Retry-After': String(wholeSeconds(refusal!.waitMs)) },
    // The extension member of the draft's problem type "quota-exceeded".
    problem: { 'violated-policies': violated },
    details: { limit: limit.name, by: counted.by },
  });
}

export function unavailable(cause: unknown): never {
  throw errors.E_RATE_LIMIT_UNAVAILABLE({ cause, headers: { 'Retry-After': '1' } });
}
