// C0, DEL, C1, line and paragraph separators; bidirectional embeddings, overrides and isolates (CVE-2021-42574);
// byte order mark, interlinear annotation and tag characters, which are invisible.
const NOT_IN_A_LINE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/u;

export function isLine(text: string): boolean {
  return text.isWellFormed() && !NOT_IN_A_LINE.test(text);
}

export function isText(text: string): boolean {
  return isLine(text.replaceAll(/[\t\n\r]/g, ' '));
}

/** Letters, digits and the punctuation of titles and names, each with at most four marks. */
const SEARCH = /^(?:[\p{L}\p{N}]\p{M}{0,4}|[ .,:!?&'\u2019+#()/-])+$/u;

/**
 * What people type into a search box. An allow-list: no quotes, semicolons, backslashes, angle brackets, wildcards,
 * equals signs or comments. It keeps noise out of logs and indexes; what keeps SQL out of queries are bound values.
 */
export function isSearch(text: string): boolean {
  if (!SEARCH.test(text) || text.includes('--') || text.trim() === '') return false;
  // An apostrophe belongs to a word: O'Brien, readers' guide, 'Tis.
  return !/(?<!\p{L})['\u2019](?!\p{L})/u.test(text);
}
