import type { Span } from './text/spans.js';

const PREFIX = 4;
const SHORTEST = 6;
const LONGEST = 256;
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
  readonly #buckets = new Map<number, Entry[]>();
  readonly #seen = new Set<string>();
  /** All forms while they are few: the engine's own search is much faster than the table then. */
  #few: string[] | undefined = [];
  #shortest = Number.POSITIVE_INFINITY;

  constructor(parent?: SecretIndex) {
    if (!parent) return;
    for (const [hash, entries] of parent.#buckets) this.#buckets.set(hash, [...entries]);
    for (const text of parent.#seen) this.#seen.add(text);
    this.#few = parent.#few && [...parent.#few];
    this.#shortest = parent.#shortest;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** No text shorter than this holds any of them. */
  get shortest(): number {
    return this.#shortest;
  }

  add(secret: string, rule: string): void {
    if (secret.length < SHORTEST || this.#seen.has(secret) || PLAIN.has(secret.toLowerCase())) return;
    this.#seen.add(secret);
    const toEnd = secret.length > LONGEST;
    const text = toEnd ? secret.slice(0, 64) : secret;
    for (const form of new Set([text, ...otherForms(text)])) this.#insert({ text: form, rule, toEnd });
  }

  find(text: string): readonly Span[] {
    if (text.length < this.#shortest) return NOTHING;
    const few = this.#few;
    if (few !== undefined && !few.some((form) => text.includes(form))) return NOTHING;
    const found: Span[] = [];
    for (let i = 0; i + PREFIX <= text.length; i++) {
      const entries = this.#buckets.get(hashAt(text, i));
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

  #insert(entry: Entry): void {
    this.#shortest = Math.min(this.#shortest, entry.text.length);
    if (this.#few !== undefined && this.#few.push(entry.text) > FEW) this.#few = undefined;
    const hash = hashAt(entry.text, 0);
    const bucket = this.#buckets.get(hash);
    if (!bucket) {
      this.#buckets.set(hash, [entry]);
    } else if (bucket.length < CROWDED) {
      bucket.push(entry);
      // The longest first, so that one secret inside another does not leave a rest.
      bucket.sort((a, b) => b.text.length - a.text.length);
    } else {
      // Somebody makes secrets that begin alike to slow us down: from here on their beginning is the secret.
      this.#buckets.set(hash, [{ text: entry.text.slice(0, PREFIX), rule: entry.rule, toEnd: true }]);
      this.#few = undefined;
      this.#shortest = PREFIX;
    }
  }
}

// Words that are values of flags rather than secrets; masking them everywhere would only destroy the log.
const PLAIN: ReadonlySet<string> = new Set([
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

function hashAt(text: string, at: number): number {
  return (
    (((text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) * 31 + text.charCodeAt(at + 2)) * 31 +
      text.charCodeAt(at + 3)) |
    0
  );
}

function otherForms(text: string): string[] {
  const forms = [JSON.stringify(text).slice(1, -1)];
  try {
    forms.push(encodeURIComponent(text), encodeURIComponent(text).replaceAll('%20', '+'));
  } catch {
    // A lone surrogate has no percent-encoded form.
  }
  const base64 = Buffer.from(text).toString('base64');
  // The last group depends on what follows; three bytes are four characters.
  if (text.length >= 9) forms.push(base64.slice(0, Math.floor(Buffer.byteLength(text) / 3) * 4));
  return forms.filter((form) => form.length >= SHORTEST);
}
