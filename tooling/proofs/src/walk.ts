// pnpm prove:walk [--screenshots <folder>]: a person's way through the digital library in a real browser.
// Fails on any CSP violation, console error, failed request or axe violation of level serious or critical.
import { AxeBuilder } from '@axe-core/playwright';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { startLibrary, temporaryFolder } from '@portcullis/digital-library/test-support';
import { launchBrowser } from './browser.js';

const { values: flags } = parseArgs({
  options: { screenshots: { type: 'string' }, short: { type: 'boolean' } },
});
// Before the library: where there is no browser, nothing is to be started.
const browser = await launchBrowser();
const problems: string[] = [];
/** Pages that must be refused in this walk; the browser reports each as an error of its own. */
const REFUSALS = 5;
let [steps, shots, refused] = [0, 0, 0];
const folder = temporaryFolder();
const library = await startLibrary({ dataDirectory: folder.path });
const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
const page = await context.newPage();
page.on('console', (message) => {
  if (/^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text())) {
    refused++;
    return;
  }
  if (message.type() === 'error' || /Content Security Policy/i.test(message.text()))
    problems.push(`console: ${message.text()}`);
});
page.on('pageerror', (error) => problems.push(`script error: ${error.message}`));
page.on('requestfailed', (request) => {
  // A page that was left before its icon came.
  const left = request.failure()?.errorText === 'net::ERR_ABORTED' && request.url().endsWith('/icon.svg');
  if (!left) problems.push(`request failed: ${request.url()}`);
});

try {
  const person = { email: `reader-${Date.now()}@example.org`, password: 'rusty kettle under the stairs' };
  await visit('/');
  await seen('start');

  await page.getByRole('link', { name: 'Register' }).first().click();
  await fillIn({ 'E-mail': person.email, Password: 'short' });
  await page.getByRole('button', { name: 'Register' }).click();
  await expectText(page, 'characters');
  await seen('register-refused');
  await fillIn({ 'E-mail': person.email, Password: person.password });
  await page.getByRole('button', { name: 'Register' }).click();
  await expectText(page, 'Sign in');
  await seen('registered');

  await signIn(person.email, 'not the password at all');
  await expectText(page, 'not right');
  await seen('sign-in-refused');
  await signIn(person.email, person.password);
  await expectText(page, 'Sign out');
  await seen('signed-in');

  await visit('/books');
  await page.getByLabel('Search by title, author or ISBN').fill('garcia marquez');
  await page.getByRole('button', { name: 'Search' }).click();
  await expectText(page, 'One Hundred Years of Solitude');
  await seen('found');
  await page.getByRole('link', { name: 'One Hundred Years of Solitude' }).click();
  await seen('book');
  await page.getByRole('button', { name: /Borrow/ }).click();
  await expectText(page, 'Books you have');
  await seen('borrowed');
  await page.getByRole('button', { name: /Return/ }).click();
  await expectText(page, 'Returned');
  await seen('returned');

  await page.goto(`${library.url}/staff/audit`);
  await expectText(page, '403');
  await seen('patron-refused');
  await visit('/');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expectText(page, 'Sign in');
  await seen('signed-out');

  const staff = library.staff!;
  await signIn(staff.email, staff.password);
  await page.getByRole('link', { name: 'Add a book' }).click();
  await fillIn({
    'ISBN-13': '9780141439518',
    Title: '',
    Authors: 'Jane Austen',
    'First published': '1813',
    Copies: '2',
  });
  await page.getByRole('button', { name: 'Save' }).click();
  await seen('book-refused');
  await fillIn({
    'ISBN-13': '9780000000002',
    Title: 'A Book <b>from</b> the Walk',
    Authors: 'Nobody Particular',
    'First published': '2026',
    Copies: '2',
  });
  await page.getByRole('button', { name: 'Save' }).click();
  await expectText(page, 'A Book <b>from</b> the Walk');
  await seen('book-added');
  await page.getByRole('link', { name: 'Edit this book' }).click();
  await fillIn({ Title: 'A Book from the Walk, second edition' });
  await page.getByRole('button', { name: 'Save' }).click();
  await expectText(page, 'Saved.');
  await page.getByRole('link', { name: 'What became of it' }).click();
  await expectText(page, 'A Book <b>from</b> the Walk');
  await page.getByLabel('How it was at the end of a day').fill(new Date().toISOString().slice(0, 10));
  await page.getByRole('button', { name: 'Show' }).click();
  await expectText(page, 'second edition');
  await seen('book-history');
  await page.getByRole('link', { name: 'People' }).click();
  await expectText(page, person.email);
  await seen('people');
  await page.getByRole('button', { name: `Make staff: ${person.email}` }).click();
  await expectText(page, 'The role is granted.');
  await page.getByRole('link', { name: 'Reviews' }).click();
  await expectText(page, 'of your own doing');
  await seen('own-review');
  await page.getByRole('link', { name: 'Audit log' }).click();
  await expectText(page, 'book.added');
  await seen('audit-log');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await expectText(page, 'You are signed out.');
  await signIn(person.email, person.password);
  await expectText(page, 'Sign out');
  await page.getByRole('link', { name: 'Reviews' }).click();
  await fillIn({ 'What you looked at, and what came of it': 'asked for by the head of the library' });
  await seen('review');
  await page.getByRole('button', { name: /^Sign off/ }).click();
  await expectText(page, 'It stands in the audit log.');
  await fillIn({ 'Which round this was, such as the week': 'week 48' });
  await page.getByRole('button', { name: 'Everything up to now is reviewed' }).click();
  await expectText(page, 'Reviewed up to');
  await seen('reviewed');

  await visit('/books');
  await page.getByLabel('Search by title, author or ISBN').fill('garcia marquez');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: 'One Hundred Years of Solitude' }).click();
  await page.getByRole('link', { name: 'Loans of this book' }).click();
  await expectText(page, person.email); // Their own loan; nobody else had it.
  await seen('book-loans');
  await visit('/staff/emergency');
  await fillIn({ Why: 'because' });
  await page.getByLabel('15 minutes').check();
  await page.getByRole('button', { name: 'Break the glass' }).click();
  await expectText(page, 'Say why, in at least ten characters');
  await seen('emergency-refused');
  await fillIn({ Why: 'an order of the court' });
  await page.getByLabel('15 minutes').check();
  await page.getByRole('button', { name: 'Break the glass' }).click();
  await expectText(page, 'In force until');
  await seen('emergency');

  await page.setViewportSize({ width: 390, height: 800 });
  await visit('/books');
  await seen('books-on-a-phone');
  if (refused !== REFUSALS) problems.push(`${refused} pages were refused, not ${REFUSALS}`);
} catch (error) {
  problems.push(`the walk stopped: ${error instanceof Error ? error.message : String(error)}`);
  await screenshot('stopped');
} finally {
  await browser.close();
  await library.kill('SIGTERM');
  folder.remove();
}

for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`walk: ${steps} pages looked at, ${problems.length} problems`);
process.exit(problems.length === 0 && steps > 15 ? 0 : 1);

async function visit(path: string): Promise<void> {
  const response = await page.goto(library.url + path);
  if (!response || response.status() >= 400) problems.push(`${path} answers ${response?.status()}`);
}

async function signIn(email: string, password: string): Promise<void> {
  await visit('/sign-in');
  await fillIn({ 'E-mail': email, Password: password });
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function fillIn(fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [label, value] of Object.entries(fields))
    await page.getByLabel(label, { exact: true }).fill(value);
}

async function expectText(on: Page, text: string): Promise<void> {
  await on.getByText(text).first().waitFor({ timeout: 15_000 });
}

/** Looks at the page as a screen reader would, and takes a picture. */
async function seen(name: string): Promise<void> {
  steps++;
  const { violations } = await new AxeBuilder({ page }).analyze();
  for (const { id, impact, nodes } of violations) {
    if (impact === 'serious' || impact === 'critical')
      problems.push(`axe on ${name}: ${id} (${nodes[0]?.html ?? ''})`);
  }
  await screenshot(name);
}

async function screenshot(name: string): Promise<void> {
  if (flags.screenshots === undefined) return;
  mkdirSync(flags.screenshots, { recursive: true });
  await page.screenshot({
    path: join(flags.screenshots, `${String(++shots).padStart(2, '0')}-${name}.png`),
    fullPage: true,
  });
}
