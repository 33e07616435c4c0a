/**
 * Whether bytes are canonical JSON (RFC 8785), by looking at each once. It answers `true` only where it is certain; what is
 * rare (keys that are not plain ASCII, numbers that are no small integers, great depth) is left to the slow way.
 * The bytes must be UTF-8.
 */
export function isCertainlyCanonical(bytes: Uint8Array, from: number, to: number): boolean {
  return bytes[from] === OPEN_BRACE && value(bytes, from, to, 0) === to;
}

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const MAX_DEPTH = 64;
const MAX_DIGITS = 15;

/** Each returns the position after what it read, or -1. */
function value(bytes: Uint8Array, at: number, to: number, depth: number): number {
  const first = bytes[at];
  if (first === QUOTE) return string(bytes, at + 1, to);
  if (first === OPEN_BRACE) return depth > MAX_DEPTH ? -1 : object(bytes, at + 1, to, depth + 1);
  if (first === OPEN_BRACKET) return depth > MAX_DEPTH ? -1 : array(bytes, at + 1, to, depth + 1);
  if (first === 116) return literal(bytes, at, 'true');
  if (first === 102) return literal(bytes, at, 'false');
  if (first === 110) return literal(bytes, at, 'null');
  return integer(bytes, at, to);
}

function string(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte < 32) return -1;
    if (byte === BACKSLASH) {
      const length = escapeLength(bytes, at);
      if (length === 0) return -1;
      at += length;
    } else {
      at++;
    }
  }
  return -1;
}

/** Control characters have one form each: the short one, or `\u00` and two lower-case digits. */
function escapeLength(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 98:
    case 102:
    case 110:
    case 114:
    case 116:
      return 2;
    case 117:
      break;
    default:
      return 0;
  }
  const [high, low] = [bytes[at + 4]! - ZERO, bytes[at + 5]!];
  if (bytes[at + 2] !== ZERO || bytes[at + 3] !== ZERO || (high !== 0 && high !== 1)) return 0;
  const digit = low >= ZERO && low <= NINE ? low - ZERO : low >= 97 && low <= 102 ? low - 87 : -1;
  if (digit === -1) return 0;
  // \b \t \n \f \r
  return high === 0 && digit >= 8 && digit <= 13 && digit !== 11 ? 0 : 6;
}

function object(bytes: Uint8Array, from: number, to: number, depth: number): number {
  if (bytes[from] === CLOSE_BRACE) return from + 1;
  let at = from;
  let [before, beforeEnd] = [0, 0];
  for (;;) {
    if (bytes[at] !== QUOTE) return -1;
    const key = at + 1;
    const keyEnd = plainKey(bytes, key, to);
    if (keyEnd === -1 || !isGreater(bytes, before, beforeEnd, key, keyEnd)) return -1;
    if (bytes[keyEnd + 1] !== COLON) return -1;
    at = value(bytes, keyEnd + 2, to, depth);
    if (at === -1) return -1;
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    [before, beforeEnd] = [key, keyEnd];
    at++;
  }
}

/** Where a key of printable ASCII ends. */
function plainKey(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte < 32 || byte > 126 || byte === BACKSLASH) return -1;
  }
  return -1;
}

/** The second key after the first one; equal ones are not. There is none before the first (`beforeEnd` 0). */
function isGreater(
  bytes: Uint8Array,
  before: number,
  beforeEnd: number,
  key: number,
  keyEnd: number,
): boolean {
  if (beforeEnd === 0) return true;
  const shared = Math.min(beforeEnd - before, keyEnd - key);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[key + i]! - bytes[before + i]!;
    if (difference !== 0) return difference > 0;
  }
  return keyEnd - key > beforeEnd - before;
}

function array(bytes: Uint8Array, from: number, to: number, depth: number): number {
  if (bytes[from] === CLOSE_BRACKET) return from + 1;
  let at = from;
  for (;;) {
    at = value(bytes, at, to, depth);
    if (at === -1) return -1;
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at++;
  }
}

function literal(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return -1;
  return at + text.length;
}

function integer(bytes: Uint8Array, from: number, to: number): number {
  const start = bytes[from] === MINUS ? from + 1 : from;
  let at = start;
  while (at < to && bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
  const digits = at - start;
  if (digits === 0 || digits > MAX_DIGITS) return -1;
  // No zero in front, no minus zero; a fraction or exponent is not certain.
  if (bytes[start] === ZERO && (digits > 1 || start !== from)) return -1;
  return bytes[at] === COMMA || bytes[at] === CLOSE_BRACE || bytes[at] === CLOSE_BRACKET ? at : -1;
}
