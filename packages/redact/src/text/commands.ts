import { isBlank } from './characters.js';
import type { Span } from './spans.js';
import { endOfBare, endOfWord } from './value-ends.js';

interface PasswordOption {
  readonly letter: string;
  /** `-pSECRET` and `-p SECRET`. Where only one is meant, the other is something else: `mysql -p shop` asks, and names a database. */
  readonly glued: boolean;
  readonly apart: boolean;
}

/** Programs that take a password as the value of one letter; for others the same letter is a port or a path. */
const PROGRAMS: readonly (readonly [name: RegExp, option: PasswordOption])[] = [
  [
    /^(?:mysql(?:dump|admin|import|show|check|slap|binlog|pump|sh)?|mariadb(?:-[a-z]{1,16})?|mycli|7z[ar]?)$/,
    { letter: 'p', glued: true, apart: false },
  ],
  [
    /^(?:sshpass|mongo(?:sh|dump|restore|export|import|stat|top|files)?)$/,
    { letter: 'p', glued: true, apart: true },
  ],
  [/^(?:redis|valkey|keydb)-cli$/, { letter: 'a', glued: false, apart: true }],
  [/^(?:sqlcmd|bcp)$/, { letter: 'P', glued: true, apart: true }],
  [
    /^ldap(?:search|add|modify|delete|modrdn|compare|whoami|passwd)$/,
    { letter: 'w', glued: true, apart: true },
  ],
];
const PROGRAM = /[a-z0-9-]+(?=(?:\.exe)?["'`]?$)/i;
const LONGEST_PROGRAM = 32;
const OPTION = /\s-[apPw]/;
const WORD = /[^\s;|&]+|[\n;|&]/g;
const END_OF_COMMAND = /^[\n;|&]$/;

/**
 * `mysql -pSECRET`, `sshpass -p SECRET`, `redis-cli -a SECRET`: an option of one letter, which only its program explains.
 * Walks over the words once.
 */
export function findCommandPasswords(text: string, found: Span[]): void {
  if (!OPTION.test(text)) return;
  let option: PasswordOption | undefined;
  WORD.lastIndex = 0;
  for (let match = WORD.exec(text); match; match = WORD.exec(text)) {
    const [word] = match;
    if (END_OF_COMMAND.test(word)) {
      // A line that ends with a backslash goes on.
      if (word !== '\n' || text[match.index - 1] !== '\\') option = undefined;
    } else if (option !== undefined && word[0] === '-' && word[1] === option.letter) {
      const end = passwordOf(text, match.index, word, option, found);
      WORD.lastIndex = Math.max(WORD.lastIndex, end);
      // What follows may be another command: `sshpass -p SECRET ssh -p 22 host`.
      if (end > 0) option = undefined;
    } else {
      option = optionOf(word) ?? option;
    }
  }
}

/** The end of what was found; 0 if it was nothing. */
function passwordOf(
  text: string,
  at: number,
  word: string,
  { glued, apart }: PasswordOption,
  found: Span[],
): number {
  let start = at + 2;
  if (word.length > 2 ? !glued : !apart) return 0;
  if (word.length === 2) while (isBlank(text.charCodeAt(start))) start++;
  const quote = text[start] === '"' || text[start] === "'";
  const end = quote ? endOfWord(text, start) : endOfBare(text, start, undefined);
  if (quote) start++;
  if (end > start) found.push({ start, end, rule: 'pair:password', taints: true });
  return end;
}

/** What a program's name says, with or without its folder, also as the first word in quotes. */
function optionOf(word: string): PasswordOption | undefined {
  const name = PROGRAM.exec(word.slice(-LONGEST_PROGRAM))?.[0];
  return name === undefined ? undefined : PROGRAMS.find(([program]) => program.test(name))?.[1];
}
