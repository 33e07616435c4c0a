import type { NameClassifier, NameRule } from './name-rules.js';

const MAX_PARTS = 100;
const MAX_DEPTH = 4;
const HOLDER = /^(?:value|values|current|old|new|plain|text|raw|secret|data)$/i;

/**
 * The parts of a masked value that are secrets wherever else they appear in the same event (an error message that
 * quotes the password). Weak names (`key`, `session`) only taint what looks random, so that `key: 'books'` does not
 * mask the word everywhere.
 */
export function collectTaints(
  value: unknown,
  rule: NameRule,
  classify: NameClassifier,
  add: (secret: string) => void,
): void {
  let parts = 0;
  try {
    visit(value, rule, 0);
  } catch {
    // A hostile accessor inside a masked value: it is masked anyway.
  }

  function visit(part: unknown, by: NameRule, depth: number): void {
    if (++parts > MAX_PARTS || depth > MAX_DEPTH) return;
    if (typeof part === 'string') {
      text(part, by);
    } else if (typeof part === 'number' || typeof part === 'bigint') {
      if (!by.weak) text(String(part), by);
    } else if (Array.isArray(part)) {
      for (const item of part.slice(0, MAX_PARTS) as unknown[]) visit(item, by, depth + 1);
    } else if (typeof part === 'object' && part !== null && !ArrayBuffer.isView(part)) {
      for (const key of Object.keys(part)) {
        const own = classify(key) ?? (HOLDER.test(key) ? by : undefined);
        if (own) visit((part as Record<string, unknown>)[key], own, depth + 1);
        if (parts > MAX_PARTS) return;
      }
    }
  }

  function text(secret: string, by: NameRule): void {
    if (by.header) {
      headerParts(secret, add);
    } else if (!by.weak || looksRandom(secret)) {
      add(secret);
      const trimmed = secret.trim();
      if (trimmed !== secret) add(trimmed);
      if (/^(?:bearer|basic)\s/i.test(secret)) headerParts(secret, add);
    }
  }
}

/** `Bearer x`, `Basic <user:password>`, `a=1; b=2`: the parts are the secrets. */
function headerParts(header: string, add: (secret: string) => void): void {
  const text = header.slice(0, 8192);
  const scheme = /^\s{0,4}([A-Za-z0-9-]{1,32})\s{1,4}(\S+)\s{0,4}$/.exec(text);
  if (scheme) {
    const credentials = scheme[2]!;
    add(credentials);
    if (scheme[1]!.toLowerCase() === 'basic') {
      const decoded = Buffer.from(credentials, 'base64').toString('utf8');
      const colon = decoded.indexOf(':');
      if (colon !== -1) add(decoded.slice(colon + 1));
    }
    return;
  }
  for (const part of text.split(/[;,]/).slice(0, 50)) {
    const value = part
      .slice(part.indexOf('=') + 1)
      .trim()
      .replace(/^"|"$/g, '');
    if (looksRandom(value)) add(value);
  }
}

function looksRandom(text: string): boolean {
  return text.length >= 12 && !/\s/.test(text) && /\d/.test(text) && /[A-Za-z]/.test(text);
}
