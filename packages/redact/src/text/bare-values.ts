import type { NameClassifier } from '../name-rules.js';
import { isNameCode, MAX_NAME } from './characters.js';
import type { Span } from './spans.js';
import { endOfQuoted } from './value-ends.js';

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
