// C0, DEL, C1, line and paragraph separators; what turns the direction of text (CVE-2021-42574); zero-width spaces, soft
// hyphens, fillers, tags and whatever else fonts show nothing for; interlinear annotation; code points that are no characters.
const NOT_IN_A_LINE =
  /[\p{Cc}\u2028\u2029\p{Bidi_Control}\uFFF9-\uFFFB\p{Noncharacter_Code_Point}]|(?![\u200C\u200D]|\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/u;

// Persian, the scripts of India and emoji need joiners, after a letter, a mark or a picture. In scripts that join nothing they
// only make two names look like one (RFC 5892 appendix A.1 and A.2).
const IDLE_JOINER =
  /(?<![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200C\u200D]|(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}])[\u200C\u200D]/u;

/** One line of visible characters, well-formed. Like the FreeformClass of RFC 8264, and with variation selectors, which emoji need. */
export function isLine(text: string): boolean {
  return text.isWellFormed() && !NOT_IN_A_LINE.test(text) && !IDLE_JOINER.test(text);
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
  // An apostrophe belongs to a word, and stands alone there: O'Brien, readers' guide, 'Tis. Two are a quote of SQL, escaped.
  return !/(?<!\p{L})['\u2019](?!\p{L})|['\u2019]{2}/u.test(text);
}
