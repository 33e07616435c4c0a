/**
 * Text inside of a CSS string, or as an identifier. Not for whole values, properties, selectors or URLs: CSS that users may
 * write has to be chosen from a list.
 */
export function escapeCss(text: string): string {
  // A digit that begins an identifier is not one; the space ends the escape and is part of it.
  return text.toWellFormed().replace(/^\d|[^A-Za-z0-9\u00a0-\u{10ffff}]/gu, (character) => {
    const code = character.charCodeAt(0);
    return `\\${(code === 0 ? 0xfffd : code).toString(16)} `;
  });
}
