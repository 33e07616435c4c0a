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
  taints: string[],
): void {
  if (typeof value === 'string') textTaints(value, rule, taints);
  else collectParts(value, rule, classify, taints);
}

function collectParts(value: unknown, rule: NameRule, classify: NameClassifier, taints: string[]): void {
  let parts = 0;
  try {
    visit(value, rule, 0);
  } catch {
    // A hostile accessor inside a masked value: it is masked anyway.
  }

  function visit(part: unknown, by: NameRule, depth: number): void {
    if (++parts > MAX_PARTS || depth > MAX_DEPTH) return;
    if (typeof part === 'string') {
      textTaints(part, by, taints);
    } else if (typeof part === 'number' || typeof part === 'bigint') {
      if (!by.weak) textTaints(String(part), by, taints);
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
}

function textTaints(secret: string, by: NameRule, taints: string[]): void {
  if (by.header) {
    headerParts(secret, taints);
  } else if (!by.weak || looksRandom(secret)) {
    taints.push(secret);
    const trimmed = secret.trim();
    if (trimmed !== secret) taints.push(trimmed);
    if (/^(?:bearer|basic)\s/i.test(secret)) headerParts(secret, taints);
  }
}

/** `Bearer x`, `Basic <user:password>`, `a=1; b=2`: the parts are the secrets. */
function headerParts(header: string, taints: string[]): void {
  const text = header.slice(0, 8192);
  const scheme = /^\s{0,4}([A-Za-z0-9-]{1,32})\s{1,4}(\S+)\s{0,4}$/.exec(text);
  if (scheme) {
    const credentials = scheme[2]!;
    taints.push(credentials);
    if (scheme[1]!.toLowerCase() === 'basic') {
      const decoded = Buffer.from(credentials, 'base64').toString('utf8');
      const colon = decoded.indexOf(':');
      if (colon !== -1) taints.push(decoded.slice(colon + 1));
    }
    return;
  }
  for (let parts = 0, from = 0; parts < MAX_PARTS && from < text.length; parts++) {
    const end = endOfPart(text, from);
    const equals = text.indexOf('=', from);
    const value = text.slice(equals === -1 || equals >= end ? from : equals + 1, end).trim();
    if (value.length >= SHORTEST_RANDOM) {
      const bare = value.replace(/^"|"$/g, '');
      if (looksRandom(bare)) taints.push(bare);
    }
    from = end + 1;
  }
}

function endOfPart(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 59 || code === 44) return i;
  }
  return text.length;
}

const SHORTEST_RANDOM = 12;

/** Letters and digits without a gap, and enough of them. */
export function looksRandom(text: string): boolean {
  return text.length >= SHORTEST_RANDOM && !/\s/.test(text) && /\d/.test(text) && /[A-Za-z]/.test(text);
}
