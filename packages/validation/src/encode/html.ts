const HTML: Readonly<Record<string, string>> = Object.freeze({
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
});

/**
 * Text between tags, and values of attributes in quotes. Not for scripts, styles, comments, names of tags and attributes,
 * and attributes that are URLs or code: those have encoders of their own.
 * @see OWASP ASVS 5.0 V1.2.1
 */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML[character]!).toWellFormed();
}

/** Values of attributes, with quotes around them or without. */
export function escapeAttribute(text: string): string {
  return text.toWellFormed().replace(/[^\w.,\u0080-\u{10ffff}-]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code === 0 ? '\ufffd' : `&#${code};`;
  });
}

/** Text inside of `<!-- -->`; it can neither end the comment nor begin anything. Not decoded by anybody. */
export function escapeComment(text: string): string {
  return text.toWellFormed().replace(/[&<>!\0-]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text and attribute values of XML 1.0; characters that XML cannot hold become U+FFFD. */
export function escapeXml(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}&<>"'\ufffe\uffff]/gu, (character) => {
    const code = character.charCodeAt(0);
    if (code >= 0x7f) return code < 0xfffe ? character : '\ufffd';
    // Line breaks and tabs as references, or attributes would turn them into spaces.
    return code >= 0x20 || '\t\n\r'.includes(character) ? `&#${code};` : '\ufffd';
  });
}
