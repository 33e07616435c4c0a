import type { NameClassifier } from '../name-rules.js';
import { looksRandom } from '../taints.js';
import { isNameCode, MAX_NAME } from './characters.js';
import type { Span } from './spans.js';
import { endOfQuoted } from './value-ends.js';

/** `password 'hunter2'`, `IDENTIFIED BY 'hunter2'`, `invalid token "..."`: the value in quotes behind the bare name. */
export function findQuoted(text: string, classify: NameClassifier, found: Span[]): void {
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code !== 34 && code !== 39 && code !== 96) || text.charCodeAt(i - 1) !== 32) continue;
    const listed = inList(text, i, classify);
    if (listed) {
      found.push(listed);
      i = listed.end;
      continue;
    }
    const words = wordsBefore(text, i);
    const rule = words === undefined ? undefined : classify(words);
    const identified = IDENTIFIED.test(text.slice(Math.max(0, i - LONGEST_CLAUSE), i));
    if (!identified && (!rule || rule.weak)) continue;
    const end = endOfQuoted(text, i + 1, text[i]!, 0);
    if (end > i + 1)
      found.push({ start: i + 1, end, rule: `pair:${rule?.word ?? 'password'}`, taints: true });
    i = end;
  }
}

/** The word before a quote, or the one before that if it only joins the two: `password is "..."`, `token LIKE '...'`. */
function wordsBefore(text: string, quote: number): string | undefined {
  let end = quote - 1;
  let start = startOfWord(text, end);
  if (start === end ? text[end - 1] === '|' : JOINS.test(text.slice(start, end))) {
    end = (start === end ? end - 1 : start) - 1;
    if (text.charCodeAt(end) !== 32) return undefined;
    start = startOfWord(text, end);
  }
  return start === end ? undefined : text.slice(start, end);
}

function startOfWord(text: string, end: number): number {
  let start = end;
  while (start > 0 && end - start < MAX_NAME && isNameCode(text.charCodeAt(start - 1))) start--;
  return start;
}

const JOINS = /^(?:is|was|like|ilike|to|be)$/i;
const LONGEST_CLAUSE = 160;
const IDENTIFIED = /identified (?:with \S{1,40} )?by $|set password for [^=]{1,120}= $/i;

/** `'X-Api-Key', 'SECRET'`: flat headers as `util.inspect()` shows them; a list of words is none. */
function inList(text: string, quote: number, classify: NameClassifier): Span | undefined {
  if (text[quote - 2] !== ',' || text[quote - 3] !== text[quote]) return undefined;
  const start = startOfWord(text, quote - 3);
  const rule = start < quote - 3 ? classify(text.slice(start, quote - 3)) : undefined;
  if (!rule || rule.weak) return undefined;
  const end = endOfQuoted(text, quote + 1, text[quote]!, 0);
  return looksRandom(text.slice(quote + 1, end))
    ? { start: quote + 1, end, rule: `pair:${rule.word}`, taints: true }
    : undefined;
}
