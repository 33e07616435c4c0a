import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/**
 * The Chromium of this machine, without talking to anybody but the pages it is sent to. Where there is none, says so and ends the
 * process: with success, or with failure if `REQUIRE_SERVICES=1` asks for it.
 */
export async function launchBrowser(args: readonly string[] = []): Promise<Browser> {
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
  return chromium.launch({
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
  });
}
