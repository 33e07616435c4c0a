import type { NameClassifier } from '../name-rules.js';
import type { Span } from './spans.js';
import { endOfQuoted } from './value-ends.js';

const INSERT =
  /\binsert\s{1,8}(?:into\s{1,8})?[^\s(]{1,128}\s{0,8}\(([^()]{1,4096})\)\s{0,8}values\s{0,8}(?=\()/gi;
const PLACEHOLDER = /^(?:\$\d{1,4}|\?|%s|[:@]\w{1,64}|null|default|true|false)$/i;
const ASSIGNED = /["`[]?(\w{1,64})["`\]]?\s{0,4}=\s{0,4}(\$\d{1,4}|\?)|(\?)/g;

/** `INSERT INTO users (name, password) VALUES ('ann', 'SECRET')`: the column says what the value is. */
export function findInserted(text: string, classify: NameClassifier, found: Span[]): void {
  INSERT.lastIndex = 0;
  for (let match = INSERT.exec(text); match; match = INSERT.exec(text)) {
    const columns = secretColumns(match[1]!, classify);
    let at = INSERT.lastIndex;
    if (!columns.some(Boolean)) continue;
    while (text[at] === '(') {
      at = readRow(text, at + 1, (i, start, end) => {
        const quoted = text[start] === "'" || text[start] === '"';
        if (!columns[i] || PLACEHOLDER.test(text.slice(start, end))) return;
        const span = quoted ? { start: start + 1, end: Math.max(start + 1, end - 1) } : { start, end };
        if (span.end > span.start) found.push({ ...span, rule: `pair:${columns[i]}`, taints: true });
      });
      const next = /^\s{0,8},\s{0,8}(?=\()/.exec(text.slice(at, at + 32));
      if (!next) break;
      at += next[0].length;
    }
    INSERT.lastIndex = Math.max(INSERT.lastIndex, at);
  }
}

/** Numbers (from 0) of the bound values that a statement puts into columns with secret names, or compares with them. */
export function secretPlaceholders(statement: string, classify: NameClassifier): readonly number[] {
  const places = new Set<number>();
  let unnumbered = 0;
  let from = 0;
  INSERT.lastIndex = 0;
  const insert = INSERT.exec(statement);
  if (insert) {
    const columns = secretColumns(insert[1]!, classify);
    let at = INSERT.lastIndex;
    while (statement[at] === '(') {
      at = readRow(statement, at + 1, (i, start, end) => {
        const value = statement.slice(start, end);
        const place = value === '?' ? unnumbered++ : value[0] === '$' ? Number(value.slice(1)) - 1 : -1;
        if (columns[i] && place >= 0) places.add(place);
      });
      at += /^\s{0,8},\s{0,8}(?=\()/.exec(statement.slice(at, at + 32))?.[0].length ?? 0;
    }
    from = at;
  }
  ASSIGNED.lastIndex = from;
  for (let match = ASSIGNED.exec(statement); match; match = ASSIGNED.exec(statement)) {
    const [, column, placeholder] = match;
    const place = placeholder?.[0] === '$' ? Number(placeholder.slice(1)) - 1 : unnumbered++;
    if (column !== undefined && isSecret(column, classify)) places.add(place);
  }
  return [...places];
}

/** For each column the word that makes it a secret, if there is one. */
function secretColumns(list: string, classify: NameClassifier): readonly (string | undefined)[] {
  return list.split(',').map((column) => {
    const name = column.replaceAll(/["`[\]]/g, '').trim();
    const rule = name.length <= 64 ? classify(name) : undefined;
    return rule && !rule.weak ? rule.word : undefined;
  });
}

function isSecret(column: string, classify: NameClassifier): boolean {
  const rule = classify(column);
  return rule !== undefined && !rule.weak;
}

/** Tells of each value of a row in brackets, and returns the place behind it. */
function readRow(text: string, from: number, tell: (i: number, start: number, end: number) => void): number {
  let i = 0;
  let depth = 0;
  let start = from;
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at];
    if (character === "'" || character === '"') {
      at = endOfText(text, at);
    } else if (character === '(') {
      depth++;
    } else if (character === ')' || character === ',') {
      if (character === ')' && depth > 0) {
        depth--;
      } else if (depth === 0) {
        value(at);
        if (character === ')') return at + 1;
        i++;
        start = at + 1;
      }
    }
  }
  value(at);
  return at;

  function value(end: number): void {
    let first = start;
    while (first < end && text[first]! <= ' ') first++;
    let last = end;
    while (last > first && text[last - 1]! <= ' ') last--;
    if (last > first) tell(i, first, last);
  }
}

/** The place of the closing quote; doubled quotes (`'it''s'`) belong to the text. */
function endOfText(text: string, opening: number): number {
  const quote = text[opening]!;
  let end = endOfQuoted(text, opening + 1, quote, 0);
  while (text[end + 1] === quote) end = endOfQuoted(text, end + 2, quote, 0);
  return end;
}
