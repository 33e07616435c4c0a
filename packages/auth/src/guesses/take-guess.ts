import type { Events } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { Guess, Lockout } from './lockout.js';

/**
 * Takes a guess. A network that is out of them is told so; an account is not, but its owner is: `locks` says that now is the time.
 * @throws E_SIGN_IN_LIMITED (429), and what the store throws (503)
 */
export async function takeGuess(
  lockout: Lockout,
  guess: Guess,
  events: Events,
): Promise<{ readonly judged: boolean; readonly locks: boolean }> {
  const { account, address } = guess;
  const ip = address ? { ip: address.ip } : {};
  const verdict = await lockout.take(guess);
  if (verdict.allowed) {
    if (verdict.locks) events.emit({ type: 'auth.locked-out', account, ...ip });
    return { judged: true, locks: verdict.locks };
  }
  events.emit({ type: 'auth.limited', by: verdict.by, account, ...ip });
  if (verdict.by !== 'network') return { judged: false, locks: false };
  const seconds = String(Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)));
  throw errors.E_SIGN_IN_LIMITED({ headers: { 'Retry-After': seconds } });
}
