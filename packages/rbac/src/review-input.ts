import { errors } from './error-codes.js';
import { isUserId } from './records.js';
import type { Disposition, Governance, ReviewDraft } from './reviews.js';

// What reviewers and reports are given, checked before anything is read or written.

export function checkDraft(draft: ReviewDraft): ReviewDraft {
  const refuse = (message: string): never => {
    throw errors.E_REVIEW_INVALID({ message });
  };
  if (!isObject(draft)) return refuse('A review needs reviewers.');
  const { scope, reviewers, dueInDays = 5 } = draft;
  if (scope !== undefined && !isObject(scope)) refuse('The scope of a review lists roles, users or both.');
  refuseUnknown(draft, ['reviewers', 'scope', 'dueInDays']);
  refuseUnknown(scope ?? {}, ['roles', 'users']);
  if (!Array.isArray(reviewers) || reviewers.length === 0 || !reviewers.every(isUserId)) {
    refuse('A review needs at least one reviewer, each the id of a user.');
  }
  if (!(Number.isInteger(dueInDays) && dueInDays >= 1 && dueInDays <= 366)) {
    refuse('A review is due in 1 to 366 days.');
  }
  for (const list of [scope?.roles, scope?.users]) {
    const named = Array.isArray(list) && list.length > 0 && list.every((each) => typeof each === 'string');
    if (list !== undefined && !named) {
      refuse('The scope of a review lists roles, users or both.');
    }
  }
  return draft;
}

export function checkDecision(
  decision: Parameters<Governance['decideReview']>[3],
  now: number,
): { disposition: Disposition; reason: string; until: number | undefined } {
  const refuse = (message: string): never => {
    throw errors.E_REVIEW_INVALID({ message });
  };
  if (!isObject(decision)) return refuse('A decision has a disposition and a reason.');
  const { disposition, reason, until } = decision;
  if (!['keep', 'revoke', 'modify'].includes(disposition)) refuse('An item is kept, revoked or modified.');
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > 1000 || !reason.isWellFormed()) {
    refuse('A decision has a reason of up to 1,000 characters.');
  }
  const end = until instanceof Date ? until.getTime() : until;
  if ((disposition === 'modify') !== (end !== undefined)) refuse('until is the new end, of modify alone.');
  if (end !== undefined && !(Number.isInteger(end) && end > now)) refuse('The new end is in the future.');
  return { disposition, reason, until: end };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is misspelt would widen a review to everybody, or report what was not asked for. */
function refuseUnknown(given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw errors.E_REVIEW_INVALID({
    message: `There is no ${JSON.stringify(unknown.slice(0, 50))} here; known: ${known.join(', ')}.`,
  });
}

export function checkReport<T extends object>(about: T, known: readonly string[]): T {
  if (!isObject(about)) throw errors.E_REVIEW_INVALID({ message: 'A report needs days.' });
  refuseUnknown(about, known);
  return about;
}

export function checkDays(days: unknown): number {
  if (Number.isInteger(days) && (days as number) >= 1 && (days as number) <= 3660) return days as number;
  throw errors.E_REVIEW_INVALID({ message: 'days is a whole number from 1 to 3,660.' });
}
