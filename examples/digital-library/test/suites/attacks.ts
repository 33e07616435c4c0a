import { describe, expect, test } from '@jest/globals';
import { walkRoutes } from '@portcullis/core';
import { createApp } from '../../src/app.js';
import type { Loan } from '../../src/loans.js';
import type { Client } from '../support/client.js';
import type { OpenLibrary } from '../support/open-library.js';
import { filled, split } from './decisions.js';
import { addBook } from './everyday-use.js';

const MARKUP = `<script>alert('title')</script>"'><img src=x onerror=alert(1)>`;
const SVG = `"><svg onload="alert('author')">`;
const RAW = /<script|<img|<svg|onerror="|onload="/i;

export function attacks(library: () => OpenLibrary): void {
  describe('attacks', () => {
    test('markup in titles, authors and e-mail addresses is text on every page that shows them', async () => {
      const { staff, ann, house } = library();
      const email = `<script>alert('mail')</script>"@readers.example`;
      await house.people.create({ login: email, passwordHash: 'none' });
      const book = await addBook(library(), { title: MARKUP, authors: SVG });
      const evil = (await house.people.findByLogin(email))!.id;

      const pages: [who: Client, path: string, shown: string][] = [
        [library().anonymous(), '/books?q=alert', 'title'],
        [library().anonymous(), `/books/${book.id}`, 'author'],
        [ann.browser, `/books/${book.id}`, 'title'],
        [staff.browser, `/staff/books/${book.id}/edit`, 'author'],
        [staff.browser, '/staff/people', 'mail'],
      ];
      const check = async (): Promise<void> => {
        for (const [who, path, shown] of pages) {
          const { status, text } = await who.get(path);
          expect({ path, status, raw: RAW.exec(text)?.[0] }).toEqual({ path, status: 200, raw: undefined });
          expect(text).toContain(`alert(&#39;${shown}&#39;)`);
        }
      };
      await check();
      const loan = (await ann.program.post('/api/loans', { bookId: book.id })).body as Loan;
      pages.splice(0, pages.length, [ann.browser, '/loans', 'title']);
      await check();
      await ann.program.post(`/api/loans/${loan.id}/return`);
      await check();

      const refused = await library().anonymous().submit('/register', { email: MARKUP, password: 'short' });
      expect([refused.status, RAW.exec(refused.text)?.[0]]).toEqual([400, undefined]);
      expect(refused.text).toContain('value="&lt;script&gt;');
      const again = await staff.browser.submit('/staff/books', {
        isbn13: MARKUP,
        title: SVG,
        authors: MARKUP,
      });
      expect([again.status, RAW.exec(again.text)?.[0]]).toEqual([400, undefined]);
      expect(again.text).toContain('value="&lt;script&gt;');
      // In JSON it stands as it is, under a type that no browser takes for a page.
      const api = await library().anonymous().get(`/api/books/${book.id}`);
      expect(api.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'x-content-type-options': 'nosniff',
      });
      expect(api.body).toMatchObject({ title: MARKUP, authors: SVG });
      await house.sql.query('update library.person set active = false where id::text = $1', [evil]);
    });

    test.each(['/books', '/api/books'])(
      `'; DROP TABLE users; -- in the search of %s is 400 and drops nothing`,
      async (path) => {
        const before = await library().stored();
        const answer = await library()
          .anonymous()
          .get(`${path}?q=${encodeURIComponent(`'; DROP TABLE users; --`)}`);
        expect(answer.status).toBe(400);
        expect(answer.text).toMatch(/letters, digits|does not have the required form/);
        expect(await library().stored()).toBe(before);
        // What people really are called can be searched for.
        expect(
          (
            await library()
              .anonymous()
              .get(`${path}?q=${encodeURIComponent(`O'Brien, H. & Søn: "100%"`.replaceAll(/["%]/g, ''))}`)
          ).status,
        ).toBe(200);
      },
    );

    test.each([
      ['by fetch metadata', { 'sec-fetch-site': 'cross-site' }],
      ['from a sibling domain', { 'sec-fetch-site': 'same-site', origin: 'https://evil.library.example' }],
      ['by a foreign origin', { origin: 'https://evil.example' }],
      ['by the plain-text twin of our own origin', { origin: 'http://library.example' }],
      ['from a sandbox', { origin: 'null' }],
    ] as const)(
      'a state change that another site started is refused on every form and endpoint: %s',
      async (_title, headers) => {
        const before = await library().stored();
        const endpoints = walkRoutes(createApp(library().house)).flatMap(({ kind, methods, path }) =>
          kind === 'route' && !methods.includes('GET') ? [`${methods[0]} ${path}`] : [],
        );
        expect(endpoints.length).toBeGreaterThan(18);
        for (const endpoint of endpoints) {
          const [method, path] = split(endpoint);
          const answer = await library()
            .staff.browser.elsewhere()
            .send(method, filled(path), { headers, form: { role: 'staff' } });
          expect({ endpoint, status: answer.status, cookies: answer.headers['set-cookie'] }).toEqual({
            endpoint,
            status: 403,
            cookies: undefined,
          });
        }
        expect(await library().stored()).toBe(before);
      },
    );

    test('the same form of our own origin passes', async () => {
      const own = { origin: 'https://library.example', 'sec-fetch-site': 'same-origin' };
      const answer = await library().anonymous().send('POST', '/sign-out', { headers: own, form: {} });
      expect(answer.status).toBe(303);
    });

    test('security headers stand on every kind of answer, and what is personal is not stored', async () => {
      const { staff, house } = library();
      const fault = new Error('a secret detail of the database');
      const broken = await library().served({
        ...house,
        people: { ...house.people, list: () => Promise.reject(fault) },
        check: () => Promise.reject(fault),
      });
      const at = (client: Client): Client => client.elsewhere(broken.url);
      try {
        const answers = await Promise.all([
          staff.browser.get('/books'),
          staff.program.get('/api/loans'),
          library().anonymous().get('/books'),
          library().anonymous().get('/nothing/here'),
          library().anonymous().get('/api/nothing/here'),
          library().anonymous().get('/loans'),
          library().ann.browser.get('/staff/people'),
          library().anonymous().get('/books?page=0'),
          library()
            .anonymous()
            .send('PUT', '/books', { headers: { 'sec-fetch-site': 'same-origin' } }),
          library().anonymous().get('/books', { 'x-forwarded-for': 'not-an-address' }),
          library()
            .anonymous()
            .submit('/sign-in', { email: 'nobody@readers.example', password: 'not this one either' }),
          library()
            .anonymous()
            .send('POST', '/sign-in', { json: { a: 'x'.repeat(200_000) } }),
          at(staff.browser).get('/staff/people'),
          at(staff.browser).get('/health/ready'),
        ]);
        expect(answers.map(({ status }) => status)).toEqual([
          200, 200, 200, 404, 404, 401, 403, 400, 405, 400, 401, 413, 500, 503,
        ]);
        for (const { status, headers, text } of answers) {
          expect({ status, text: text.slice(0, 300), headers }).toMatchObject({
            headers: {
              'content-security-policy': expect.stringContaining("default-src 'none'"),
              'x-content-type-options': 'nosniff',
              'x-frame-options': 'DENY',
              'referrer-policy': 'strict-origin-when-cross-origin',
              'cross-origin-opener-policy': 'same-origin; report-to="default"',
              'reporting-endpoints': 'default="/reports"',
              'cache-control': 'no-store',
            },
          });
          expect(headers['x-powered-by']).toBeUndefined();
          expect(headers['content-security-policy']).not.toContain('unsafe');
          expect(text).not.toContain('secret detail');
        }
        // All but the one whose chain of proxies could not be read came over TLS, as the proxy says.
        const hsts = answers.filter(({ headers }) => headers['strict-transport-security'] === undefined);
        expect(
          hsts.map(({ status, text }) => [status, text.includes('chain') || text.includes('forwarded')]),
        ).toEqual([[400, expect.any(Boolean)]]);
      } finally {
        broken.close();
      }
      const asset = await library().anonymous().get('/assets/style.css');
      expect(asset.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cache-control': 'public, max-age=3600',
      });
    });

    test('plain http is led to https, and does nothing on the way', async () => {
      const plain = { 'x-forwarded-proto': 'http' };
      const page = await library().anonymous().get('/books?q=a', plain);
      expect([page.status, page.headers['location']]).toEqual([308, 'https://library.example/books?q=a']);
      const foreign = await library()
        .anonymous()
        .get('/books', { ...plain, host: 'evil.example' });
      expect(foreign.status).toBeGreaterThanOrEqual(400);
      expect(foreign.headers['location']).toBeUndefined();
    });

    test('no password, token or cookie that was used is in the audit log, the access log included', async () => {
      const { house, secrets } = library();
      expect(secrets.size).toBeGreaterThan(10);
      const { rows } = await house.sql.query<{ kind: string; body: string }>(
        'select kind, body from portcullis.audit_entry',
      );
      const kinds = new Set(rows.map(({ kind }) => kind));
      expect(kinds).toEqual(new Set(['log', 'action', 'request']));
      expect(rows.length).toBeGreaterThan(100);
      const all = rows.map(({ body }) => body).join('\n');
      for (const secret of secrets) expect(all.includes(secret)).toBe(false);
      expect(all).not.toMatch(/eyJ[A-Za-z0-9_-]{10,}\./);
      expect(all).not.toMatch(/\$argon2|passwordHash|password_hash/);
    });
  });
}
