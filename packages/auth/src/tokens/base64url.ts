const ALPHABET = /^[A-Za-z0-9_-]*$/;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Bits of the last character that stand for nothing, by the number of characters beyond whole groups of four. */
const UNUSED_BITS = [0, 0, 0b1111, 0b11];

/** What a digit of base64url stands for, by its character code. */
const VALUES = new Uint8Array(128);
for (const [value, digit] of Array.from(DIGITS).entries()) VALUES[digit.charCodeAt(0)] = value;

/**
 * Canonical base64url (RFC 7515 section 2, RFC 4648 section 3.5): no padding, no other characters, no bits beyond the
 * last byte. One byte string has exactly one spelling, so a token cannot be varied without changing what it says.
 */
export function decodeCanonical(text: string): Buffer | undefined {
  return ALPHABET.test(text) && endsCanonically(text) ? Buffer.from(text, 'base64url') : undefined;
}

/** The rest of the rule, for a text that is known to hold nothing but digits of base64url. */
export function endsCanonically(text: string): boolean {
  const beyond = text.length % 4;
  return beyond !== 1 && (VALUES[text.charCodeAt(text.length - 1)]! & UNUSED_BITS[beyond]!) === 0;
}
