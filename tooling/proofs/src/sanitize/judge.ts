import { parse, parseFragment, serialize, type DefaultTreeAdapterTypes as Tree } from 'parse5';

export const ELEMENTS: ReadonlySet<string> = new Set(
  'p br hr strong em b i u s sub sup code pre blockquote ul ol li h2 h3 h4 a'.split(' '),
);
export const PROTOCOLS: ReadonlySet<string> = new Set(['https:', 'http:', 'mailto:']);
const REL = 'nofollow noopener noreferrer ugc';
/** Places where a page may show rich text, and some where it should not but somebody will. */
const PLACES = ['div', 'td', 'li', 'p', 'template', 'select', 'svg', 'math'].map(
  (name) => [name, place(name)] as const,
);

export type Claim = 'allowed' | 'idempotent' | 'stable';

/** The first thing that is wrong with what `clean` makes of `given`, for each claim that does not hold. */
export function faultsOf(clean: (given: string) => string, given: string): ReadonlyMap<Claim, string> {
  const faults = new Map<Claim, string>();
  const output = clean(given);
  const tree = parseFragment(output);
  for (const [place, root] of [
    ['fragment', tree],
    ['document', bodyOf(parse(output))],
    ...PLACES.map(([name, element]) => [name, parseFragment(element, output, {})] as const),
  ] as const) {
    const fault = foreignIn(root);
    if (fault !== undefined) {
      faults.set('allowed', `${place}: ${fault}`);
      break;
    }
  }
  if (clean(output) !== output) faults.set('idempotent', 'another text the second time');
  // What a browser does with innerHTML that a script copies from one place to the next.
  const once = serialize(tree);
  const again = parseFragment(once);
  if (afterPre(serialize(again)) !== afterPre(once)) faults.set('stable', 'another tree the second time');
  const appeared = foreignIn(again);
  if (appeared !== undefined && foreignIn(tree) === undefined) faults.set('stable', `appeared: ${appeared}`);
  return faults;
}

/** Of the line ends at the start of `pre`, every parser drops one (HTML 13.2.6.4.7) and no serialiser writes it again: text, not markup. */
function afterPre(markup: string): string {
  return markup.replace(/<pre>\n+/g, '<pre>');
}

/** The first thing in a tree that rich text never has. */
function foreignIn(root: Tree.ParentNode): string | undefined {
  for (const node of root.childNodes) {
    if (node.nodeName === '#text') continue;
    if (!('tagName' in node)) return node.nodeName;
    // Inside of svg and math a link stays one of theirs: its address is judged all the same.
    if (!ELEMENTS.has(node.tagName)) return `<${node.tagName}>`;
    for (const { name, value } of node.attrs) {
      const allowed =
        node.tagName === 'a' && (name === 'href' ? leadsSomewhere(value) : name === 'rel' && value === REL);
      if (!allowed) return `${name}="${value}"`;
    }
    const inside = foreignIn(node);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function leadsSomewhere(href: string): boolean {
  try {
    return PROTOCOLS.has(new URL(href).protocol);
  } catch {
    return false;
  }
}

function bodyOf(document: Tree.Document): Tree.ParentNode {
  const root = document.childNodes.find((node): node is Tree.Element => node.nodeName === 'html')!;
  // What came before or after the body would be seen as well.
  const body = root.childNodes.find((node): node is Tree.Element => node.nodeName === 'body');
  return body ?? root;
}

function place(name: string): Tree.Element {
  return find(parseFragment(name === 'td' ? '<table><tr><td>' : `<${name}>`), name)!;
}

function find(root: Tree.ParentNode, name: string): Tree.Element | undefined {
  for (const node of root.childNodes) {
    if (!('tagName' in node)) continue;
    const found = node.tagName === name ? node : find(node, name);
    if (found) return found;
  }
  return undefined;
}
