/** What a text might contain, found in one pass; each bit opens one scanner. */
export const PAIRS = 1;
export const PERCENT = 2;
export const LONG_RUN = 4;
export const DIGITS = 8;
export const SPACE = 16;
/** Two dashes, or one behind a space: an option, or the armour of a key. */
export const DASHES = 32;
export const QUOTES = 64;
/** Behind a word that ends like "bearer" and "basic". */
export const SCHEMES = 128;

const SEPARATOR = PAIRS;
const PERCENT_SIGN = PERCENT;
const RUN = 4;
const DIGIT = 8;
const BLANK = SPACE;
const DASH = 32;
const QUOTE = QUOTES;
const COMMA = 128;
const SAID_BY_ONE = SEPARATOR | PERCENT_SIGN | BLANK | QUOTE;

// One table look-up per character, without a comparison: this loop sees every string that is ever logged.
function classTable(): Uint8Array {
  const table = new Uint8Array(0x1_0000);
  const add = (characters: string, bits: number): void => {
    for (const character of characters) {
      const code = character.charCodeAt(0);
      table[code] = table[code]! | bits;
    }
  };
  add('=:>\uff1d\uff1a', SEPARATOR);
  add('%', PERCENT_SIGN);
  add('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-', RUN);
  add('0123456789', DIGIT);
  add(' \t\n', BLANK);
  add('-', DASH);
  add(`"'\``, QUOTE);
  add(',', COMMA);
  return table;
}

const CLASSES: Uint8Array = classTable();
const RUN_LENGTH = 16;
const CARD_DIGITS = 13;

export function sniff(text: string): number {
  let seen = 0;
  let bits = 0;
  let run = 0;
  let digits = 0;
  let before = 0;
  for (let i = 0; i < text.length; i++) {
    const kind = CLASSES[text.charCodeAt(i)]!;
    seen |= kind;
    if ((kind & RUN) === 0) {
      run = 0;
      if ((kind & BLANK) === 0) digits = 0;
      if ((kind & (BLANK | COMMA)) !== 0 && i >= 5 && endsLikeScheme(text, i)) bits |= SCHEMES;
    } else {
      if (++run === RUN_LENGTH) bits |= LONG_RUN;
      if ((kind & DIGIT) !== 0) {
        if (++digits === CARD_DIGITS) bits |= DIGITS;
      } else if ((kind & DASH) === 0) {
        digits = 0;
      } else if ((before & (DASH | BLANK)) !== 0) {
        bits |= DASHES;
      }
    }
    before = kind;
  }
  return bits | (seen & SAID_BY_ONE);
}

/** `...er` or `...ic`, in any case. */
function endsLikeScheme(text: string, end: number): boolean {
  const last = text.charCodeAt(end - 1) | 32;
  if (last !== LETTER_R && last !== LETTER_C) return false;
  return (text.charCodeAt(end - 2) | 32) === (last === LETTER_R ? LETTER_E : LETTER_I);
}

const LETTER_C = 99;
const LETTER_E = 101;
const LETTER_I = 105;
const LETTER_R = 114;
