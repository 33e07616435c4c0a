import { startLibrary, temporaryFolder } from '@portcullis/digital-library/test-support';
import { createServer, type AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { openAuthenticator } from './authenticator.js';

/** Passkeys by the pages of the digital library, as `npm start` serves them. Returns what was seen, step by step. */
export async function walkLibrary(browser: Browser): Promise<readonly string[]> {
  const folder = temporaryFolder();
  const port = await freePort();
  const library = await startLibrary({
    dataDirectory: folder.path,
    env: { PORT: String(port), REGISTRATION: 'by-mail' },
  });
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) problems.push(message.text());
  });
  const seen: string[] = [];
  const see = async (text: string): Promise<void> => {
    await page.getByText(text).first().waitFor({ timeout: 10_000 });
    seen.push(text);
  };
  const at = `http://localhost:${port}`;
  try {
    const authenticator = await openAuthenticator(page);
    await page.goto(`${at}/sign-in`);
    await page.getByLabel('E-mail').fill(library.staff!.email);
    await page.getByLabel('Password').fill(library.staff!.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await see('Sign out');
    await page.goto(`${at}/account/passkeys`);
    await page.getByLabel('Name').fill('This laptop');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await see('This laptop');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await see('Sign out');
    await page.goto(`${at}/account/passkeys`);
    await page.getByRole('button', { name: 'Remove This laptop' }).click();
    await see('You have none yet.');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await authenticator.forget(); // It would offer the passkey that was removed.
    await page.goto(`${at}/register`);
    await page.getByLabel('E-mail').fill('grace@readers.example');
    await page.getByRole('button', { name: 'Send the link' }).click();
    await see('A message is on its way');
    await page.goto(await linkIn(library.output, 'register/complete'));
    await page.getByRole('button', { name: 'Make a passkey instead' }).click();
    await see('Your account is ready.');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await see('grace@readers.example');
    await page.goto(`${at}/account/email`);
    await page.getByLabel('New address').fill('hopper@readers.example');
    await page.getByRole('button', { name: 'Send the link' }).click();
    await see('A message is on its way');
    await page.goto(await linkIn(library.output, 'account/email/complete'));
    await page.getByRole('button', { name: 'This is my address' }).click();
    await see('Your address is changed');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await see('hopper@readers.example');
    return [...seen, ...problems];
  } finally {
    await page.close();
    await library.kill('SIGTERM');
    folder.remove();
  }
}

/** The library prints its messages where it was started. */
async function linkIn(output: readonly string[], path: string): Promise<string> {
  const link = new RegExp(`http:\\S+/${path}\\?token=\\S+`);
  for (let tries = 0; tries < 100; tries++) {
    const found = output.flatMap((line) => link.exec(line) ?? []).at(-1);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('No message was printed.');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
