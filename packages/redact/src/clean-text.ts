import { truncated } from './markers.js';
import { report, taint, type Run } from './run.js';
import { decodeEscapes, escapeControls } from './text/decode.js';
import type { TextScanner } from './text/scan.js';
import { ESCAPES, isPlain, sniff, UNSAFE } from './text/sniff.js';
import { cover } from './text/spans.js';

const MAX_JSON = 4;

export interface TextRules {
  readonly scan: TextScanner;
  /** Look into strings that are JSON. */
  readonly json: boolean;
  readonly maxLength: number;
  readonly replace: (secret: string) => string;
}

export interface TextCleaner {
  /** A string value of the event: JSON in it is walked, what is too long is cut. */
  text(value: string, run: Run, depth: number): string;
  /** Text of bounded length that is no JSON, such as a property's name. */
  flat(value: string, run: Run): string;
}

export function compileTextCleaner(
  rules: TextRules,
  walkJson: (value: unknown, run: Run, depth: number) => unknown,
): TextCleaner {
  const { scan, json, replace } = rules;

  return { text, flat: flatText };

  function text(value: string, run: Run, depth: number): string {
    if (value.length > rules.maxLength) return longText(value, run);
    if (json && value.length > 6 && run.json < MAX_JSON && looksLikeJson(value)) {
      const clean = jsonText(value, run, depth);
      if (clean !== undefined) return clean;
    }
    return flatText(value, run);
  }

  function flatText(value: string, run: Run): string {
    const bits = sniff(value);
    if ((bits & UNSAFE) !== 0) run.unsafe = true;
    if (isPlain(bits) && (bits & ESCAPES) === 0) return value;
    return scanned(value, bits, run);
  }

  function scanned(value: string, bits: number, run: Run): string {
    const clean = covered(value, run, bits) ?? value;
    return (bits & ESCAPES) === 0 ? clean : (unescaped(clean, run) ?? clean);
  }

  /** What escapes hide, up to two levels deep; a text that hides nothing stays as it was. */
  function unescaped(value: string, run: Run): string | undefined {
    let shown = value;
    for (let level = 0; level < 2; level++) {
      const decoded = decodeEscapes(shown);
      if (decoded === shown) return undefined;
      const found = covered(decoded, run);
      if (found !== undefined) return escapeControls(found);
      shown = decoded;
    }
    return undefined;
  }

  function covered(value: string, run: Run, bits?: number): string | undefined {
    const spans = scan(value, bits);
    if (spans.length === 0) return undefined;
    for (const span of spans) {
      report(run, span.rule);
      if (span.taints) taint(run, value.slice(span.start, span.end));
    }
    return cover(value, spans, replace);
  }

  /** JSON in a string, also JSON in JSON: as a structure it shows what the text's escapes hide. */
  function jsonText(value: string, run: Run, depth: number): string | undefined {
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch {
      return undefined;
    }
    const before = run.found;
    run.json++;
    const copy = walkJson(parsed, run, depth + 1);
    run.json--;
    return run.found === before ? undefined : (JSON.stringify(copy) ?? '');
  }

  /** Keeps the head, without a last word that the cut may have made unrecognisable. */
  function longText(value: string, run: Run): string {
    const { length } = value;
    let end = rules.maxLength;
    while (end > 0 && isInsideWord(value.charCodeAt(end - 1))) end--;
    report(run, 'limit:string');
    // A copy of its own: slices keep the whole original in memory.
    const head = flatText(Buffer.from(value.slice(0, end), 'utf16le').toString('utf16le'), run);
    return `${head}${truncated(`${length} characters`)}`;
  }
}

function looksLikeJson(value: string): boolean {
  const first = value.charCodeAt(0);
  if (first > 32) return first === 123 || first === 91 || (first === 34 && value.includes('\\'));
  const trimmed = value.trimStart();
  return trimmed.startsWith('{') || trimmed.startsWith('[');
}

// Everything but white space and the usual delimiters of lists, forms and JSON.
function isInsideWord(code: number): boolean {
  return (
    code > 32 && code !== 44 && code !== 59 && code !== 38 && code !== 34 && code !== 123 && code !== 125
  );
}
