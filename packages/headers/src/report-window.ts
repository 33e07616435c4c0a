import type { ReportedViolation } from './report-parsing.js';

export interface ReportWindowLimits {
  readonly windowMs: number;
  /** Different reports remembered at once. */
  readonly maxKinds: number;
  /** Events in one minute. */
  readonly perMinute: number;
}

interface Seen {
  readonly since: number;
  repeated: number;
}

const MINUTE_MS = 60_000;

/**
 * Lets the first of equal reports through and then one per window; never more than `perMinute`, and never remembers more than
 * `maxKinds`. Who sends made-up reports can fill the counts, not the memory and not the listeners.
 */
export function createReportWindow({ windowMs, maxKinds, perMinute }: ReportWindowLimits) {
  const kinds = new Map<string, Seen>();
  let [minute, inMinute, dropped] = [Number.NEGATIVE_INFINITY, 0, 0];

  return {
    /** What the event says besides the report; undefined if there is none to emit. */
    admit(
      report: ReportedViolation,
      now: number,
    ): { readonly repeated: number; readonly dropped: number } | undefined {
      const key = JSON.stringify([
        report.report,
        report.rule,
        report.disposition,
        report.page,
        report.blocked,
        report.source,
        report.line,
      ]);
      const seen = kinds.get(key);
      if (seen && now - seen.since < windowMs) {
        seen.repeated++;
        return undefined;
      }
      if (now - minute >= MINUTE_MS) [minute, inMinute] = [now, 0];
      if (inMinute >= perMinute) {
        dropped++;
        return undefined;
      }
      inMinute++;
      // The oldest goes first: a map keeps the order in which keys came.
      kinds.delete(key);
      if (kinds.size >= maxKinds) kinds.delete(kinds.keys().next().value!);
      kinds.set(key, { since: now, repeated: 0 });
      const facts = { repeated: seen?.repeated ?? 0, dropped };
      dropped = 0;
      return facts;
    },
  };
}
