import type { Attack } from '../attack.js';
import type { Names } from '../names.js';
import { textOf, type Victim } from '../victim.js';

const CROSS = ['csrf: cross-site'];
const pays = (body: string) => (): Record<string, string> => ({ '/go': `<script>${body}</script>` });

/** The person is signed in and comes to a page of the attacker. */
const visit = (
  id: string,
  what: string,
  pages: (names: Names) => Record<string, string>,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'change',
  by: CROSS,
  pages,
  async act(scene) {
    await scene.signIn();
    await scene.open(`${scene.names.evil}/go`);
  },
  ...more,
});

const fromSibling: Attack['act'] = async (scene) => {
  await scene.signIn();
  await scene.open(`${scene.names.sibling}/go`);
};

/** A route that takes JSON whatever the request says that it is. */
const laxJson = ({ app, express, change }: Victim): void =>
  void app.post('/limit', express.text({ type: () => true }), (req, res, next) => {
    let limit: unknown;
    try {
      ({ limit } = JSON.parse(String(req.body)) as { limit?: unknown });
    } catch {
      // Not JSON.
    }
    if (limit === 9999) change('limit')(req, res, next);
    else res.status(400).end();
  });

/** A route that changes something whatever the method is. */
const anyMethod = ({ app, house, change }: Victim): void =>
  void app.all('/renew', ...house.changes, change('renewal'));

export const changes: readonly Attack[] = [
  visit('form', 'a form that sends itself', pays("submit(names.victim + '/transfer', { to: 'mallory' })"), {
    short: true,
  }),
  visit(
    'multipart-form',
    'a multipart form, which no body parser of the route reads',
    pays("submit(names.victim + '/avatar', { name: 'x' }, { enctype: 'multipart/form-data' })"),
    { serve: ({ app, change }) => void app.post('/avatar', change('avatar')) },
  ),
  visit(
    'json-in-text-form',
    'JSON smuggled through a text/plain form',
    pays(`submit(names.victim + '/limit', { '{"limit":9999,"x":"': '"}' }, { enctype: 'text/plain' })`),
    { serve: laxJson },
  ),
  visit(
    'untyped-json',
    'JSON in a fetch whose body has no type',
    pays(
      `fetch(names.victim + '/limit', { method: 'POST', mode: 'no-cors', credentials: 'include', body: new Blob(['{"limit":9999}']) })`,
    ),
    { serve: laxJson },
  ),
  visit(
    'type-confusion',
    'a type that browsers take for text and the service for JSON',
    pays(
      `fetch(names.victim + '/limit', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"limit":9999}', headers: { 'Content-Type': 'text/plain; application/json' } })`,
    ),
    {
      serve: ({ app, express, change }) =>
        void app.post(
          '/limit',
          express.text({ type: (req) => String(req.headers['content-type']).includes('json') }),
          (req, res, next) =>
            String(req.body).includes('9999') ? change('limit')(req, res, next) : void res.status(400).end(),
        ),
    },
  ),
  visit(
    'beacon',
    'a beacon sent as the page is left',
    pays(
      "addEventListener('pagehide', () => navigator.sendBeacon(names.victim + '/transfer')); location = '/bye'",
    ),
    {
      pages: (names) => ({
        ...pays(
          "addEventListener('pagehide', () => navigator.sendBeacon(names.victim + '/transfer')); location = '/bye'",
        )(),
        '/bye': names.host,
      }),
    },
  ),
  visit(
    'upload',
    'a file uploaded by fetch with FormData',
    pays(
      "const data = new FormData(); data.append('file', new Blob(['<h1>'], { type: 'text/html' }), 'a.html'); fetch(names.victim + '/avatar', { method: 'POST', mode: 'no-cors', credentials: 'include', body: data })",
    ),
    { serve: ({ app, change }) => void app.post('/avatar', change('avatar')) },
  ),
  visit(
    'image',
    'an image whose address changes something',
    ({ victim }) => ({ '/go': `<img src="${victim}/renew">` }),
    {
      serve: anyMethod,
      by: ['resourceIsolation: cross-site'],
    },
  ),
  visit(
    'head',
    'a HEAD request, which Express hands to the handler of GET',
    pays("fetch(names.victim + '/renew', { method: 'HEAD', mode: 'no-cors', credentials: 'include' })"),
    { serve: anyMethod, by: ['resourceIsolation: cross-site'] },
  ),
  visit(
    'link',
    'a link to an address that changes something: a top-level GET brings Lax cookies along',
    pays("location = names.victim + '/renew'"),
    { serve: anyMethod, cookie: 'plain', by: ['status 405'] },
  ),
  visit(
    'method-override',
    'a top-level GET that a parameter makes a POST',
    pays("location = names.victim + '/close?_method=POST'"),
    {
      cookie: 'plain',
      by: ['requestFirewall: ', 'csrf: '],
      serve: ({ app, change }) =>
        void app.use('/close', (req, res, next) =>
          req.query['_method'] === 'POST' ? change('closed')(req, res, next) : next(),
        ),
    },
  ),
  visit(
    'lax-two-minutes',
    'a form within two minutes of signing in: a cookie without SameSite still comes along',
    pays("submit(names.victim + '/transfer', { to: 'mallory' })"),
    { cookie: 'plain' },
  ),
  visit('null-origin-form', 'a form in a sandboxed frame, sent with Origin: null', ({ victim }) => ({
    '/go': `<iframe sandbox="allow-scripts allow-forms" srcdoc="<form id=f method=post action='${victim}/transfer'></form><script>f.submit()</script>"></iframe>`,
  })),
  visit(
    'no-referrer-form',
    'a form without Referer, where the service looks at it only if it is there',
    ({ victim }) => ({
      '/go': `<meta name="referrer" content="no-referrer"><script>submit('${victim}/checked',)</script>`,
    }),
    {
      serve: ({ app, names, change }) =>
        void app.post('/checked', (req, res, next) => {
          const { referer } = req.headers;
          if (referer !== undefined && !referer.startsWith(`${names.victim}/`)) res.status(403).end();
          else change('checked')(req, res, next);
        }),
    },
  ),
  visit(
    'sibling-form',
    "a form on a page under the victim's own domain: for SameSite cookies it is the same site",
    pays("submit(names.victim + '/transfer', { to: 'mallory' })"),
    { act: fromSibling, by: ['csrf: '], cookie: 'plain', short: true },
  ),
  visit(
    'redirected-form',
    "a form sent to the victim's open redirect, which sends it on with 307",
    pays("submit(names.victim + '/out?to=/transfer',)"),
    { serve: ({ app }) => void app.all('/out', (req, res) => res.redirect(307, textOf(req.query['to']))) },
  ),
  visit(
    'sign-in-form',
    "a form that signs the person in to the attacker's account",
    pays("submit(names.victim + '/sign-in', { user: 'mallory' })"),
    { goal: 'fixation', by: CROSS, act: (scene) => scene.open(`${scene.names.evil}/go`) },
  ),
  visit('sign-out-form', 'a form that signs the person out', pays("submit(names.victim + '/sign-out',)")),
  visit(
    'websocket',
    'a WebSocket of another site',
    pays("new WebSocket(names.victim.replace('https', 'wss'))"),
    { by: ['csrf: '] },
  ),
  visit(
    'sibling-websocket',
    "a WebSocket of a page under the victim's own domain",
    pays("new WebSocket(names.victim.replace('https', 'wss'))"),
    { act: fromSibling, by: ['csrf: '], cookie: 'plain' },
  ),
];
