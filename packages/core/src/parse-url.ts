/**
 * The URL that a text is, resolved against `base` if that is given; undefined if it is none. Asks the parser itself:
 * `URL.canParse()` of Node.js 20 takes Latin-1 texts for broken UTF-8 as soon as it is called often, and then says no to
 * `https://b\u00fccher.example/`. A rule that looks only at what can be parsed would let such a text pass.
 * @see WHATWG URL Standard, section 6.1
 */
export function parseUrl(text: string, base?: string | URL): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
