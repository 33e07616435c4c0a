import { hasRun } from './text/runs.js';
import type { Span } from './text/spans.js';

const PREFIX = 4;
const SHORTEST = 6;
const LONGEST = 256;
/** So much of a longer one is searched for. */
const KEPT = 64;
const SHORTEST_BASE64 = 9;
const CROWDED = 8;
const FEW = 24;
const NOTHING: readonly Span[] = Object.freeze([]);

interface Entry {
  readonly text: string;
  readonly rule: string;
  /** Only the beginning is kept of a very long secret: a match masks to the end of the text. */
  readonly toEnd: boolean;
}

/**
 * Secrets that are known, and where they occur in a text: as they are, percent-encoded, JSON-escaped or in base64.
 * One pass over the text whatever the number of secrets: a table by the first four characters decides where to compare.
 */
export class SecretIndex {
  readonly #secrets: Map<string, string>;
  /** Made when it is first asked for. */
  #table: Table | undefined;

  constructor(parent?: SecretIndex) {
    this.#secrets = new Map(parent === undefined ? [] : parent.#secrets);
  }

  get size(): number {
    return this.#secrets.size;
  }

  /** No text shorter than this holds any of them. */
  get shortest(): number {
    return this.#tableOf().shortest;
  }

  add(secret: string, rule: string): void {
    if (secret.length < SHORTEST || this.#secrets.has(secret) || isFlagValue(secret)) return;
    this.#secrets.set(secret, rule);
    this.#table = undefined;
  }

  /** Whether one could occur in the texts and names of something, of which this is the JSON. */
  mayOccurIn(json: string): boolean {
    return this.#secrets.size > 0 && (hidesSpellings(json) || this.find(json).length > 0);
  }

  find(text: string): readonly Span[] {
    const { shortest, buckets } = this.#tableOf();
    if (text.length < shortest) return NOTHING;
    const found: Span[] = [];
    for (let i = 0; i + PREFIX <= text.length; i++) {
      const entries = buckets.get(hashAt(text, i));
      if (!entries) continue;
      for (const entry of entries) {
        if (!text.startsWith(entry.text, i)) continue;
        const end = entry.toEnd ? text.length : i + entry.text.length;
        found.push({ start: i, end, rule: entry.rule, taints: false });
        i = end - 1;
        break;
      }
    }
    return found;
  }

  #tableOf(): Table {
    if (this.#table) return this.#table;
    const entries: Entry[] = [];
    for (const [secret, rule] of this.#secrets) {
      const toEnd = secret.length > LONGEST;
      for (const text of spellings(beginning(secret))) entries.push({ text, rule, toEnd });
    }
    this.#table = tableOf(entries);
    return this.#table;
  }
}

/**
 * Whether a few secrets could occur in the texts and names of something, of which this is the JSON, without making an
 * index of them: most events name no secret twice. True may be wrong, false is not.
 */
export function mayOccurIn(json: string, secrets: readonly string[]): boolean {
  if (secrets.length === 0) return false;
  if (secrets.length > FEW || hidesSpellings(json)) return true;
  let shortest = Number.POSITIVE_INFINITY;
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    const start = beginning(secret);
    if (json.includes(start)) return true;
    shortest = Math.min(shortest, start.length);
  }
  const encoded =
    hasBase64Run(json, shortest) || json.includes('%') || json.includes('+') || json.includes('\\');
  return encoded && secrets.some((secret) => occursEncoded(json, secret));
}

function occursEncoded(json: string, secret: string): boolean {
  return secret.length >= SHORTEST && spellings(beginning(secret)).some((form) => json.includes(form));
}

/** A backslash or half a character in a text is written differently in JSON, and so is a secret around it. */
function hidesSpellings(json: string): boolean {
  return json.includes('\\') && (json.includes('\\\\') || json.includes('\\ud'));
}

function beginning(secret: string): string {
  return secret.length > LONGEST ? secret.slice(0, KEPT) : secret;
}

/** Base64 of at least so many bytes is a run of that many characters of its alphabet. */
function hasBase64Run(text: string, bytes: number): boolean {
  return hasRun(text, Math.floor(Math.max(bytes, SHORTEST_BASE64) / 3) * 4, isBase64Code);
}

function isBase64Code(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 43 ||
    code === 47
  );
}

interface Table {
  readonly buckets: ReadonlyMap<number, readonly Entry[]>;
  readonly shortest: number;
}

function tableOf(entries: readonly Entry[]): Table {
  const buckets = new Map<number, Entry[]>();
  let shortest = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    shortest = Math.min(shortest, entry.text.length);
    const hash = hashAt(entry.text, 0);
    const bucket = buckets.get(hash);
    if (!bucket) {
      buckets.set(hash, [entry]);
    } else if (bucket.length < CROWDED) {
      bucket.push(entry);
    } else {
      // Somebody makes secrets that begin alike to slow us down: from here on their beginning is the secret.
      buckets.set(hash, [{ text: entry.text.slice(0, PREFIX), rule: entry.rule, toEnd: true }]);
      shortest = PREFIX;
    }
  }
  // The longest first, so that one secret inside another does not leave a rest.
  for (const bucket of buckets.values()) bucket.sort((a, b) => b.text.length - a.text.length);
  return { buckets, shortest };
}

// Words that are values of flags rather than secrets; masking them everywhere would only destroy the log.
const FLAG_VALUES: ReadonlySet<string> = new Set([
  'undefined',
  'disabled',
  'enabled',
  'redacted',
  '[redacted]',
  '[secret]',
  'required',
  'optional',
  'invalid',
  'missing',
  'expired',
  'string',
  'number',
  'object',
  'boolean',
]);
const LONGEST_FLAG_VALUE = 10;

function isFlagValue(text: string): boolean {
  return text.length <= LONGEST_FLAG_VALUE && FLAG_VALUES.has(text.toLowerCase());
}

function hashAt(text: string, at: number): number {
  return (
    (((text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) * 31 + text.charCodeAt(at + 2)) * 31 +
      text.charCodeAt(at + 3)) |
    0
  );
}

/** What percent-encoding changes; what JSON escapes is among it. */
const CHANGES = /[^A-Za-z0-9\-_.!~*'()]/;

/** A secret as it is, JSON-escaped, percent-encoded (also as in forms) and in base64; each once. */
function spellings(text: string): readonly string[] {
  const forms = [text];
  if (CHANGES.test(text)) {
    forms.push(JSON.stringify(text).slice(1, -1));
    try {
      const encoded = encodeURIComponent(text);
      forms.push(encoded, encoded.replaceAll('%20', '+'));
    } catch {
      // A lone surrogate has no percent-encoded form.
    }
  }
  // The last group depends on what follows; three bytes are four characters.
  if (text.length >= SHORTEST_BASE64) {
    const bytes = Buffer.from(text);
    forms.push(bytes.toString('base64', 0, bytes.length - (bytes.length % 3)));
  }
  return forms.length === 2 ? forms : [...new Set(forms)].filter((form) => form.length >= SHORTEST);
}
