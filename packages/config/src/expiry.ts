import type { ConfigProblem } from './config-error.js';
import type { Candidate } from './production-rules.js';
import type { Sources } from './sources.js';

const DAY_MS = 86_400_000;
const DATE = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** The moment at which a secret expires, or nothing; problems are collected. Only production minds that it has passed or is not told. */
export function readExpiry(
  { name, setting, found }: Candidate,
  {
    sources,
    production,
    nowMs,
  }: { readonly sources: Sources; readonly production: boolean; readonly nowMs: number },
  problems: ConfigProblem[],
): string | undefined {
  const variable = setting.production.notAfter;
  if (variable === undefined) return undefined;
  const told = sources.find(variable, problems);
  if (told === undefined) {
    const message = `is required in production; it says until when ${name} may be used, such as 2027-01-31`;
    if (production) problems.push({ code: 'E_CONFIG_MISSING', name: variable, message });
    return undefined;
  }
  const endMs = momentOf(told.text);
  if (endMs === undefined) {
    const message = 'must be a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z';
    problems.push({ code: 'E_CONFIG_TYPE', name: variable, message, source: told.source });
    return undefined;
  }
  const expires = new Date(endMs).toISOString();
  if (production && endMs <= nowMs) {
    const message = `has expired (${variable}: ${expires}); make a new one and move its day`;
    problems.push({ code: 'E_CONFIG_SECRET_EXPIRED', name, message, source: found.source });
  }
  return expires;
}

function momentOf(text: string): number | undefined {
  const [, day, time] = DATE.exec(text) ?? [];
  if (day === undefined) return undefined;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // The parser takes February 30 for a day of March.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  if (time === undefined) return midnight + DAY_MS;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}
