import type { NameClassifier, NameRule } from '../name-rules.js';
import { PRIVATE_PARTS } from '../companions.js';
import { looksRandom } from '../taints.js';
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
import { elementSecret } from './markup.js';
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
    if (code === GREATER) {
      const held = elementSecret(text, i, classify);
      if (held) {
        found.push(held);
        i = held.end - 1;
      }
      continue;
    }
    const name = nameBefore(text, i);
    if (name === undefined) continue;
    if (LABEL.test(name.text)) {
      const end = findLabelled(text, i, classify, found);
      if (end > i) {
        i = end;
        continue;
      }
    }
    const rule = ruleOf(name, text, classify, code) ?? inQuery(name, text, code) ?? inKey(name, text);
    if (!rule || isResourceName(text, name, code)) continue;
    const value = valueAfter(text, i + 1, name, rule, code === COLON);
    if (!value || value.end <= value.start) continue;
    if (rule === QUERY_ONLY && !looksRandom(text.slice(value.start, value.end))) continue;
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
  if (quote !== '"' && quote !== "'") return findLabelledLine(text, separator, start, classify, found);
  const end = text.slice(start + 1, start + 2 + MAX_NAME).search(/["'\\]/) + start + 1;
  const rule = end > start ? classify(text.slice(start + 1, end)) : undefined;
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

/** `- name: DB_PASSWORD`, and in the next line `value: ...`, as in YAML. */
function findLabelledLine(
  text: string,
  separator: number,
  start: number,
  classify: NameClassifier,
  found: Span[],
): number {
  if (text.charCodeAt(separator) !== COLON) return separator;
  const line = LABELLED_LINE.exec(text.slice(start, start + 240));
  const rule = line ? classify(line[1]!) : undefined;
  if (!line || !rule || rule.weak) return separator;
  const from = start + line[0].length;
  const quote = text[from];
  const quoted = quote === '"' || quote === "'";
  const end = quoted ? endOfQuoted(text, from + 1, quote, 0) : endOfLine(text, from, undefined);
  if (end <= from) return separator;
  found.push({ start: quoted ? from + 1 : from, end, rule: `pair:${rule.word}`, taints: true });
  return end - 1;
}

const LABELLED_LINE = /^([\w.-]{1,64})[ \t]{0,8}\r?\n[ \t]{1,64}value[ \t]{0,8}:[ \t]{0,8}(?=\S)/;
const LABEL = /^(?:name|type|field|key|header|param|id|autocomplete|parameterkey)$/i;
const VALUE_PART = /\b(?:parameter)?value\\{0,8}["']?\s{0,4}[:=]\s{0,4}(\\{0,8})(["'])|\r?\n\r?\n/i;

function endOfPart(text: string, from: number): number {
  const boundary = text.indexOf('\n--', from);
  if (boundary === -1) return text.length;
  return text[boundary - 1] === '\r' ? boundary - 1 : boundary;
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

/** `?code=...&state=...` and `&Signature=...`: common words elsewhere. */
function inQuery(name: Name, text: string, separator: number): NameRule | undefined {
  if (separator !== EQUALS || !/^(?:code|signature)$/i.test(name.text)) return undefined;
  const before = text[name.start - 1];
  return before === undefined || before === '?' || before === '&' ? QUERY_ONLY : undefined;
}

/** `d: '...'` near `kty`: the private parts of a JSON Web Key that is no JSON, as `util.inspect()` shows it. */
function inKey(name: Name, text: string): NameRule | undefined {
  if (!PRIVATE_PARTS.has(name.text)) return undefined;
  const around = text.slice(Math.max(0, name.start - LONGEST_KEY), name.start + LONGEST_KEY);
  return /\bkty\b/.test(around) ? KEY_PART : undefined;
}

const LONGEST_KEY = 2048;
const KEY_PART: NameRule = { word: 'jwk', weak: false, header: false, countable: false };
const QUERY_ONLY: NameRule = { word: 'code', weak: false, header: false, countable: false };

/** `arn:aws:secretsmanager:eu-1:1:secret:db` names a secret and holds none. */
function isResourceName(text: string, name: Name, separator: number): boolean {
  if (separator !== COLON || text[name.start - 1] !== ':') return false;
  return /\barn:\S*$/.test(text.slice(Math.max(0, name.start - 120), name.start));
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
  const literal = name.quoted ? jsonLiteral(text, start) : undefined;
  if (literal !== undefined) {
    const isCount = rule.countable && isDigit(text.charCodeAt(start));
    return isCount || !isDigit(text.charCodeAt(start)) ? undefined : { start, end: start + literal.length };
  }
  PLACEHOLDER.lastIndex = start;
  if (PLACEHOLDER.test(text)) return undefined;
  if (quote === '{' || quote === '[') return { start, end: endOfBrackets(text, start) };

  const around = enclosingQuote(text, name);
  if (rule.header && colon) return { start, end: endOfLine(text, start, around) };
  SCHEME.lastIndex = start;
  const scheme = SCHEME.exec(text);
  const first = scheme ? start + scheme[0].length : start;
  return { start, end: endOfBare(text, first, around) };
}

function jsonLiteral(text: string, start: number): string | undefined {
  JSON_LITERAL.lastIndex = start;
  return JSON_LITERAL.exec(text)?.[0];
}

const JSON_LITERAL = /(?:null|true|false|[0-9][0-9.]{0,30})(?=\s{0,4}[,}\]])/y;
/** What a statement or a format has in place of a value. */
const PLACEHOLDER = /(?:\$\d{1,4}|\?|%s)(?=[\s,;)]|$)/y;

/** White space before a value; it may stand on the next line, behind a YAML block mark or a type of `var_dump()`. */
function afterSpace(text: string, from: number, header: boolean): number {
  const isSpace = header ? isBlank : isWhite;
  let start = from;
  while (start - from < 64 && isSpace(text.charCodeAt(start))) start++;
  BLOCK_MARK.lastIndex = start;
  return start + (BLOCK_MARK.exec(text)?.[0].length ?? 0);
}

const BLOCK_MARK = /[|>][+-]?\r?\n[ \t]{1,64}|-[ \t]{1,8}(?=\S)|string\(\d{1,9}\) /y;

function enclosingQuote(text: string, name: Name): string | undefined {
  if (name.quoted) return undefined;
  const before = text[name.start - 1];
  return before === '"' || before === "'" || before === '`' ? before : undefined;
}
