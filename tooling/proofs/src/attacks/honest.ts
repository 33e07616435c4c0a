import type { Browser } from 'playwright-core';
import type { Front } from './front.js';
import { Scene, type Stack } from './scene.js';

const PARTNER_PAGE = `<script>
onmessage = () => undefined;
fetch(names.victim + '/api/me', { credentials: 'include' }).then((answer) => answer.json(), String).then((me) => loot('read ' + JSON.stringify(me)));
fetch(names.victim + '/api/notes', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }).then(({ status }) => loot('posted ' + status), String);
</script><iframe id="widget"></iframe><script>widget.src = names.victim + '/widget';</script>`;

/** What honest people do must work: a service that blocks everything stops every attack too. Returns what did not. */
export async function honestWalk(
  browser: Browser,
  front: Front,
  stack: Stack,
  run: number,
): Promise<string[]> {
  const scene = new Scene(front, stack, run, {
    id: 'honest',
    what: '',
    goal: 'loot',
    by: [],
    pages: () => ({ '/partner': PARTNER_PAGE }),
    serve: ({ app, page, script, house }) => {
      app.get('/styled', (_req, res) => {
        const nonce = house.nonce(res);
        page(
          res,
          `<p id="out"></p>${script(res, "out.textContent = 'own script';")}<script nonce="${nonce}" src="/own.js"></script>`,
          `<style nonce="${nonce}">#out { color: rgb(1, 2, 3) }</style>`,
        );
      });
      app.get('/own.js', (_req, res) => void res.type('js').send("document.title = 'own file';"));
    },
    act: async () => undefined,
  });
  const failed: string[] = [];
  const expect = (what: string, is: boolean): void => void (is || failed.push(what));
  try {
    await scene.start(browser);
    const { page, names, state } = scene;
    await scene.signIn();
    expect('the account page shows the secret', (await page.innerText('#secret')) === state.secret);
    const me = await page.evaluate(async () => (await fetch('/api/me')).text());
    expect('own scripts read the API', me.includes(state.secret));
    const note = await page.evaluate(async () => (await fetch('/api/notes', { method: 'POST' })).status);
    expect('own scripts change by the API', note === 200 && state.changes.length === 1);
    await page.click('#pay');
    await page.waitForSelector('text=Done.');
    expect('the form pays', state.changes.includes('transfer by alice'));

    const before = scene.signals.length;
    await page.goto(`${names.victim}/styled`);
    expect('own scripts run', (await page.innerText('#out')) === 'own script');
    expect('own files load', (await page.title()) === 'own file');
    const color = await page.evaluate(() => getComputedStyle(document.querySelector('#out')!).color);
    expect('own styles apply', color === 'rgb(1, 2, 3)');
    expect(`a page of our own breaks no rule: ${scene.signals[before]}`, scene.signals.length === before);

    await page.goto(`${names.partner}/partner`);
    const shown = await page.frameLocator('#widget').locator('#widget').innerText();
    expect('the partner shows the widget', shown === 'Rates');
    await scene.until(() => scene.loot.length >= 2);
    expect(
      'the partner reads the API',
      scene.loot.some((text) => text.startsWith('read {')),
    );
    // Without a cookie nobody is signed in: it is heard, and answered.
    expect('the partner asks the API', scene.loot.includes('posted 401'));

    await page.goto(`${names.victim}/account`);
    const left = await page.evaluate(async () => (await fetch('/sign-out', { method: 'POST' })).status);
    expect('signing out works', left === 200 && state.sessions.size === 1);
  } catch (error) {
    failed.push(`it stopped: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await scene.stop();
  }
  return failed;
}
