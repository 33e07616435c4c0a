import type { NameClassifier, NameRule } from '../name-rules.js';
import {
  BACKSLASH,
  COLON,
  EQUALS,
  GREATER,
  isBlank,
  isClosing,
  isDigit,
  isNameCode,
  isSeparator,
  isWhite,
  isWideSeparator,
  MAX_NAME,
} from './characters.js';
import { MASK, type Span } from './spans.js';
import { endOfBare, endOfBrackets, endOfLine, endOfQuoted } from './value-ends.js';

const SCHEME = /(?:bearer|basic|digest|token|apikey|negotiate|aws4-hmac-sha256)[ \t]{1,4}/iy;
const SECOND_WORD = /^(?:keys?|codes?|number|phrase|id|token|hash)$/i;

/**
 * `name=value`, `name: value`, `"name":"value"` (escaped any number of times), `name => 'value'`, `<name>value</name>`,
 * header lines and `--name value`, where the name says that the value is a secret.
 * Looks back at most 64 characters per separator and never goes back over a value: linear.
 */
export function findPairs(text: string, classify: NameClassifier, found: Span[]): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== EQUALS && code !== COLON && code !== GREATER && !isWideSeparator(code)) continue;
    const name = nameBefore(text, i);
    if (name === undefined) continue;
    const rule = ruleOf(name, text, classify, code);
    if (!rule) {
      if (LABEL.test(name.text)) i = findLabelled(text, i, classify, found);
      continue;
    }
    const value =
      code === GREATER ? elementValue(text, i, name) : valueAfter(text, i + 1, name, rule, code === COLON);
    if (!value || value.end <= value.start) continue;
    found.push({ ...value, rule: `pair:${rule.word}`, taints: !rule.weak });
    i = value.end - 1;
  }
}

/**
 * `name="password" value="..."` in HTML, `"name":"password","value":"..."` in broken JSON, and the part of a form
 * `name="password"`, empty line, value. Returns where the search goes on.
 */
function findLabelled(text: string, separator: number, classify: NameClassifier, found: Span[]): number {
  let start = separator + 1;
  while (
    start - separator < 16 &&
    (isBlank(text.charCodeAt(start)) || text.charCodeAt(start) === BACKSLASH)
  ) {
    start++;
  }
  const quote = text[start];
  if (quote !== '"' && quote !== "'") return separator;
  let end = start + 1;
  while (end - start <= MAX_NAME && isNameCode(text.charCodeAt(end))) end++;
  const rule = classify(text.slice(start + 1, end));
  if (!rule || rule.weak) return separator;
  const part = VALUE_PART.exec(text.slice(end, end + 240));
  if (!part) return separator;
  const from = end + part.index + part[0].length;
  const to =
    part[1] === undefined ? endOfPart(text, from) : endOfQuoted(text, from, part[2]!, part[1].length);
  if (to <= from) return separator;
  found.push({ start: from, end: to, rule: `pair:${rule.word}`, taints: true });
  return to - 1;
}

const LABEL = /^(?:name|type|field|key|header|param|id|autocomplete)$/i;
const VALUE_PART = /\bvalue\\{0,8}["']?\s{0,4}[:=]\s{0,4}(\\{0,8})(["'])|\r\n\r\n/;

function endOfPart(text: string, from: number): number {
  const boundary = text.indexOf('\r\n--', from);
  return boundary === -1 ? text.length : boundary;
}

interface Name {
  readonly text: string;
  readonly start: number;
  readonly quoted: boolean;
}

function nameBefore(text: string, separator: number): Name | undefined {
  let end = separator;
  for (let n = 0; n < 16 && end > 0 && isBlank(text.charCodeAt(end - 1)); n++) end--;
  const beforeQuotes = end;
  for (let n = 0; n < 12 && end > 0 && isClosing(text.charCodeAt(end - 1)); n++) end--;
  let start = end;
  while (start > 0 && end - start < MAX_NAME && isNameCode(text.charCodeAt(start - 1))) start--;
  if (start === end) return undefined;
  // Times (12:30), also behind a date, and ratios are the most frequent separators in logs.
  if (isDigit(text.charCodeAt(separator + 1)) && isDigit(text.charCodeAt(end - 1))) {
    if (end - start <= 2 || isDateAndHour(text, start, end)) return undefined;
  }
  return { text: text.slice(start, end), start, quoted: beforeQuotes !== end };
}

/** `2026-11-25T10`, as ISO 8601 and RFC 3339 have it before the first colon. */
function isDateAndHour(text: string, start: number, end: number): boolean {
  if (end - start !== 13 || text.charCodeAt(start + 10) !== LETTER_T) return false;
  return (
    isDigit(text.charCodeAt(start)) &&
    text.charCodeAt(start + 4) === DASH &&
    text.charCodeAt(start + 7) === DASH
  );
}

const DASH = 45;
const LETTER_T = 84;

function ruleOf(name: Name, text: string, classify: NameClassifier, separator: number): NameRule | undefined {
  const rule = classify(name.text);
  if (rule && (!rule.weak || separator === EQUALS || name.quoted)) return rule;
  // `api key: ...`: the word before belongs to the name.
  if (!SECOND_WORD.test(name.text) || text[name.start - 1] !== ' ') return undefined;
  const end = name.start - 1;
  let start = end;
  while (start > 0 && end - start < MAX_NAME && isNameCode(text.charCodeAt(start - 1))) start--;
  const both = start < end ? classify(`${text.slice(start, end)} ${name.text}`) : undefined;
  return both && !both.weak ? both : undefined;
}

interface Value {
  readonly start: number;
  readonly end: number;
}

function elementValue(text: string, close: number, name: Name): Value | undefined {
  if (text[name.start - 1] !== '<') {
    // `password => 'x'`: the arrow's head is this separator, its shaft the one before.
    return undefined;
  }
  const end = text.indexOf('<', close + 1);
  return { start: close + 1, end: end === -1 ? text.length : end };
}

function valueAfter(
  text: string,
  from: number,
  name: Name,
  rule: NameRule,
  colon: boolean,
): Value | undefined {
  let start = from;
  while (start < from + 2 && isSeparator(text.charCodeAt(start))) start++;
  start = afterSpace(text, start, rule.header);
  if (text.startsWith(MASK, start)) return undefined;

  const opening = start;
  let slashes = 0;
  while (text.charCodeAt(start) === BACKSLASH) {
    start++;
    slashes++;
  }
  const quote = text[start];
  if (quote === '"' || quote === "'" || quote === '`') {
    const triple = quote.repeat(3);
    if (!text.startsWith(triple, start)) {
      return { start: start + 1, end: endOfQuoted(text, start + 1, quote, slashes) };
    }
    const close = text.indexOf(triple, start + 3);
    return { start: start + 3, end: close === -1 ? text.length : close };
  }
  start = opening;
  if (quote === '{' || quote === '[') return { start, end: endOfBrackets(text, start) };

  const around = enclosingQuote(text, name);
  if (rule.header && colon) return { start, end: endOfLine(text, start, around) };
  SCHEME.lastIndex = start;
  const scheme = SCHEME.exec(text);
  const first = scheme ? start + scheme[0].length : start;
  return { start, end: endOfBare(text, first, around) };
}

/** White space before a value; it may stand on the next line, behind a YAML block mark or a type of `var_dump()`. */
function afterSpace(text: string, from: number, header: boolean): number {
  const isSpace = header ? isBlank : isWhite;
  let start = from;
  while (start - from < 64 && isSpace(text.charCodeAt(start))) start++;
  BLOCK_MARK.lastIndex = start;
  return start + (BLOCK_MARK.exec(text)?.[0].length ?? 0);
}

const BLOCK_MARK = /[|>][+-]?\r?\n[ \t]{1,64}|string\(\d{1,9}\) /y;

function enclosingQuote(text: string, name: Name): string | undefined {
  if (name.quoted) return undefined;
  const before = text[name.start - 1];
  return before === '"' || before === "'" || before === '`' ? before : undefined;
}
