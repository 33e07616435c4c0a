import type { NameClassifier } from '../name-rules.js';
import { isNameCode, MAX_NAME } from './characters.js';
import type { Span } from './spans.js';
import { endOfQuoted, endOfWord } from './value-ends.js';

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
