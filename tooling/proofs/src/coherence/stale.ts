import type { Granted, Report, Way } from './shared.js';

/** From when a revoke had resolved until the same user was about to be granted the role again. */
export interface Window {
  readonly user: string;
  readonly strict: boolean;
  readonly from: number;
  readonly to: number;
}

export interface Judged {
  /** How long after the revoke each stale grant was asked for. */
  readonly stale: readonly number[];
  /** Asked for in the window and answered after it, when the user was being granted the role again: either answer is right. */
  readonly open: number;
}

/**
 * Of a store that was away: when the first question was answered with yes again, and whether the first read of the log that renews
 * the lease brought that, or a later one. Undefined: nothing was granted any more.
 */
export function comeback(
  { granted, polls }: Pick<Report, 'granted' | 'polls'>,
  back: number,
  leaseMs: number,
): { readonly at: number; readonly firstPoll: boolean } | undefined {
  const at = Math.min(
    ...granted
      .filter(([way]) => way === 'lease')
      .map(([, , , answered]) => answered)
      .filter((each) => each > back),
  );
  if (at === Infinity) return undefined;
  // What was sent a lease ago, and hung, renews nothing.
  const renewing = polls.filter(
    ([sent, answered]) => answered > back && answered < Math.min(at, sent + leaseMs),
  );
  return { at, firstPoll: renewing.length === 1 };
}

/** Which yeses of one way are wrong: those to questions that were asked after the revoke and answered before the next grant. */
export function judge(granted: readonly Granted[], way: Way, { user, from, to }: Window): Judged {
  const asked = granted.filter(([by, who, at]) => by === way && who === user && at > from && at < to);
  const within = asked.filter(([, , , answered]) => answered < to);
  return { stale: within.map(([, , at]) => at - from), open: asked.length - within.length };
}
