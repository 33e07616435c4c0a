import type { Span } from './spans.js';

/**
 * Payment card numbers: 13 to 19 digits, optionally in groups, with an issuer's prefix and a valid check digit
 * (ISO/IEC 7812-1). The prefix keeps most ids and timestamps out.
 */
export function findCards(text: string, found: Span[]): void {
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text.charCodeAt(i))) continue;
    let digits = '';
    let card = -1;
    let end = i;
    let at = i;
    let splits = 0;
    for (; at < text.length && digits.length < 20; at++) {
      const code = text.charCodeAt(at);
      if (isDigit(code)) {
        digits += text[at];
        end = at + 1;
      } else if ((code === 32 || code === 45) && isDigit(text.charCodeAt(at + 1)) && splits < 6) {
        splits++;
        // What follows may be the date, or the code on the back.
        if (isCardNumber(digits)) card = at;
      } else {
        break;
      }
    }
    if (isWordCode(text.charCodeAt(i - 1))) {
      i = end - 1;
      continue;
    }
    if (!goesOn(text, end) && isCardNumber(digits)) card = end;
    if (card !== -1) {
      found.push({ start: i, end: card, rule: 'card', taints: true });
      i = card - 1;
    } else if (splits === 0 && digits.length < 20) {
      i = end - 1;
    } else {
      // Another number may begin behind the next separator, or this run of digits is too long for a card.
      while (i + 1 < text.length && isDigit(text.charCodeAt(i + 1))) i++;
    }
  }
}

const ISSUERS =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|62\d{14,17}|(?:50|5[6-8]|6\d)\d{10,17})$/;

export function isCardNumber(digits: string): boolean {
  return ISSUERS.test(digits) && luhn(digits);
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    let digit = digits.charCodeAt(i) - 48;
    if (double && (digit *= 2) > 9) digit -= 9;
    sum += digit;
  }
  return sum % 10 === 0;
}

// A full stop ends a sentence; between digits it makes a number that is no card.
function goesOn(text: string, end: number): boolean {
  if (text.charCodeAt(end) === 46) return isDigit(text.charCodeAt(end + 1));
  return isWordCode(text.charCodeAt(end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isWordCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || isDigit(code) || code === 95 || code === 46
  );
}
