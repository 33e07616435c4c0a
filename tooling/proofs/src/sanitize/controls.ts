import { parseFragment, serialize, type DefaultTreeAdapterTypes as Tree } from 'parse5';

/** As answers to "how do I strip script tags" have it. */
export function naive(given: string): string {
  return given
    .replace(/<script\b[^>]*>[\s\S]*?<\/script>/gi, '')
    .replace(/<\/?(?:script|iframe|object|embed|style|link|meta|base)\b[^>]*>/gi, '')
    .replace(/\son\w+\s*=\s*(?:"[^"]*"|'[^']*')/gi, '')
    .replace(/javascript:/gi, '');
}

const DROPPED = new Set('script iframe object embed link meta base template noscript'.split(' '));

/** A list of what is forbidden over a real tree, written out once: right until its output is parsed again. */
export function treeFilter(given: string): string {
  const root = parseFragment(given);
  clean(root);
  return serialize(root);
}

function clean(root: Tree.ParentNode): void {
  root.childNodes = root.childNodes.filter((node) => !('tagName' in node && DROPPED.has(node.tagName)));
  for (const node of root.childNodes) {
    if (!('tagName' in node)) continue;
    node.attrs = node.attrs.filter(
      ({ name, value }) => !/^(?:on|srcdoc$)/.test(name) && !/^\W*j\s*a\s*v\s*a/i.test(value),
    );
    clean(node);
  }
}
