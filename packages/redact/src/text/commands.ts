import type { NameClassifier, NameRule } from '../name-rules.js';
import { looksRandom } from '../taints.js';
import { MAX_NAME } from './characters.js';
import { programRule, type ProgramRule } from './programs.js';
import type { Span } from './spans.js';
import { endOfBare, endOfQuoted, endOfWord } from './value-ends.js';

/** Where in a word a secret begins, which runs to the word's end. */
export interface Found {
  readonly at: number;
  readonly rule: string;
  readonly taints: boolean;
}

export interface CommandReader {
  /** It is said from the beginning which program it is. */
  readonly isKnown: boolean;
  /** Looks at the next word of a command: `-pSECRET`, or SECRET behind `-p`, `--password`, `-u` and the like. */
  read(word: string): Found | undefined;
  /** The command ends here, and another may begin. */
  end(): void;
}

type Expected =
  | { readonly kind: 'secret'; readonly name: NameRule | undefined; readonly skip: number }
  | { readonly kind: 'user'; readonly between: string; readonly sure: boolean }
  | { readonly kind: 'all' };

const PASSWORD = 'pair:password';
/** What people write behind the name of an option when they talk about it. */
const PROSE =
  /^(?:to|is|are|was|and|or|of|for|in|on|as|the|a|an|not|no|with|without|from|must|may|can|has|flag|flags|option|options|argument|arguments|value|values|instead|required|missing|set|given|here|when|if|then)$/i;

/**
 * Reads a command word by word, the same for words of a text and for a list of arguments.
 * @param started What the program says that is known from elsewhere.
 */
export function readCommand(classify: NameClassifier, started?: ProgramRule): CommandReader {
  let program = started;
  let open = started?.behind === undefined;
  let expected: Expected | undefined = started?.all === true ? { kind: 'all' } : undefined;
  let before = '';

  return {
    isKnown: started !== undefined,
    read(word) {
      const awaited = expected;
      const last = before;
      expected = undefined;
      before = word;
      const value = awaited && valueIn(word, awaited);
      if (value) return value;
      if (program !== undefined && word[0] === '-') {
        const glued = inOption(word, program);
        if (glued) return glued;
      }
      if (program?.batch === true && /^-[A-Za-z]{0,8}b/.test(word)) {
        expected = { kind: 'secret', name: undefined, skip: 2 };
      } else if (program === undefined && word === '-u') {
        expected = { kind: 'user', between: ':', sure: false };
      } else if (expected === undefined && word[0] === '-') {
        return longOption(word);
      } else if (expected === undefined) {
        plainWord(word, last);
      }
      return program?.logon === true ? logon(word) : undefined;
    },
    end() {
      program = undefined;
      expected = undefined;
    },
  };

  function valueIn(word: string, awaited: Expected): Found | undefined {
    if (word === '' || (word[0] === '-' && word.length > 1)) return undefined;
    switch (awaited.kind) {
      case 'all':
        expected = awaited;
        return { at: 0, rule: PASSWORD, taints: true };
      case 'user':
        return userPassword(word, 0, awaited.between, awaited.sure);
      default:
        if (awaited.skip > 0) {
          expected = { ...awaited, skip: awaited.skip - 1 };
          return undefined;
        }
        return secretValue(word, awaited.name);
    }
  }

  function secretValue(word: string, name: NameRule | undefined): Found | undefined {
    if (name === undefined) {
      // What follows may be another command: `sshpass -p SECRET ssh -p 22 host`.
      program = undefined;
      return { at: 0, rule: PASSWORD, taints: true };
    }
    if (PROSE.test(word) || (name.weak && !looksRandom(word))) return undefined;
    return { at: 0, rule: `pair:${name.word}`, taints: true };
  }

  /** `-pSECRET`, `-uann:SECRET`; for `-p` alone the next word is expected. */
  function inOption(word: string, { letters, users }: ProgramRule): Found | undefined {
    if (users !== undefined && word[1] !== '-') {
      const letter = users.letters.find((one) => word[1] === one || word.endsWith(one));
      if (letter !== undefined && /^-[A-Za-z]{1,8}$/.test(word) && word.endsWith(letter)) {
        expected = { kind: 'user', between: users.between, sure: true };
        return undefined;
      }
      return letter !== undefined && word[1] === letter
        ? userPassword(word, 2, users.between, true)
        : undefined;
    }
    if (letters === undefined || !open) return undefined;
    for (const [letter, how] of Object.entries(letters)) {
      if (!word.startsWith(letter, 1)) continue;
      const from = letter.length + 1;
      if (word.length === from) {
        if (how !== 'glued') expected = { kind: 'secret', name: undefined, skip: 0 };
        return undefined;
      }
      if (how === 'apart') return undefined;
      program = undefined;
      return { at: word[from] === '=' ? from + 1 : from, rule: PASSWORD, taints: true };
    }
    return undefined;
  }

  function longOption(word: string): Found | undefined {
    const user = USER_OPTION.exec(word)?.[0].length;
    if (user !== undefined) return userPassword(word, user, ':', true);
    const literal = LITERAL_OPTION.exec(word)?.[0].length;
    if (literal !== undefined) return { at: literal, rule: 'pair:secret', taints: true };
    const dashes = word[1] === '-' ? 2 : 1;
    if (word.length - dashes < 3 || word.length > MAX_NAME || word.includes('=')) return undefined;
    const option = word.slice(dashes);
    if (option === 'user' || option === 'proxy-user') {
      expected = { kind: 'user', between: ':', sure: true };
      return undefined;
    }
    const name = /^[A-Za-z0-9_.-]+$/.test(option) ? classify(option) : undefined;
    if (name && (dashes === 2 || !name.weak)) expected = { kind: 'secret', name, skip: 0 };
    else if (option === 'oauth2-bearer') expected = { kind: 'secret', name: BEARER, skip: 0 };
    return undefined;
  }

  function plainWord(word: string, last: string): void {
    const skip =
      program?.words && Object.hasOwn(program.words, word.toLowerCase())
        ? program.words[word.toLowerCase()]!
        : undefined;
    if (skip !== undefined) {
      expected = skip < 0 ? { kind: 'all' } : { kind: 'secret', name: undefined, skip };
      return;
    }
    if (last === 'set' && /[_:]/.test(word)) {
      const name = classify(word);
      if (name && !name.weak) expected = { kind: 'secret', name, skip: 0 };
    }
    if (program?.behind?.test(word)) open = true;
    const next = programRule(word);
    if (next === undefined) return;
    program = next;
    open = next.behind === undefined;
    if (next.words && Object.hasOwn(next.words, word))
      expected = { kind: 'secret', name: undefined, skip: next.words[word]! };
  }

  /** `sqlplus scott/tiger@db`. */
  function logon(word: string): Found | undefined {
    const slash = word.indexOf('/');
    if (slash < 1 || slash === word.length - 1) return undefined;
    program = undefined;
    return { at: slash + 1, rule: PASSWORD, taints: true };
  }
}

const USER_OPTION = /^--(?:proxy-)?user=/;
/** `kubectl create secret generic db --from-literal=url=SECRET`. */
const LITERAL_OPTION = /^--from-literal=[^=]{1,256}=(?=.)/;
const BEARER: NameRule = { word: 'bearer', weak: false, header: false, countable: false };

/** @param sure Of a program that is not known, `-u origin:main` may be anything. */
function userPassword(word: string, from: number, between: string, sure: boolean): Found | undefined {
  const at = word.indexOf(between, from) + 1;
  // `-u 1000:1000` is a user and a group.
  if (at <= from + 1 || at === word.length || /^\d{1,6}:\d{1,6}$/.test(word.slice(from))) return undefined;
  if (!sure && /^[a-z_.-]*$/.test(word.slice(at))) return undefined;
  return { at, rule: 'pair:user', taints: true };
}

const WORD = /(?:(?!["'],["'])[^\s;|&])+|[\n;|&]/g;
const OPENING = /^["'`([{,$]{1,8}/;
const CLOSING = /["'`)\]},]{1,8}$/;
const END_OF_COMMAND = /^[\n;|&]$/;
/** Programs that take secrets without a dash are seen at the beginning of a text only. */
const FIRST =
  /^(?:Command failed: |[$+>] )?["']?(?:\S{0,64}\/)?(?:redis-cli|vault|rabbitmqctl|mysqladmin|nmcli|wpa_passphrase|sqlplus|npm|aws)\s/;
const FIRST_LETTERS = 'rvmnwsaC$+>/"\'';
const HINT = /(?:^|[\s"'])-[A-Za-z-]/;

/** @param dashes There is an option in the text, perhaps. */
export function mayBeCommand(text: string, dashes: boolean): boolean {
  return (dashes && HINT.test(text)) || (FIRST_LETTERS.includes(text[0]!) && FIRST.test(text));
}

/** Secrets of command lines in a text. Walks over the words once. */
export function findCommandSecrets(text: string, classify: NameClassifier, found: Span[]): void {
  const reader = readCommand(classify);
  WORD.lastIndex = 0;
  for (let match = WORD.exec(text); match; match = WORD.exec(text)) {
    const [word] = match;
    if (END_OF_COMMAND.test(word)) {
      // A line that ends with a backslash goes on.
      if (word !== '\n' || text[match.index - 1] !== '\\') reader.end();
      continue;
    }
    const opening = OPENING.exec(word)?.[0].length ?? 0;
    const bare = word.slice(opening).replace(CLOSING, '');
    const secret = reader.read(bare);
    if (secret === undefined) continue;
    const [start, end] = valueAt(text, match.index + opening + secret.at, text[match.index + opening - 1]);
    if (end > start) found.push({ start, end, rule: secret.rule, taints: secret.taints });
    WORD.lastIndex = Math.max(WORD.lastIndex, end);
  }
}

/** A value in quotes goes on behind the blanks in it. */
function valueAt(
  text: string,
  start: number,
  opening: string | undefined,
): readonly [start: number, end: number] {
  const quote = text[start];
  if (quote === '"' || quote === "'") return [start + 1, endOfWord(text, start)];
  if (opening === '"' || opening === "'") return [start, endOfQuoted(text, start, opening, 0)];
  return [start, endOfBare(text, start, undefined)];
}
