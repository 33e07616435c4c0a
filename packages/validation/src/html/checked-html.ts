/**
 * A second opinion on sanitised HTML, which shares no code with the library that made it: true only for text, the five character
 * references, and listed tags that are balanced and have no attribute but the ones of a link in the one form that is
 * written here. Raw text, foreign content, comments and half tags, by which HTML changes its meaning when it is parsed again, have no
 * form at all. Linear.
 */
export function isPlainMarkup(html: string, tags: ReadonlySet<string>): boolean {
  const open: string[] = [];
  let at = 0;
  while (at < html.length) {
    PIECE.lastIndex = at;
    const match = PIECE.exec(html);
    if (!match) return false;
    at = PIECE.lastIndex;
    const [, closing, opening, link] = match;
    const tag = closing ?? opening ?? (link === undefined ? undefined : 'a');
    if (tag === undefined) continue;
    if (!tags.has(tag) || (tag === 'a' && opening !== undefined)) return false;
    if (closing !== undefined) {
      if (open.pop() !== tag) return false;
    } else if (!VOID.has(tag)) {
      open.push(tag);
    }
  }
  return open.length === 0;
}

const VOID: ReadonlySet<string> = new Set(['br', 'hr']);
/** Text, a character reference, a closing tag, an opening tag without attributes, or a link. */
const PIECE =
  /[^<>&\0]+|&(?:amp|lt|gt|quot|#39);|<\/([a-z][a-z0-9]*)>|<([a-z][a-z0-9]*)(?: \/)?>|<a href="([^"<>\0-\x20\\]*)" rel="nofollow noopener noreferrer ugc">/y;
