import { hasRun } from './runs.js';

/** What a text might contain, found in one pass; each bit opens one scanner. */
export const PAIRS = 1;
/** A percent sign, ampersand or backslash: another spelling of characters may hide something. */
export const ESCAPES = 2;
/** A word as long as tokens are. */
export const LONG_RUN = 4;
export const DIGITS = 8;
export const SPACE = 16;
/** Two dashes, or one behind a space or quote: an option, or the armour of a key. */
export const DASHES = 32;
export const QUOTES = 64;
/** A gap behind a word that ends like "bearer" and "basic". */
export const SCHEMES = 128;
/** A dollar sign: password hashes begin with one. */
export const DOLLAR = 1 << 12;
/** A character that `escapeControls()` escapes and JSON does not. */
export const UNSAFE = 1 << 11;

const SEPARATOR = PAIRS;
const ESCAPE = ESCAPES;
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
const SAID_BY_ONE = SEPARATOR | ESCAPE | BLANK | QUOTE | DOLLAR | UNSAFE;

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const DIGIT_CHARACTERS = '0123456789';
const UNSAFE_CHARACTERS = [
  ...Array.from({ length: 0x21 }, (_, i) => String.fromCharCode(0x7f + i)),
  '\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff',
].join('');
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
  add('%&\\', ESCAPE);
  add(`${LETTERS}${DIGIT_CHARACTERS}_-`, WORD);
  add(`${LETTERS}${DIGIT_CHARACTERS}`, ALPHANUMERIC);
  add(DIGIT_CHARACTERS, DIGIT);
  add(' \t\n', BLANK);
  add('-', DASH);
  add('$', DOLLAR);
  add(`"'\``, QUOTE);
  add(' \t,', GAP);
  add('rRcC', LAST);
  add('eEiI', LAST_BUT_ONE);
  add(UNSAFE_CHARACTERS, UNSAFE);
  return table;
}

const CLASSES: Uint16Array = classTable();

export function sniff(text: string): number {
  const { length } = text;
  if (length === ISO_TIME.length && hasShape(text, ISO_TIME)) return 0;
  if (length === UUID.length && hasShape(text, UUID)) return 0;
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
      bits |= kind & (last | (last << 1) | (last >> 1)) & DASH;
    }
    lastButOne = last;
    last = kind;
  }
  if (length - wordStart >= RUN_LENGTH) bits |= LONG_RUN;
  if ((seen & DIGIT) !== 0 && hasRun(text, CARD_DIGITS, isPartOfNumber)) bits |= DIGITS;
  return bits | (seen & SAID_BY_ONE);
}

/** Whether no scanner would find anything; escapes may still hide something. */
export function isPlain(bits: number): boolean {
  return (
    (bits & ~(SPACE | QUOTES | ESCAPES | UNSAFE)) === 0 && (bits & (QUOTES | SPACE)) !== (QUOTES | SPACE)
  );
}

/** What `Date.prototype.toISOString()` and `crypto.randomUUID()` write: the most frequent texts of all in events. */
const ISO_TIME = '0000-00-00T00:00:00.000Z';
const UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

function hasShape(text: string, shape: string): boolean {
  for (let i = 0; i < shape.length; i++) {
    const wanted = shape.charCodeAt(i);
    const code = text.charCodeAt(i);
    const fits =
      wanted === ANY_DIGIT || wanted === ANY_HEX
        ? (code >= 48 && code <= 57) || (wanted === ANY_HEX && code >= 97 && code <= 102)
        : code === wanted;
    if (!fits) return false;
  }
  return true;
}

const ANY_DIGIT = 48;
const ANY_HEX = 102;

/** An ASCII letter or digit. */
export function isAlphanumeric(code: number): boolean {
  return (CLASSES[code]! & ALPHANUMERIC) !== 0;
}

function isPartOfNumber(code: number): boolean {
  return (CLASSES[code]! & (DIGIT | DASH | BLANK)) !== 0;
}
