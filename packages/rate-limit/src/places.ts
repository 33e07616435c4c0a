import { ensureContext, type Allow, type SecurityRequest, type SecurityResponse } from '@portcullis/core';
import type { LimitState } from './augment.js';
import type { Outcome, Part } from './counting.js';
import { refusalOf, report } from './refusals.js';
import type { Settings } from './settings.js';

/** A place in each limit of requests at the same time; given back when the response is over, however it ends. */
export async function takePlaces(
  req: SecurityRequest,
  res: SecurityResponse,
  places: readonly Part[],
  settings: Settings,
  next: () => Allow | Promise<Allow>,
): Promise<Allow> {
  const outcomes: Outcome[] = [];
  for (const part of places) {
    const { slots, name } = part.limit;
    const { key } = part.counted;
    const got = settings.dryRun
      ? slots!.enter(key)
      : await slots!.acquire(key, (leave) => void res.once('close', leave));
    if (got) {
      if (res.closed) slots!.release(key);
      else res.once('close', () => slots!.release(key));
    }
    const remaining = Math.max(0, part.most - slots!.running(key));
    const state: LimitState = { name, limit: part.most, remaining, resetMs: 0 };
    outcomes.push(
      got ? { part, state } : { part, state, refusal: { waitMs: 1000, first: true, bannedMs: 0 } },
    );
    (ensureContext(req).rateLimits ??= []).push(state);
    if (got) continue;
    report(req, outcomes.at(-1)!, settings);
    if (!settings.dryRun) throw refusalOf(outcomes.at(-1)!, outcomes);
  }
  return next();
}
