import { BACKSLASH, COLON, EQUALS, isBlank, isEnd, isNameCode } from './characters.js';

/** The closing quote of the same escape level: inside a level, quotes carry more backslashes than its own. */
export function endOfQuoted(text: string, from: number, quote: string, slashes: number): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let before = 0;
    while (at - before > from && text.charCodeAt(at - before - 1) === BACKSLASH) before++;
    if (slashes === 0 ? before % 2 === 0 : before <= slashes) return at - Math.min(before, slashes);
  }
  return text.length;
}

export function endOfBrackets(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return i + 1;
  }
  return text.length;
}

export function endOfLine(text: string, from: number, around: string | undefined): number {
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '\r' || character === '\n' || character === around) return i;
    // A header block inside JSON has its line ends escaped; quotes that close the JSON string end it too.
    if (character === '\\' && (text[i + 1] === 'r' || text[i + 1] === 'n' || text[i + 1] === '"')) return i;
  }
  return text.length;
}

export function endOfBare(text: string, from: number, around: string | undefined): number {
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

export function endOfWord(text: string, from: number): number {
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
