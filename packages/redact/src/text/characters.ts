export const EQUALS = 61;
export const COLON = 58;
export const GREATER = 62;
export const BACKSLASH = 92;

/** Names of more characters than this are read from their end. */
export const MAX_NAME = 64;

export function isEnd(code: number): boolean {
  return Number.isNaN(code) || isBlank(code) || code === 10 || code === 13;
}

export function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

export function isWhite(code: number): boolean {
  return isBlank(code) || code === 10 || code === 13;
}

/** The fullwidth forms of `=` and `:`. */
export function isWideSeparator(code: number): boolean {
  return code === 0xff1d || code === 0xff1a;
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export function isSeparator(code: number): boolean {
  return code === EQUALS || code === GREATER || code === COLON;
}

export function isClosing(code: number): boolean {
  // Quotes, backslashes, asterisks of Markdown, and the ends of `user[password]` and `(password)`.
  return (
    code === 34 ||
    code === 39 ||
    code === 96 ||
    code === BACKSLASH ||
    code === 93 ||
    code === 41 ||
    code === 42
  );
}

// Letters, digits, _ - . $ and everything beyond ASCII (look-alikes are folded later).
export function isNameCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45 ||
    code === 46 ||
    code === 36 ||
    code >= 128
  );
}
