import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/**
 * The Chromium of this machine, without talking to anybody but the pages it is sent to. Where there is none, says so and ends the
 * process: with success, or with failure if `REQUIRE_SERVICES=1` asks for it.
 * Preferences are those of the browser's profile, which its contexts take over.
 */
export async function launchBrowser(args: readonly string[] = [], preferences?: object): Promise<Browser> {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
    (file) => existsSync(file),
  );
  if (!executablePath) {
    const required = process.env['REQUIRE_SERVICES'] === '1';
    console.log(
      `SKIPPED: there is no Chromium on this machine${required ? ', and REQUIRE_SERVICES=1 asks for it' : ''}.`,
    );
    process.exit(required ? 1 : 0);
  }
  const options = {
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  };
  if (preferences === undefined) return chromium.launch(options);
  const profile = mkdtempSync(join(tmpdir(), 'portcullis-browser-'));
  mkdirSync(join(profile, 'Default'));
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
  const browser = (await chromium.launchPersistentContext(profile, options)).browser()!;
  process.once('exit', () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  return browser;
}
