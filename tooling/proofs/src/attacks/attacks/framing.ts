import type { Attack } from '../attack.js';
import type { Names } from '../names.js';
import type { Scene } from '../scene.js';

const COVER = 'style="position:absolute;left:0;top:0;width:400px;height:300px;border:0"';
const BY = ['browser: Framing', 'browser: Refused to', 'resourceIsolation: '];

/** The button of the account page lies under the pointer. */
async function lure(scene: Scene, from: string): Promise<void> {
  await scene.signIn();
  await scene.page.goto(from, { waitUntil: 'load' });
  await scene.insist(() => scene.page.mouse.click(25, 20));
}

const clickjacking = (
  id: string,
  what: string,
  pages: (names: Names) => Record<string, string>,
  more: Partial<Attack> = {},
): Attack => ({
  id,
  what,
  goal: 'change',
  by: BY,
  pages,
  act: (scene) => lure(scene, `${scene.names.evil}/lure`),
  ...more,
});

export const framing: readonly Attack[] = [
  clickjacking(
    'clickjacking',
    'a click on an invisible frame presses the button of the account page',
    ({ victim }) => ({
      '/lure': `<iframe src="${victim}/account" ${COVER.replace('border', 'opacity:0.01;border')}></iframe>`,
    }),
    { short: true },
  ),
  clickjacking('object-framing', 'the same through an object element', ({ victim }) => ({
    '/lure': `<object data="${victim}/account" type="text/html" ${COVER}></object>`,
  })),
  clickjacking('embed-framing', 'the same through an embed element', ({ victim }) => ({
    '/lure': `<embed src="${victim}/account" type="text/html" ${COVER}>`,
  })),
  clickjacking(
    'sandboxed-framing',
    "a frame in a sandbox, where the page's own frame-buster cannot leave",
    ({ victim }) => ({
      '/lure': `<iframe src="${victim}/busting" sandbox="allow-forms allow-scripts allow-same-origin" ${COVER}></iframe>`,
    }),
    {
      serve: ({ app, page, script, state }) =>
        void app.get('/busting', (_req, res) => {
          page(
            res,
            `<form method="post" action="/transfer"><button>Pay</button></form>${script(res, 'if (top !== self) top.location = self.location')}<p>${state.shown.length}</p>`,
          );
        }),
    },
  ),
  clickjacking('double-framing', 'a frame in a frame of the attacker', ({ evil, victim }) => ({
    '/lure': `<iframe src="${evil}/inner" ${COVER}></iframe>`,
    '/inner': `<iframe src="${victim}/account" ${COVER}></iframe>`,
  })),
  clickjacking(
    'sibling-framing',
    "a frame on a page under the victim's own domain (SameSite cookies come along)",
    ({ victim }) => ({ '/lure': `<iframe src="${victim}/account" ${COVER}></iframe>` }),
    { cookie: 'plain', act: (scene) => lure(scene, `${scene.names.sibling}/lure`) },
  ),
  clickjacking(
    'data-framing',
    'a frame below a data: document, which has no origin to name',
    ({ victim }) => ({
      '/lure': `<iframe src="data:text/html,${encodeURIComponent(`<iframe src="${victim}/account" ${COVER}></iframe>`)}" ${COVER}></iframe>`,
    }),
  ),
];
