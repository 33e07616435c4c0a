import { describe, expect, test } from '@jest/globals';
import decodeQr from 'qr/decode.js';
import { appCode } from '../support/authenticator-app.js';
import type { Client } from '../support/client.js';
import type { OpenLibrary } from '../support/open-library.js';

const AT = '/account/second-factor';
const hidden = (text: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]+)"`).exec(text)![1]!;

/** Codes of an authenticator app, with forms and without script. */
export function secondFactor(library: () => OpenLibrary): void {
  interface Reader {
    readonly account: { readonly email: string; readonly password: string };
    readonly browser: Client;
  }
  async function reader(name: string): Promise<Reader> {
    const account = { email: `${name}@readers.example`, password: 'seven quiet otters borrow a lamp' };
    library().secrets.add(account.password);
    const browser = library().anonymous();
    await browser.submit('/register', account);
    await browser.submit('/sign-in', account);
    for (const value of browser.cookies.values()) library().secrets.add(value);
    return { account, browser };
  }
  async function withApp({ account, browser }: Reader): Promise<{ secret: string; codes: string[] }> {
    const page = (await browser.submit(`${AT}/start`, { password: account.password })).text;
    const secret = /class="secret">([A-Z2-7 ]+)</.exec(page)![1]!.replaceAll(' ', '');
    const on = await browser.submit(`${AT}/confirm`, {
      token: hidden(page, 'token'),
      code: appCode(secret),
    });
    expect(on.status).toBe(200);
    const codes = [...on.text.matchAll(/<code>([A-Z2-7-]{34})<\/code>/g)].map(([, code]) => code!);
    for (const one of [secret, ...codes]) library().secrets.add(one);
    return { secret, codes };
  }
  const askedAt = async (client: Client, { account }: Reader, next = {}): Promise<string> => {
    const asked = await client.submit('/sign-in', { ...account, ...next });
    expect([asked.status, asked.headers['location']]).toEqual([200, undefined]);
    const challenge = hidden(asked.text, 'challenge');
    library().secrets.add(challenge);
    return challenge;
  };

  describe('the second factor', () => {
    test('is set up with the password, by a key to type or a link, and counts from the first right code on', async () => {
      const ann = await reader('app-setup');
      const phone = library().anonymous();
      await phone.submit('/sign-in', ann.account);
      expect((await ann.browser.get(AT)).text).toContain('It is <strong>off</strong>');

      const wrong = await ann.browser.submit(`${AT}/start`, { password: 'not the password' });
      expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('The password is wrong')]);
      expect(wrong.text).not.toContain('otpauth:');

      const page = (await ann.browser.submit(`${AT}/start`, { password: ann.account.password })).text;
      const grouped = /class="secret">([A-Z2-7]{4}(?: [A-Z2-7]{4}){7})</.exec(page)![1]!;
      const secret = grouped.replaceAll(' ', '');
      library().secrets.add(secret);
      expect(page).toContain(
        `href="otpauth://totp/Digital%20Library:app-setup%40readers.example?secret=${secret}&amp;`,
      );
      // A camera reads the same address from the picture, which is part of the page.
      expect(page).not.toMatch(/<img|data:|style=/);
      expect(readQr(page)).toContain(`?secret=${secret}&`);
      const token = hidden(page, 'token');
      const refused = await ann.browser.submit(`${AT}/confirm`, { token, code: '000 000' });
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('This code is wrong')]);
      expect((await ann.browser.get(AT)).text).toContain('It is <strong>off</strong>');
      expect((await phone.get('/loans')).status).toBe(200);

      const on = await ann.browser.submit(`${AT}/confirm`, { token, code: appCode(secret) });
      expect([on.status, on.headers['cache-control']]).toEqual([200, 'no-store']);
      const codes = [...on.text.matchAll(/<code>([A-Z2-7-]{34})<\/code>/g)].map(([, code]) => code!);
      expect(new Set(codes).size).toBe(10);
      for (const code of codes) library().secrets.add(code);
      // Once: neither the page nor the database has them again, nor the secret in clear.
      const again = (await ann.browser.get(AT)).text;
      expect(again).toContain('It is <strong>on</strong>');
      const { rows } = await library().house.sql.query<{ factors: string }>(
        'select factors from library.person where email = $1',
        [ann.account.email],
      );
      expect(rows[0]!.factors).toMatch(/^\{.+\}$/);
      for (const one of [secret, ...codes]) {
        expect(again).not.toContain(one);
        expect(rows[0]!.factors).not.toContain(one);
      }
      expect((await ann.browser.submit(`${AT}/confirm`, { token, code: appCode(secret, 1) })).status).toBe(
        400,
      );
      // Whoever was signed in without a code no longer is.
      expect((await phone.get('/loans')).status).toBe(401);
      const log = await library().house.audit.query({ viewer: 'system', action: 'person.factors-changed' });
      expect(log.entries[0]).toMatchObject({ outcome: 'success', actor: { kind: 'user' } });
    });

    test('is asked for after the password: no session before a right code, and each code signs in once', async () => {
      const bob = await reader('app-sign-in');
      const { secret, codes } = await withApp(bob);
      const browser = library().anonymous();
      const challenge = await askedAt(browser, bob, { next: '/loans' });
      expect([...browser.cookies.keys()]).toEqual(['__Host-csrf']);
      expect((await browser.get('/loans')).status).toBe(401);

      const step = (code: string, more = {}) =>
        browser.submit('/sign-in/complete', { challenge, code, ...more });
      // The code of the setup was used.
      for (const code of ['000000', appCode(secret).replace(/.$/, 'x'), 'not-a-code']) {
        const wrong = await step(code, { next: '/loans' });
        expect([code, wrong.status, wrong.text]).toEqual([
          code,
          401,
          expect.stringContaining('This code is wrong'),
        ]);
        expect([hidden(wrong.text, 'challenge'), hidden(wrong.text, 'next')]).toEqual([challenge, '/loans']);
      }
      expect((await browser.get('/loans')).status).toBe(401);
      const right = await step(appCode(secret, 1), { next: '/loans' });
      expect([right.status, right.headers['location']]).toEqual([303, '/loans']);
      for (const value of browser.cookies.values()) library().secrets.add(value);
      expect((await browser.get('/loans')).status).toBe(200);

      // The challenge is used up, whatever code there is.
      const late = await library().anonymous().submit('/sign-in/complete', { challenge, code: codes[0]! });
      expect([late.status, late.text]).toEqual([401, expect.stringContaining('Sign in again.')]);
      const foreign = await step(codes[1]!, { next: 'https://evil.example/' });
      expect(foreign.status).toBe(401);
    });

    test('a recovery code stands in for the app, once', async () => {
      const eve = await reader('app-lost');
      const { codes } = await withApp(eve);
      const use = async (code: string): Promise<number> => {
        const browser = library().anonymous();
        const challenge = await askedAt(browser, eve);
        const { status } = await browser.submit('/sign-in/complete', { challenge, code });
        for (const value of browser.cookies.values()) library().secrets.add(value);
        return status;
      };
      expect(await use(codes[0]!)).toBe(303);
      expect(await use(codes[0]!)).toBe(401);
      expect(await use(codes[1]!.toLowerCase().replaceAll('-', ' '))).toBe(303);
    });

    test('is turned off, and gets new recovery codes, by the password and a code together', async () => {
      const dan = await reader('app-off');
      const { codes } = await withApp(dan);
      const { password } = dan.account;
      const isOn = async () => (await dan.browser.get(AT)).text.includes('It is <strong>on</strong>');
      for (const form of ['recovery-codes', 'remove']) {
        const noPassword = await dan.browser.submit(`${AT}/${form}`, {
          password: 'another',
          code: codes[0]!,
        });
        const noCode = await dan.browser.submit(`${AT}/${form}`, { password, code: '000000' });
        const neither = await dan.browser.submit(`${AT}/${form}`);
        expect([form, noPassword.status, noCode.status, neither.status]).toEqual([form, 400, 400, 400]);
        expect(noPassword.text).toContain('The password is wrong');
        expect(noCode.text).toContain('This code is wrong');
        expect(await isOn()).toBe(true);
      }
      const renewed = await dan.browser.submit(`${AT}/recovery-codes`, { password, code: codes[0]! });
      const fresh = [...renewed.text.matchAll(/<code>([A-Z2-7-]{34})<\/code>/g)].map(([, code]) => code!);
      for (const code of fresh) library().secrets.add(code);
      expect([renewed.status, fresh.length]).toEqual([200, 10]);
      expect((await dan.browser.submit(`${AT}/remove`, { password, code: codes[1]! })).status).toBe(400);

      const off = await dan.browser.submit(`${AT}/remove`, { password, code: fresh[0]! });
      expect([off.status, off.headers['location']]).toEqual([303, `${AT}?done=factor-off`]);
      expect(await isOn()).toBe(false);
      const signedIn = await library().anonymous().submit('/sign-in', dan.account);
      expect([signedIn.status, signedIn.headers['location']]).toEqual([303, '/books']);
    });
  });
}

/** What a camera sees in the QR code of a page, drawn 4 pixels a module. */
function readQr(page: string): string {
  const [, side, path] = /viewBox="0 0 (\d+) \1">\s*<path d="([^"]+)"/.exec(page)!;
  const width = Number(side) * 4;
  const data = new Uint8Array(width * width * 4).fill(255);
  for (const [, x, y] of path!.matchAll(/M(\d+) (\d+)h1v1h-1z/g))
    for (let i = 0; i < 16; i++) {
      const at = (Number(y) * 4 + (i >> 2)) * width + Number(x) * 4 + (i & 3);
      data.fill(0, at * 4, at * 4 + 3);
    }
  return decodeQr({ width, height: width, data });
}
