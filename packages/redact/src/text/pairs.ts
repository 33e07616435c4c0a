import type { NameClassifier, NameRule } from '../name-rules.js';
import { MASK, type Span } from './spans.js';

const MAX_NAME = 64;
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

/** `password 'hunter2'`, `IDENTIFIED BY 'hunter2'`, `invalid token "..."`: the value in quotes behind the bare name. */
export function findQuoted(text: string, classify: NameClassifier, found: Span[]): void {
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code !== 34 && code !== 39) || text.charCodeAt(i - 1) !== 32) continue;
    let start = i - 1;
    while (start > 0 && i - start < MAX_NAME && isNameCode(text.charCodeAt(start - 1))) start--;
    const word = text.slice(start, i - 1);
    const identified = /^by$/i.test(word) && /identified $/i.test(text.slice(Math.max(0, start - 11), start));
    const rule = word === '' ? undefined : classify(word);
    if (!identified && (!rule || rule.weak)) continue;
    const end = endOfQuoted(text, i + 1, text[i]!, 0);
    if (end > i + 1)
      found.push({ start: i + 1, end, rule: `pair:${rule?.word ?? 'password'}`, taints: true });
    i = end;
  }
}

/** `--password hunter2`, `--token=...` is a pair already. */
export function findFlags(text: string, classify: NameClassifier, found: Span[]): void {
  for (let at = text.indexOf('--'); at !== -1; at = text.indexOf('--', at + 2)) {
    let end = at + 2;
    while (end < text.length && end - at < MAX_NAME && isNameCode(text.charCodeAt(end))) end++;
    if (text[end] !== ' ') continue;
    const option = text.slice(at + 2, end);
    const start = end + 1;
    if (option === 'user') userPassword(text, start, found);
    const rule = classify(option);
    if (!rule) continue;
    const stop = endOfWord(text, start);
    if (stop > start) found.push({ start, end: stop, rule: `pair:${rule.word}`, taints: !rule.weak });
  }
}

/** `curl -u ann:hunter2`. */
export function findUserFlags(text: string, found: Span[]): void {
  for (let at = text.indexOf(' -u '); at !== -1; at = text.indexOf(' -u ', at + 4)) {
    userPassword(text, at + 4, found);
  }
}

function userPassword(text: string, start: number, found: Span[]): void {
  const end = endOfWord(text, start);
  const colon = text.slice(start, end).indexOf(':');
  // `-u 1000:1000` is a user and a group.
  if (colon === -1 || start + colon + 1 >= end || /^\d{1,6}:\d{1,6}$/.test(text.slice(start, end))) return;
  found.push({ start: start + colon + 1, end, rule: 'pair:user', taints: true });
}

const EQUALS = 61;
const COLON = 58;
const GREATER = 62;
const BACKSLASH = 92;

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
  // Times (12:30) and ratios are the most frequent separators in logs.
  if (isDigit(text.charCodeAt(separator + 1)) && isDigit(text.charCodeAt(end - 1)) && end - start <= 2) {
    return undefined;
  }
  return { text: text.slice(start, end), start, quoted: beforeQuotes !== end };
}

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
  let start = from;
  while (
    start - from < 64 &&
    (isBlank(text.charCodeAt(start)) || (!header && isLineEnd(text.charCodeAt(start))))
  ) {
    start++;
  }
  BLOCK_MARK.lastIndex = start;
  return start + (BLOCK_MARK.exec(text)?.[0].length ?? 0);
}

const BLOCK_MARK = /[|>][+-]?\r?\n[ \t]{1,64}|string\(\d{1,9}\) /y;

/** The closing quote of the same escape level: inside a level, quotes carry more backslashes than its own. */
function endOfQuoted(text: string, from: number, quote: string, slashes: number): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let before = 0;
    while (at - before > from && text.charCodeAt(at - before - 1) === BACKSLASH) before++;
    if (slashes === 0 ? before % 2 === 0 : before <= slashes) return at - Math.min(before, slashes);
  }
  return text.length;
}

function endOfBrackets(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return i + 1;
  }
  return text.length;
}

function enclosingQuote(text: string, name: Name): string | undefined {
  if (name.quoted) return undefined;
  const before = text[name.start - 1];
  return before === '"' || before === "'" || before === '`' ? before : undefined;
}

function endOfLine(text: string, from: number, around: string | undefined): number {
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '\r' || character === '\n' || character === around) return i;
    // A header block inside JSON has its line ends escaped; quotes that close the JSON string end it too.
    if (character === '\\' && (text[i + 1] === 'r' || text[i + 1] === 'n' || text[i + 1] === '"')) return i;
  }
  return text.length;
}

function endOfBare(text: string, from: number, around: string | undefined): number {
  let i = from;
  for (; i < text.length; i++) {
    const character = text[i]!;
    const next = text.charCodeAt(i + 1);
    if (isBlank(text.charCodeAt(i)) || character === '&' || character === around) return i;
    if (character === '\n' || character === '\r') return i;
    if (character === '\\' && (next === 34 || next === 39)) return i;
    if ((character === ';' || character === ',') && (isEnd(next) || startsPair(text, i + 1))) return i;
    if ((character === '"' || character === "'") && (isEnd(next) || CLOSERS.includes(text[i + 1]!))) return i;
    if ((character === '}' || character === ')') && isEnd(next)) return i;
  }
  return i;
}

function endOfWord(text: string, from: number): number {
  let i = from;
  const quote = text[i] === '"' || text[i] === "'" ? text[i]! : undefined;
  if (quote !== undefined) return endOfQuoted(text, i + 1, quote, 0);
  while (i < text.length && !isEnd(text.charCodeAt(i))) i++;
  return i;
}

const CLOSERS = ',;)}]>';

/** A new `word=` or `word:` begins here, so that what stood before was a delimiter and no part of the value. */
function startsPair(text: string, from: number): boolean {
  let i = from;
  while (i - from < 32 && isNameCode(text.charCodeAt(i))) i++;
  const code = text.charCodeAt(i);
  return i > from && (code === EQUALS || code === COLON);
}

function isEnd(code: number): boolean {
  return Number.isNaN(code) || isBlank(code) || code === 10 || code === 13;
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function isLineEnd(code: number): boolean {
  return code === 10 || code === 13;
}

/** The fullwidth forms of `=` and `:`. */
function isWideSeparator(code: number): boolean {
  return code === 0xff1d || code === 0xff1a;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isSeparator(code: number): boolean {
  return code === EQUALS || code === GREATER || code === COLON;
}

function isClosing(code: number): boolean {
  // Quotes, backslashes and the ends of `user[password]` and `(password)`.
  return code === 34 || code === 39 || code === 96 || code === BACKSLASH || code === 93 || code === 41;
}

// Letters, digits, _ - . $ and everything beyond ASCII (look-alikes are folded later).
function isNameCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45 ||
    code === 46 ||
    code === 36 ||
    code >= 128
  );
}
