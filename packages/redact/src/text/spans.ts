/** A part of a string that must not be written down. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly rule: string;
  /** The secret itself may be masked wherever else it shows up. */
  readonly taints: boolean;
}

export const MASK = '[REDACTED]';

/** Sorted, overlaps joined; the rule of the earliest part names the whole. */
export function mergeSpans(spans: Span[]): Span[] {
  if (spans.length < 2) return spans;
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const merged: Span[] = [];
  for (const span of spans) {
    const before = merged.at(-1);
    if (before && span.start < before.end) {
      if (span.end > before.end) merged[merged.length - 1] = { ...before, end: span.end };
    } else {
      merged.push(span);
    }
  }
  return merged;
}

/** The text with each span replaced. */
export function cover(text: string, spans: readonly Span[], replace: (secret: string) => string): string {
  let covered = '';
  let at = 0;
  for (const { start, end } of spans) {
    covered += text.slice(at, start) + replace(text.slice(start, end));
    at = end;
  }
  return covered + text.slice(at);
}
