// pnpm prove:passkeys [--short] [--write]: passkeys in a real Chromium with its virtual authenticator, against createAuth() on Express 4 and 5: added, used to
// sign in, as second factor and to step up; and what browsers let through that must not pass.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { launchBrowser } from './browser.js';
import { markdownTable } from './markdown-table.js';
import { openAuthenticator } from './passkeys/authenticator.js';
import { walkLibrary } from './passkeys/library.js';
import { serveSite, type Site } from './passkeys/site.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const rows: string[][] = [];
let broken = 0;
function claim(what: string, expected: unknown, found: unknown): void {
  const holds = JSON.stringify(expected) === JSON.stringify(found);
  if (!holds) broken++;
  rows.push([what, JSON.stringify(found), holds ? 'as expected' : `**not ${JSON.stringify(expected)}**`]);
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}: ${JSON.stringify(found)}`);
}

const browser = await launchBrowser();
const version = browser.version();
try {
  for (const express of flags.short ? ([5] as const) : ([4, 5] as const)) {
    const site = await serveSite(express);
    await walk(browser, site, `Express ${express}`);
    await site.stop();
  }
  claim(
    'the digital library: signed in, added, signed in with it, removed; an account by mail with a passkey and no password, and its new address',
    [
      'Sign out',
      'This laptop',
      'Sign out',
      'You have none yet.',
      'A message is on its way',
      'Your account is ready.',
      'grace@readers.example',
      'A message is on its way',
      'Your address is changed',
      'hopper@readers.example',
    ],
    await walkLibrary(browser),
  );
} finally {
  await browser.close();
}

async function walk(chromium: Browser, site: Site, name: string): Promise<void> {
  const context = await chromium.newContext();
  const page = await context.newPage();
  const authenticator = await openAuthenticator(page);
  const said = (what: string) => `${name}: ${what}`;
  const open = async (host = 'localhost') => void (await page.goto(site.url(host)));
  /** Runs a function of the page's own script. */
  const run = (call: string): Promise<unknown> => page.evaluate(call);

  await open();
  claim(said('a password signs in at level'), 1, await run(`signIn()`));
  claim(said('a passkey is added'), 201, await run(`add('This laptop')`));
  claim(said('a route for level 2, after the password'), 401, await run(`status('/strong')`));
  claim(said('stepping up with the passkey'), 200, await run(`use('/auth/passkeys/step-up')`));
  claim(said('the route for level 2, after stepping up'), 200, await run(`status('/strong')`));
  await run(`post('/auth/sign-out', {})`);
  claim(said('the passkey signs in, without a name'), 200, await run(`use('/auth/passkeys/sign-in')`));
  claim(said('at level'), 2, await run(`level()`));
  claim(said('its cookies and challenge are out of reach of scripts'), '', await run(`document.cookie`));
  await run(`post('/auth/sign-out', {})`);
  claim(said('the account with an app: after its password'), 'E_SECOND_FACTOR_REQUIRED', await run(`half()`));
  claim(said('its passkey is the second factor'), 200, await run(`second()`));
  claim(said('a second passkey on the same authenticator'), 'InvalidStateError', await run(`add('Again')`));
  await run(`post('/auth/sign-out', {})`);

  await authenticator.verifyUser(false);
  claim(said('nobody shows finger or PIN'), 'NotAllowedError', await run(`use('/auth/passkeys/sign-in')`));
  await authenticator.verifyUser(true);
  await page.goto(site.besides);
  claim(said('a page of another origin with the same RP id'), 401, await run(`elsewhere()`));
  await open('127.0.0.1');
  claim(said('a page of another site'), 'SecurityError', await run(`elsewhere()`));
  await page.goto(site.url('evil.localhost', '/around'));
  const frame = page.frames().find((one) => one.url().includes('//localhost'))!;
  claim(said('our page inside a page of somebody else'), 401, await frame.evaluate(`elsewhere()`));
  claim(said('why these two were refused'), ['origin', 'cross-origin frame'], site.refused());

  await open();
  const copy = await authenticator.copy();
  for (let i = 0; i < 2; i++) await run(`use('/auth/passkeys/sign-in')`);
  await copy.use();
  claim(
    said('a copy of the authenticator, two uses behind'),
    401,
    await run(`use('/auth/passkeys/sign-in')`),
  );
  claim(said('its owner is told'), 'passkey-repeated', await site.told());
  await copy.putBack();
  claim(said('the one that counts on goes on'), 200, await run(`use('/auth/passkeys/sign-in')`));
  claim(said('the passkey is removed'), 204, await run(`removeAll()`));
  await run(`post('/auth/sign-out', {})`);
  claim(said('a removed passkey'), 401, await run(`use('/auth/passkeys/sign-in')`));
  await authenticator.forget();
  const grace = 'grace@library.example';
  claim(
    said('an account that begins with a passkey, by the link of its message'),
    201,
    await run(`begin('${await site.link(grace)}')`),
  );
  claim(said('it signs in, without a name or password'), 200, await run(`use('/auth/passkeys/sign-in')`));
  claim(said('at level'), 2, await run(`level()`));
  claim(said('its only passkey'), 409, await run(`removeAll()`));
  await run(`post('/auth/sign-out', {})`);
  await context.close();
}

if (flags.write && !flags.short) {
  mkdirSync('docs/proofs', { recursive: true });
  writeFileSync(
    'docs/proofs/passkeys.md',
    `# Passkeys in a real browser

\`pnpm prove:passkeys --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}: Chromium ${version} with the virtual authenticator of its
DevTools protocol (CTAP 2, resident keys, user verification) and \`createAuth({ passkeys })\` with cookies, on Express 4 and 5.

${markdownTable(['what', 'found', ''], rows)}
`,
  );
}
console.log(
  broken === 0 ? `\n${rows.length} claims hold.` : `\n${broken} of ${rows.length} claims do NOT hold.`,
);
process.exitCode = broken === 0 ? 0 : 1;
