/** What a text is, by its start; undefined if it is none. */
export function textKindOf(head: Buffer): 'html' | 'xml' | 'text' | undefined {
  const text = textOf(head);
  if (text === undefined) return undefined;
  // As browsers sniff it (WHATWG MIME Sniffing 7.1): one of these tags behind white space, before anything else.
  if (
    /^[\t\n\f\r ]*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|!--)[\s>]/i.test(
      text,
    )
  ) {
    return 'html';
  }
  return /^[\t\n\f\r ]*<(?:\?xml|!DOCTYPE|[a-z][\w:.-]*[\s>/])/i.test(text) ? 'xml' : 'text';
}

/** True if the first element is `svg`, whatever declarations and comments stand before it. */
export function isSvg(head: Buffer): boolean {
  const text = textOf(head);
  if (text === undefined || !/<(?:\w+:)?svg[\s>/]/i.test(text)) return false;
  const start = text
    .replaceAll(/<!--[^]*?-->|<\?[^]*?\?>|<!doctype[^>[]*(?:\[[^\]]*\])?\s*>/gi, '')
    .trimStart();
  return /^<(?:\w+:)?svg[\s>/]/i.test(start);
}

/** The head as UTF-8 without control characters; a character may be cut at its end. */
function textOf(head: Buffer): string | undefined {
  const text = new TextDecoder('utf-8', { ignoreBOM: false }).decode(head, { stream: true });
  // Node's decoder replaces what is no UTF-8.
  return isPlainText(text) ? text : undefined;
}

/** No replacement characters and no controls but tab, line ends and form feed. */
export function isPlainText(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- finding them is the purpose
  return !/[\0-\x08\x0b\x0e-\x1f\x7f\ufffd]/.test(text);
}
