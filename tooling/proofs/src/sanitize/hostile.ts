import type { Chance } from '../tokens/chance.js';

/** Each one runs, or has run, in a browser or behind a sanitiser; what is generated is made of pieces of these too. */
const ATTACKS: readonly string[] = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<svg/onload=alert(1)//',
  '<svg><script>alert&#40;1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<svg><a><animate attributeName=href values=javascript:alert(1) /><text x=20 y=20>x</text></a></svg>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style></annotation-xml></math>',
  '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
  '<svg><desc><style><a title="</style><img src onerror=alert(1)>"></desc></svg>',
  '<svg><foreignObject><p><style></svg><img src=x onerror=alert(1)>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<xmp><p title="</xmp><img src=x onerror=alert(1)>">',
  '<iframe><p title="</iframe><img src=x onerror=alert(1)>">',
  '<textarea><p title="</textarea><img src=x onerror=alert(1)>">',
  '<title><p title="</title><img src=x onerror=alert(1)>">',
  '<svg><textarea><img src=x onerror=alert(1)></textarea></svg>',
  '<math><xmp><img src=x onerror=alert(1)></xmp></math>',
  '<option><xmp><img src=x onerror=alert(1)></xmp></option>',
  '<textarea/><img src=x onerror=alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '<a href="java\tscript:alert(1)">x</a>',
  '<a href="\u0001javascript:alert(1)">x</a>',
  '<a href="&#106;avascript&colon;alert(1)">x</a>',
  '<a href=" JaVaScRiPt:alert(1)">x</a>',
  '<a href=\'https://x.example/"onclick="alert(1)\'>x</a>',
  '<a href="https://x.example/" onclick="alert(1)" style="x" target=_top>x</a>',
  '<iframe srcdoc="<script>parent.alert(1)</script>">',
  '<iframe src="javascript:parent.alert(1)">',
  '<object data="javascript:alert(1)"><embed src="javascript:alert(1)">',
  '<base href="https://evil.example/"><link rel=stylesheet href=//x>',
  '<style>@import "//evil.example/x"; *{background:url(//evil.example/y)}</style>',
  '<details open ontoggle=alert(1)>x',
  '<input autofocus onfocus=alert(1)>',
  '<video><source onerror=alert(1)></video>',
  '<audio src=x onerror=alert(1)>',
  '<marquee onstart=alert(1)>x</marquee>',
  '<body onload=alert(1)>',
  '<template><img src=x onerror=alert(1)></template>',
  '<div><template shadowrootmode=open><img src=x onerror=alert(1)></template></div>',
  '<!--><img src=x onerror=alert(1)>-->',
  '<!---!><img src=x onerror=alert(1)>-->',
  '<!--[if IE]><script>alert(1)</script><![endif]-->',
  '<![CDATA[<img src=x onerror=alert(1)>]]>',
  '<?php echo "<img src=x onerror=alert(1)>" ?>',
  '</ <img src=x onerror=alert(1)>',
  '<p<img src=x onerror=alert(1)>',
  '<b/onclick=alert(1)//>x',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<im<b>g src=x onerror=alert(1)>',
  '<img src=x oonerror=nerror=alert(1)>',
  '<img src="x" title="a>b" onerror=alert(1)>',
  '<img\fsrc=x\fonerror=alert(1)>',
  '<select><iframe></select><img src=x onerror=alert(1)>',
  '<table><td background="javascript:alert(1)">x<form><input name=attributes>',
  '<plaintext><img src=x onerror=alert(1)>',
  '<p id=location><a name=cookie id=cookie>x</a>',
  '&lt;img src=x onerror=alert(1)&gt;',
  '&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;',
];

const TAGS =
  'p br hr strong em b i u s sub sup code pre blockquote ul ol li h2 h3 h4 a div span img script style svg math mtext mglyph malignmark annotation-xml mi foreignObject desc title textarea option select optgroup table caption tbody tr td form input button iframe noscript noembed noframes xmp plaintext template object embed applet base link meta body html head frameset video audio source details marquee nobr listing image keygen isindex animate set use x-y'.split(
    ' ',
  );
const ATTRIBUTES =
  'href src onerror onclick onload onfocus style title id name class rel target srcdoc xlink:href formaction action data background encoding shadowrootmode autofocus data-x ="'.split(
    ' ',
  );
const VALUES: readonly string[] = [
  'javascript:alert(1)',
  'java\nscript:alert(1)',
  '&#x6a;avascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'https://x.example/?a=1&b=2',
  'https://x.example/"><img src=x onerror=alert(1)>',
  'mailto:a@b.example',
  '//evil.example/',
  'alert(1)',
  '</style><img src=x onerror=alert(1)>',
  '--><img src=x onerror=alert(1)>',
  ']]><img src=x onerror=alert(1)>',
  'text/html',
  'open',
  'x',
  '',
];
const PIECES: readonly string[] = [
  ...[
    '<',
    '>',
    '</',
    '/>',
    '<!--',
    '-->',
    '--!>',
    '<![CDATA[',
    ']]>',
    '<?',
    '?>',
    '<!DOCTYPE html>',
    '&',
    '"',
  ],
  ...["'", '`', '=', '\0', '\ufffd', '\u2028', '\ud800', '\u{1F4D6}', '\t', '\n', '\r', '\f', '\u00a0'],
  ...['&lt;', '&gt', '&#60', '&#x3c;', '&quot;', '&apos;', '&colon;', '&NewLine;', '&nbsp', '&#0;', '&#128;'],
  ...['&amp;lt;', '&notit;', 'alert(1)', 'text', ' ', 'onerror=alert(1)', 'javascript:'],
];

/** Endless hostile markup, from a grammar and by changing what others have found; the same seed, the same markup. */
export class Hostile {
  readonly #seeds: readonly string[];

  constructor(
    private readonly chance: Chance,
    found: readonly string[] = [],
  ) {
    this.#seeds = [...ATTACKS, ...found];
  }

  /** What others have found, as they wrote it. */
  get seeds(): readonly string[] {
    return this.#seeds;
  }

  next(): string {
    const { chance } = this;
    const html =
      chance.number(2) === 0
        ? this.#nodes(1 + chance.number(4), 0)
        : this.#mutated(chance.of(this.#seeds), 1 + chance.number(4));
    return html.slice(0, 4000);
  }

  #nodes(count: number, depth: number): string {
    return Array.from({ length: count }, () => this.#node(depth)).join('');
  }

  #node(depth: number): string {
    const { chance } = this;
    const kind = chance.number(12);
    if (kind === 0) return chance.of(this.#seeds);
    if (kind < 4 || depth > 5) return chance.of(PIECES);
    const tag = this.#cased(chance.of(TAGS));
    const attributes = Array.from({ length: chance.number(3) }, () => this.#attribute()).join('');
    const inside = this.#nodes(chance.number(4), depth + 1);
    // Some end tags are missing, some are those of others.
    const end = chance.number(6) === 0 ? '' : `</${chance.number(8) === 0 ? chance.of(TAGS) : tag}>`;
    return `<${tag}${attributes}${chance.number(10) === 0 ? '/' : ''}>${inside}${end}`;
  }

  #attribute(): string {
    const { chance } = this;
    const quote = chance.of(['"', "'", '', '`']);
    const value = chance.number(4) === 0 ? chance.of(this.#seeds) : chance.of(VALUES);
    return `${chance.of([' ', '/', '\n', '\f', ''])}${this.#cased(chance.of(ATTRIBUTES))}=${quote}${value}${quote}`;
  }

  #cased(name: string): string {
    return this.chance.number(8) === 0 ? name.toUpperCase() : name;
  }

  #mutated(html: string, times: number): string {
    const { chance } = this;
    let text = html;
    for (let i = 0; i < times; i++) {
      const at = chance.number(text.length + 1);
      const end = Math.min(text.length, at + chance.number(12));
      const [before, piece, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
      const other = chance.of(this.#seeds);
      text = [
        () => before + after,
        () => before + chance.of(PIECES) + piece + after,
        () => before + piece + piece + after,
        () => before + this.#node(4) + piece + after,
        () => before + other.slice(chance.number(other.length + 1)) + after,
        () => before + [...piece].map((character) => `&#${character.codePointAt(0)};`).join('') + after,
        () => before + piece.toUpperCase() + after,
        () => `<${chance.of(TAGS)}>${text}</${chance.of(TAGS)}>`,
      ][chance.number(8)]!();
    }
    return text;
  }
}
