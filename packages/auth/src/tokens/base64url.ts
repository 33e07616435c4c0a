const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * Canonical base64url (RFC 7515 section 2, RFC 4648 section 3.5): no padding, no other characters, no bits beyond the
 * last byte. One byte string has exactly one spelling, so a token cannot be varied without changing what it says.
 */
export function decodeCanonical(text: string): Buffer | undefined {
  if (!ALPHABET.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
