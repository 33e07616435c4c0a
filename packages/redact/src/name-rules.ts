import { foldName } from './confusables.js';
import {
  ABOUT,
  CARD_OWNERS,
  CARD_PARTS,
  CODE_OWNERS,
  COUNTABLE,
  FINAL,
  GLUED,
  HEADER_WORDS,
  KEY_OWNERS,
  SESSION_PARTS,
  STRONG,
  VALUE_LIKE,
  WHOLE,
} from './name-words.js';

/** Why a name holds a secret. */
export interface NameRule {
  /** For `explain()`: the word that decided. */
  readonly word: string;
  /** Common words (`key`, `session`) that need more evidence in running text, and for the taint of other places. */
  readonly weak: boolean;
  /** In text, the value runs to the end of the line. */
  readonly header: boolean;
  /** A number under this name is a count. */
  readonly countable: boolean;
}

export type NameClassifier = (name: string) => NameRule | undefined;

const MAX_NAME = 256;
const CACHE_SIZE = 4096;

/**
 * Decides by name. `extra` adds names (matched as whole words in any spelling) or patterns (on the folded, lower-case
 * name); `allow` lists names, in any spelling, that are never secret by name.
 * Answers are remembered for up to 4,096 short names.
 */
export function compileNames(extra: readonly (string | RegExp)[], allow: readonly string[]): NameClassifier {
  const allowed = new Set(allow.map((name) => wordsOf(name).join('')));
  const phrases = extra.filter((rule) => typeof rule === 'string').map((name) => wordsOf(name));
  const patterns = extra
    .filter((rule) => typeof rule !== 'string')
    .map((pattern) => new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')));
  let cache = new Map<string, NameRule | undefined>();

  function decide(name: string): NameRule | undefined {
    const words = wordsOf(name);
    const glued = words.join('');
    if (glued === '' || allowed.has(glued)) return undefined;
    for (const phrase of phrases) {
      if (phrase.length > 0 && (containsPhrase(words, phrase) || glued === phrase.join(''))) {
        return rule(phrase.join('_'));
      }
    }
    const folded = foldName(name).toLowerCase();
    for (const pattern of patterns) {
      if (pattern.test(folded) || pattern.test(name)) return rule(pattern.source);
    }
    return byWords(words) ?? byGlued(glued, words);
  }

  return (name) => {
    if (name.length > 64) return decide(shorten(name));
    const known = cache.get(name);
    if (known !== undefined || cache.has(name)) return known;
    const decided = decide(name);
    if (cache.size >= CACHE_SIZE) cache = new Map();
    cache.set(name, decided);
    return decided;
  };
}

function rule(word: string, weak = false): NameRule {
  return { word, weak, header: HEADER_WORDS.has(word), countable: COUNTABLE.has(word) };
}

/** The words of a name, lower-case: borders are everything but letters and digits, and changes of case. */
export function wordsOf(name: string): string[] {
  const found = foldName(name).match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+/g);
  return found ? found.map((word) => word.toLowerCase()) : [];
}

function byWords(words: readonly string[]): NameRule | undefined {
  const last = words.length - 1;
  for (let i = last; i >= 0; i--) {
    const word = words[i]!;
    const next = words[i + 1];
    const before = words[i - 1];
    if (STRONG.has(word) && !(next !== undefined && ABOUT.has(words[last]!))) return rule(word);
    if (word === 'session' && i === last - 1 && SESSION_PARTS.has(words[last]!)) return rule('session');
    const holds = next === undefined || (VALUE_LIKE.has(next) && !ABOUT.has(words[last]!));
    if (!holds) continue;
    if (FINAL.has(word) && !isCount(word, before)) return rule(word);
    if ((word === 'key' || word === 'keys') && before !== undefined && KEY_OWNERS.has(before)) {
      return rule(`${before}_key`);
    }
    if ((word === 'code' || word === 'codes') && before !== undefined && CODE_OWNERS.has(before)) {
      return rule(`${before}_code`);
    }
    if (CARD_PARTS.has(word) && before !== undefined && CARD_OWNERS.has(before)) return rule('card_number');
    if (word === 'phrase' && (before === 'pass' || before === 'seed' || before === 'recovery')) {
      return rule('passphrase');
    }
    if (word === 'auth' && i === last) return rule('auth', true);
  }
  const only = words[0];
  return last === 0 && only !== undefined && WHOLE.has(only) ? rule(only, true) : undefined;
}

function isCount(word: string, before: string | undefined): boolean {
  return (
    word === 'tokens' &&
    before !== undefined &&
    /^(?:max|min|num|total|prompt|completion|input|output)$/.test(before)
  );
}

function byGlued(glued: string, words: readonly string[]): NameRule | undefined {
  if (words.length > 1 && ABOUT.has(words.at(-1)!)) return undefined;
  const matched = GLUED.find((pattern) => pattern.test(glued));
  if (matched) return rule(glued.slice(0, 64));
  // Odd case or odd borders (`pAsSwOrD`, `s_e_c_r_e_t`) and digits for letters (`passw0rd`).
  if (STRONG.has(glued) || FINAL.has(glued)) return rule(glued);
  const unleet = glued.replace(/[0134578]/g, (digit) => LEET[digit]!);
  return unleet !== glued && unleet.length > 4 && STRONG.has(unleet) ? rule(unleet) : undefined;
}

const LEET: Readonly<Record<string, string>> = {
  0: 'o',
  1: 'i',
  3: 'e',
  4: 'a',
  5: 's',
  7: 't',
  8: 'b',
};

function containsPhrase(words: readonly string[], phrase: readonly string[]): boolean {
  for (let i = 0; i + phrase.length <= words.length; i++) {
    if (phrase.every((word, j) => words[i + j] === word)) return true;
  }
  return false;
}

// The decisive word stands at the start or at the end; what lies between cannot cost more than this.
function shorten(name: string): string {
  if (name.length <= MAX_NAME) return name;
  return `${name.slice(0, MAX_NAME / 2)} ${name.slice(-MAX_NAME / 2)}`;
}
