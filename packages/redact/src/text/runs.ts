/**
 * Whether a text has a run of at least so many characters of a kind. Looks where such a run has to pass, every
 * `length` characters, and goes backwards from there: most texts cost a few looks.
 */
export function hasRun(text: string, length: number, isOfKind: (code: number) => boolean): boolean {
  for (let end = length - 1; end < text.length;) {
    let at = end;
    while (at > end - length && isOfKind(text.charCodeAt(at))) at--;
    if (at === end - length) return true;
    end = at + length;
  }
  return false;
}
