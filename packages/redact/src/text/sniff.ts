/** What a text might contain, found in one pass; each bit opens one scanner. */
export const PAIRS = 1;
export const PERCENT = 2;
export const LONG_RUN = 4;
export const DIGITS = 8;
export const SPACE = 16;
export const DASHES = 32;
export const QUOTES = 64;

const SEPARATOR = 1;
const PERCENT_SIGN = 2;
const RUN = 4;
const DIGIT = 8;
const BLANK = 16;
const DASH = 32;
const JOINS_DIGITS = 64;
const QUOTE = 128;

// One table look-up per character: this loop sees every string that is ever logged.
function classTable(): Uint8Array {
  const table = new Uint8Array(128);
  const add = (characters: string, bits: number): void => {
    for (const character of characters) {
      const code = character.charCodeAt(0);
      table[code] = table[code]! | bits;
    }
  };
  add('=:>', SEPARATOR);
  add('%', PERCENT_SIGN);
  add('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-', RUN);
  add('0123456789', DIGIT);
  add(' \t\n', BLANK | JOINS_DIGITS);
  add('-', DASH | JOINS_DIGITS);
  add(`"'`, QUOTE);
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
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? CLASSES[code]! : code === 0xff1d || code === 0xff1a ? SEPARATOR : 0;
    seen |= kind;
    if ((kind & RUN) !== 0) {
      if (++run === RUN_LENGTH) bits |= LONG_RUN;
    } else {
      run = 0;
    }
    if ((kind & DIGIT) !== 0) {
      if (++digits === CARD_DIGITS) bits |= DIGITS;
    } else if ((kind & JOINS_DIGITS) === 0) {
      digits = 0;
    }
  }
  if ((seen & SEPARATOR) !== 0) bits |= PAIRS;
  if ((seen & PERCENT_SIGN) !== 0) bits |= PERCENT;
  if ((seen & BLANK) !== 0) bits |= SPACE;
  if ((seen & DASH) !== 0) bits |= DASHES;
  if ((seen & QUOTE) !== 0) bits |= QUOTES;
  return bits;
}
