/** The forms in which an error can be answered. */
export type ErrorFormat = 'json' | 'html' | 'text';

/** What each form answers to, most fitting first. Patterns of `Accept`, RFC 9110 section 12.5.1. */
const MEDIA: Readonly<Record<ErrorFormat, readonly string[]>> = {
  json: ['application/problem+json', 'application/json'],
  html: ['text/html', 'application/xhtml+xml'],
  text: ['text/plain'],
};

const MAX_LENGTH = 4_096;

interface Range {
  readonly type: string;
  readonly q: number;
}

/**
 * The form that the client prefers among those on offer: highest quality first, then the order of the offer. A
 * client that accepts none of them gets the first: an error is better answered in an unwanted form than not at all.
 */
export function negotiate(accept: string | undefined, offered: readonly ErrorFormat[]): ErrorFormat {
  const first = offered[0] ?? 'json';
  if (!accept || offered.length === 1) return first;
  const ranges = accept.slice(0, MAX_LENGTH).split(',').map(parseRange);
  let best = first;
  let highest = 0;
  for (const format of offered) {
    const quality = Math.max(...MEDIA[format].map((type) => qualityOf(type, ranges)));
    if (quality > highest) [best, highest] = [format, quality];
  }
  return best;
}

/** The most specific range that matches decides, RFC 9110 section 12.5.1. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const [family] = type.split('/', 1);
  let found: { q: number; specificity: number } = { q: 0, specificity: -1 };
  for (const range of ranges) {
    const specificity =
      range.type === type ? 2 : range.type === `${family}/*` ? 1 : range.type === '*/*' ? 0 : -1;
    if (specificity > found.specificity) found = { q: range.q, specificity };
  }
  return found.q;
}

function parseRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const q =
    weight === undefined ? 1 : /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0;
  return { type, q };
}
