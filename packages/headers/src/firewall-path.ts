/** Why a path is refused. `hidden` is answered as if there were nothing. */
export type PathProblem =
  /** Not origin-form: no leading slash, or a fragment. */
  | 'target-form'
  /** A control character, a NUL, a space or a byte beyond ASCII, written as it is or encoded. */
  | 'control-character'
  /** `%` that encodes nothing, or bytes that are no UTF-8 (overlong forms, surrogates). */
  | 'encoding'
  /** `%252e`: what decodes to another encoding, for a second decoder further in. */
  | 'double-encoding'
  /** `\` or `%5c`, which some file systems and proxies take for `/`. */
  | 'backslash'
  /** `%2f`: one segment here, two for a proxy that decodes it. */
  | 'encoded-slash'
  /** `//`: the name of a host to who resolves it as a reference. */
  | 'empty-segment'
  /** `.` or `..`, also encoded. */
  | 'dot-segment'
  /** `;`, a parameter for some servers and a part of the name for others: `/account;.css`. */
  | 'parameters'
  /** A character that Unicode normalisation turns into `/`, `\`, `.` or `;`. */
  | 'lookalike'
  /** A segment that begins with a dot, other than `/.well-known` at the root: `.git`, `.env`. */
  | 'hidden';

// Segments of unreserved and sub-delimiter characters without ";", none of them empty or beginning with a dot: nearly every
// request, decided in one pass without decoding.
const PLAIN =
  /^\/(?:[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)*\/?)?$/;

/**
 * What is wrong with a path as it was sent, without its query, or undefined. It is looked at as written: two parsers that
 * decode differently see different resources, and a path that needs no decoding is the same for all of them.
 * @see RFC 3986 sections 2.4 and 6.2.2; OWASP ASVS 5.0 V13.4.1, V14.2.5
 */
export function pathProblem(path: string): PathProblem | undefined {
  if (PLAIN.test(path)) return undefined;
  if (/[^\x21-\x7e]/.test(path)) return 'control-character';
  if (path.includes('\\')) return 'backslash';
  if (!path.startsWith('/') || path.includes('#')) return 'target-form';
  if (path.includes('//')) return 'empty-segment';
  if (path.includes(';')) return 'parameters';
  const segments = path.slice(1).split('/');
  let hidden = false;
  for (const [i, segment] of segments.entries()) {
    const problem = segmentProblem(segment, i === 0);
    if (problem === 'hidden') hidden = true;
    else if (problem !== undefined) return problem;
  }
  return hidden ? 'hidden' : undefined;
}

/** What an encoded byte must not be, in the order in which it is named. */
const ENCODED: readonly (readonly [RegExp, PathProblem])[] = [
  [/%(?![0-9a-f]{2})/i, 'encoding'],
  [/%(?:[01][0-9a-f]|7f)/i, 'control-character'],
  [/%25[0-9a-f]{2}/i, 'double-encoding'],
  [/%2f/i, 'encoded-slash'],
  [/%5c/i, 'backslash'],
  [/%3b/i, 'parameters'],
];

// C1 controls, line separators, and what turns the direction of text around.
const INVISIBLE = /[\u0080-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/;

function segmentProblem(segment: string, first: boolean): PathProblem | undefined {
  const text = segment.includes('%') ? decoded(segment) : { value: segment };
  if ('problem' in text) return text.problem;
  const { value } = text;
  if (value === '.' || value === '..') return 'dot-segment';
  if (value.startsWith('.')) return first && value === '.well-known' ? undefined : 'hidden';
  // oxlint-disable-next-line no-control-regex -- anything beyond ASCII
  if (!/[^\x00-\x7f]/.test(value)) return undefined;
  if (INVISIBLE.test(value)) return 'control-character';
  const folded = value.normalize('NFKC');
  return /[/\\;]/.test(folded) || folded.startsWith('.') ? 'lookalike' : undefined;
}

function decoded(segment: string): { readonly value: string } | { readonly problem: PathProblem } {
  for (const [pattern, problem] of ENCODED) if (pattern.test(segment)) return { problem };
  try {
    return { value: decodeURIComponent(segment) };
  } catch {
    return { problem: 'encoding' };
  }
}
