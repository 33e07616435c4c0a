import { describe, expect, test } from '@jest/globals';
import { eventually } from '@portcullis/test-support';
import type { OpenLibrary } from '../support/open-library.js';
import { addBook } from './everyday-use.js';

const OWN = 'https://library.example';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>');

function upload(bytes: Buffer, name: string, type: string) {
  const head = `--cut\r\nContent-Disposition: form-data; name="cover"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`;
  return {
    headers: { 'content-type': 'multipart/form-data; boundary=cut', 'sec-fetch-site': 'same-origin' },
    raw: Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--cut--\r\n')]),
  };
}

/** The form of a cover, with a picture in it. */
export const coverForm = () => upload(PNG, 'a.png', 'image/png');

/** What the library asks of browsers, and what it believes of what they say. */
export function browserSide(library: () => OpenLibrary): void {
  describe('the browser side', () => {
    test.each([
      ['a host that is not ours', '/books', { host: 'evil.example' }, 421],
      ['an encoded slash', '/books/..%2fstaff', {}, 400],
      ['an empty segment', '/staff//people', {}, 400],
      ['a dotfile', '/.env', {}, 404],
      ['a password in the address', '/books?password=hunter2', {}, 400],
      ['a method override', '/books', { 'x-http-method-override': 'DELETE' }, 400],
      ['a host that the proxy passes on', '/books', { 'x-forwarded-host': 'evil.example' }, 421],
    ] as const)('the firewall refuses %s', async (_title, path, headers, status) => {
      const answer = await library().anonymous().get(path, headers);
      expect(answer.status).toBe(status);
      expect(answer.text).not.toContain('hunter2');
    });

    test('pages of other sites may link here; they can neither frame nor load anything', async () => {
      const { browser } = library().ann;
      const asked = async (mode: string, dest: string): Promise<number> => {
        const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode, 'sec-fetch-dest': dest };
        return (await browser.get('/loans', headers)).status;
      };
      expect(await asked('navigate', 'document')).toBe(200);
      expect(await asked('navigate', 'iframe')).toBe(403);
      expect(await asked('no-cors', 'image')).toBe(403);
      expect(await asked('no-cors', 'script')).toBe(403);
    });

    test('what a browser reports is in the audit log once, without query strings; what others make up is not', async () => {
      const { staff } = library();
      const report = (url: string) => ({
        type: 'csp-violation',
        age: 1,
        url,
        user_agent: 'a browser',
        body: {
          documentURL: url,
          blockedURL: 'https://evil.example/x.js?stolen=1',
          effectiveDirective: 'script-src-elem',
          disposition: 'enforce',
        },
      });
      const send = (reports: unknown) =>
        library()
          .anonymous()
          .send('POST', '/reports', {
            headers: { 'content-type': 'application/reports+json', 'sec-fetch-site': 'same-origin' },
            raw: JSON.stringify(reports),
          });
      for (let i = 0; i < 3; i++)
        expect((await send([report(`${OWN}/books?q=private`), report('https://evil.example/')])).status).toBe(
          204,
        );
      expect((await send({ not: 'reports' })).status).toBe(400);
      const reported = async () => {
        const log = await staff.program.get('/api/audit?action=policy.violation-reported');
        return (log.body as { entries: readonly unknown[] }).entries;
      };
      // Reports are written down behind the answer.
      await eventually(async () => expect(await reported()).not.toHaveLength(0));
      const entries = await reported();
      expect(entries).toHaveLength(1);
      const text = JSON.stringify(entries);
      expect(text).toContain('https://evil.example/x.js');
      expect(text).not.toMatch(/private|stolen/);
    });

    test('a body with two readings is refused: a key or a field that occurs twice', async () => {
      const send = (type: string, raw: string) =>
        library()
          .anonymous()
          .send('POST', '/api/auth/sign-in', {
            headers: { 'content-type': type, 'sec-fetch-site': 'same-origin' },
            raw,
          });
      for (const [type, body] of [
        ['application/json', '{"login":"a@example.org","password":"x","login":"b@example.org"}'],
        ['application/x-www-form-urlencoded', 'login=a%40example.org&password=x&login=b%40example.org'],
      ] as const) {
        const answer = await send(type, body);
        expect([type, answer.status]).toEqual([type, 400]);
        expect(answer.text).toMatch(/occurs (?:twice|more than once)|repeated|duplicate/i);
      }
    });

    test('keys that verify our tokens are published, without what signs', async () => {
      const answer = await library().anonymous().get('/.well-known/jwks.json');
      expect(answer.status).toBe(200);
      const { keys } = JSON.parse(answer.text) as { keys: readonly Record<string, unknown>[] };
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) expect(Object.keys(key)).not.toEqual(expect.arrayContaining(['d']));
    });

    test('cookies leave Secure, HttpOnly, SameSite and bound to this host', async () => {
      const { ann } = library();
      const { email, password } = ann;
      const answer = await library().anonymous().submit('/sign-in', { email, password });
      const cookies = answer.headers['set-cookie'] as unknown as string[];
      expect(cookies.length).toBeGreaterThan(0);
      for (const cookie of cookies) {
        library().secrets.add(/=([^;]+)/.exec(cookie)![1]!);
        expect(cookie).toMatch(/^__(?:Host|Secure)-/);
        expect(cookie).toMatch(/; Secure/);
        expect(cookie).toMatch(/; HttpOnly/);
        expect(cookie).toMatch(/; SameSite=(?:Lax|Strict)/);
        expect(cookie).not.toMatch(/; Domain/i);
      }
    });

    test('a sign-out makes the browser forget pages; one that another site started does not', async () => {
      const client = library().anonymous();
      const forged = await client.send('POST', '/sign-out', { headers: { 'sec-fetch-site': 'cross-site' } });
      expect([forged.status, forged.headers['clear-site-data']]).toEqual([403, undefined]);
      const own = await client.submit('/sign-out');
      expect([own.status, own.headers['clear-site-data']]).toEqual([303, '"cache", "storage"']);
    });

    test('a browser too old to say who asks needs the token of a page that was sent to it', async () => {
      const old = library().anonymous();
      const tokenOf = (text: string): string => /name="_csrf" value="([^"]+)"/.exec(text)![1]!;
      const { email, password } = library().ann;
      const tryToSignIn = (token: string | undefined) =>
        old.send('POST', '/sign-in', {
          form: { email, password, ...(token === undefined ? {} : { _csrf: token }) },
        });
      // Nobody can be signed in as somebody else: not without a token, nor with that of another browser.
      const foreign = tokenOf((await library().anonymous().get('/sign-in')).text);
      const own = tokenOf((await old.get('/sign-in')).text);
      expect((await tryToSignIn(undefined)).status).toBe(403);
      expect((await tryToSignIn(foreign)).status).toBe(403);
      expect((await tryToSignIn(own)).status).toBe(303);
      for (const value of old.cookies.values()) library().secrets.add(value);
      // The token from before is worth nothing in the session.
      const end = (token: string) => old.send('POST', '/sign-out', { form: { _csrf: token } });
      expect((await end(own)).status).toBe(403);
      expect((await end(tokenOf((await old.get('/loans')).text))).status).toBe(303);
    });

    test('every form of every page that changes something carries a token', async () => {
      const { staff, ann } = library();
      const pages = [
        [library().anonymous(), '/sign-in'],
        [library().anonymous(), '/register'],
        [library().anonymous(), '/reset'],
        [library().anonymous(), '/reset/complete?token=any'],
        [ann.browser, '/books/1'],
        [ann.browser, '/account/sessions'],
        [ann.browser, '/account/second-factor'],
        [ann.browser, '/account/keys'],
        [staff.browser, '/books/1'],
        [staff.browser, '/staff/books/new'],
        [staff.browser, '/staff/people'],
      ] as const;
      for (const [who, path] of pages) {
        const { text } = await who.get(path);
        const forms = text.match(/<form method="post"[^]*?<\/form>/g) ?? [];
        expect([path, forms.length > 0]).toEqual([path, true]);
        for (const form of forms) expect(form).toContain('name="_csrf"');
      }
    });

    test('an old browser uploads a cover with the token of its page, beside the file, and not without it', async () => {
      const { staff } = library();
      const book = await addBook(library(), { title: 'A book with an old browser' });
      const page = await staff.browser.get(`/books/${book.id}`);
      const token = /action="\/staff\/books\/\d+\/cover"[^]*?name="_csrf" value="([^"]+)"/.exec(
        page.text,
      )![1]!;
      const { raw, headers } = upload(PNG, 'a.png', 'image/png');
      const field = (value: string): Buffer =>
        Buffer.from(`--cut\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${value}\r\n`);
      const type = { 'content-type': headers['content-type'] };
      const send = (...parts: Buffer[]) =>
        staff.browser.send('POST', `/staff/books/${book.id}/cover`, {
          headers: type,
          raw: Buffer.concat([...parts, raw]),
        });
      const before = await library().stored();
      for (const parts of [[], [field('made-up')], [field(token), field(token)]])
        expect([403, 413]).toContain((await send(...parts)).status);
      expect(await library().stored()).toBe(before);
      expect((await send(field(token))).status).toBe(303);
      expect((await library().anonymous().get(`/books/${book.id}/cover`)).status).toBe(200);
    });

    test('a cover is a picture that staff upload; it is handed out so that nothing of it runs', async () => {
      const { staff, ann } = library();
      const book = await addBook(library(), { title: 'A book with a cover' });
      const to = `/staff/books/${book.id}/cover`;
      expect((await library().anonymous().get(`/books/${book.id}/cover`)).status).toBe(404);
      expect((await ann.browser.send('POST', to, upload(PNG, 'a.png', 'image/png'))).status).toBe(403);
      const kept = await staff.browser.send('POST', to, upload(PNG, '../../etc/a.png', 'image/png'));
      expect([kept.status, kept.headers['location']]).toEqual([303, `/books/${book.id}?done=saved`]);
      const shown = await library().anonymous().get(`/books/${book.id}/cover`);
      expect(shown.status).toBe(200);
      expect(shown.body).toEqual(PNG);
      expect(shown.headers).toMatchObject({
        'content-type': 'image/png',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
        'content-disposition': `inline; filename="cover-${book.id}"`,
        'cross-origin-resource-policy': 'same-origin',
      });
      expect((await ann.browser.get(`/books/${book.id}`)).text).toContain(`src="/books/${book.id}/cover"`);
    });

    test.each([
      ['a script as a picture', SVG, 'a.png', 'image/png'],
      ['a drawing that can hold scripts', SVG, 'a.svg', 'image/svg+xml'],
      ['a page as a picture', Buffer.from('<html><script>alert(1)</script>'), 'a.png', 'image/png'],
      [
        'a picture with a page behind it',
        Buffer.concat([PNG, Buffer.from('<script>')]),
        'a.png',
        'image/png',
      ],
      ['a program with the name of a picture', Buffer.from('MZ\x90\x00'), 'a.png', 'image/png'],
      ['a picture with the name of a program', PNG, 'a.exe', 'image/png'],
      ['half a picture', PNG.subarray(0, 30), 'a.png', 'image/png'],
      ['nothing', Buffer.alloc(0), 'a.png', 'image/png'],
      ['more than 2 MB', Buffer.concat([PNG, Buffer.alloc(2_100_000)]), 'a.png', 'image/png'],
    ])('no cover: %s', async (_title, bytes, name, type) => {
      const { staff } = library();
      const before = await library().stored();
      const answer = await staff.browser.send('POST', '/staff/books/1/cover', upload(bytes, name, type));
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect((await library().anonymous().get('/books/1/cover')).status).toBe(404);
      expect(await library().stored()).toBe(before);
    });

    test('signing in leads back to where one was, and never to another site', async () => {
      const { email, password } = library().ann;
      const page = await library().anonymous().get('/books/1');
      expect(page.text).toContain('href="/sign-in?next=/books/1"');
      const form = await library().anonymous().get('/sign-in?next=/books/1');
      expect(form.text).toContain('name="next" value="/books/1"');
      for (const [next, location] of [
        ['/books/1', '/books/1'],
        ['//evil.example', '/books'],
        ['/\\evil.example', '/books'],
        ['https://evil.example/', '/books'],
        ['javascript:alert(1)', '/books'],
      ] as const) {
        const answer = await library().anonymous().submit('/sign-in', { email, password, next });
        for (const cookie of answer.headers['set-cookie'] as unknown as string[])
          library().secrets.add(/=([^;]+)/.exec(cookie)![1]!);
        expect([next, answer.status, answer.headers['location']]).toEqual([next, 303, location]);
      }
    });
  });
}
