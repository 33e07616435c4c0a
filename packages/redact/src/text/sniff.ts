import { hasRun } from './runs.js';

/** What a text might contain, found in one pass; each bit opens one scanner. */
export const PAIRS = 1;
export const PERCENT = 2;
/** A word as long as tokens are. */
export const LONG_RUN = 4;
export const DIGITS = 8;
export const SPACE = 16;
/** Two dashes, or one behind a space: an option, or the armour of a key. */
export const DASHES = 32;
export const QUOTES = 64;
/** A gap behind a word that ends like "bearer" and "basic". */
export const SCHEMES = 128;

const SEPARATOR = PAIRS;
const PERCENT_SIGN = PERCENT;
const WORD = 4;
const DIGIT = 8;
const BLANK = SPACE;
const DASH = 32;
const QUOTE = QUOTES;
const GAP = SCHEMES;
/** The last two letters of a scheme's name; each bit is so far from `GAP` as the letter stands before the gap. */
const LAST = GAP << 1;
const LAST_BUT_ONE = GAP << 2;
const ALPHANUMERIC = 1 << 10;
const SAID_BY_ONE = SEPARATOR | PERCENT_SIGN | BLANK | QUOTE;

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const DIGIT_CHARACTERS = '0123456789';
const RUN_LENGTH = 16;
const CARD_DIGITS = 13;

// One look-up per character and hardly a branch: this loop sees every string that is ever logged.
function classTable(): Uint16Array {
  const table = new Uint16Array(0x1_0000);
  const add = (characters: string, bit: number): void => {
    for (const character of characters) {
      const code = character.charCodeAt(0);
      table[code] = table[code]! | bit;
    }
  };
  add('=:>\uff1d\uff1a', SEPARATOR);
  add('%', PERCENT_SIGN);
  add(`${LETTERS}${DIGIT_CHARACTERS}_-`, WORD);
  add(`${LETTERS}${DIGIT_CHARACTERS}`, ALPHANUMERIC);
  add(DIGIT_CHARACTERS, DIGIT);
  add(' \t\n', BLANK);
  add('-', DASH);
  add(`"'\``, QUOTE);
  add(' \t,', GAP);
  add('rRcC', LAST);
  add('eEiI', LAST_BUT_ONE);
  return table;
}

const CLASSES: Uint16Array = classTable();

export function sniff(text: string): number {
  const { length } = text;
  let seen = 0;
  let bits = 0;
  let wordStart = 0;
  let last = 0;
  let lastButOne = 0;
  for (let i = 0; i < length; i++) {
    const kind = CLASSES[text.charCodeAt(i)]!;
    seen |= kind;
    if ((kind & WORD) === 0) {
      if (i - wordStart >= RUN_LENGTH) bits |= LONG_RUN;
      wordStart = i + 1;
      bits |= kind & (last >> 1) & (lastButOne >> 2) & GAP;
    } else {
      bits |= kind & (last | (last << 1)) & DASH;
    }
    lastButOne = last;
    last = kind;
  }
  if (length - wordStart >= RUN_LENGTH) bits |= LONG_RUN;
  if ((seen & DIGIT) !== 0 && hasRun(text, CARD_DIGITS, isPartOfNumber)) bits |= DIGITS;
  return bits | (seen & SAID_BY_ONE);
}

/** An ASCII letter or digit. */
export function isAlphanumeric(code: number): boolean {
  return (CLASSES[code]! & ALPHANUMERIC) !== 0;
}

function isPartOfNumber(code: number): boolean {
  return (CLASSES[code]! & (DIGIT | DASH | BLANK)) !== 0;
}
