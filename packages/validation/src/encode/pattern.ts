/**
 * Text as part of a regular expression that matches this text only, in classes too, with any flags.
 * @see OWASP ASVS 5.0 V1.2.9
 */
export function escapeRegExp(text: string): string {
  // A first letter or digit could continue an escape before it.
  return text.replace(
    /^[A-Za-z0-9]|[^A-Za-z0-9_\u00a1-\ud7ff\ue000-\ufefe\uff00-\uffff\u{10000}-\u{10ffff}]|[\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/gu,
    (character) => {
      const hex = character.charCodeAt(0).toString(16);
      return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
    },
  );
}

/**
 * Text as part of a pattern of SQL's LIKE, with backslash as the escape character (PostgreSQL and MySQL without being asked; elsewhere
 * with `ESCAPE '\'`). It still has to be bound as a parameter.
 */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
