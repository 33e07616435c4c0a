const UNITS: Record<string, number> = Object.assign(Object.create(null), {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
});

/** Milliseconds as a number, or a string such as `'250ms'`, `'15m'`, `'1d'` (units ms, s, m, h, d). */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** Milliseconds of a {@link Duration}, or undefined if it is none. Negative and non-finite values are none. */
export function toMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(value);
  return match ? Number(match[1]) * UNITS[match[2]!]! : undefined;
}
