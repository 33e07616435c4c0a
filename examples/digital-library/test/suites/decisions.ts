import { beforeAll, describe, expect, test } from '@jest/globals';
import { guardOf, walkRoutes } from '@portcullis/core';
import { verifyEvidence } from '@portcullis/rbac';
import { createApp } from '../../src/app.js';
import type { Loan } from '../../src/loans.js';
import { APP_ROLE } from '../../src/migrations.js';
import type { OpenLibrary } from '../support/open-library.js';
import { addBook } from './everyday-use.js';

/** Who may do what: changed on purpose only, in a commit that shows it. */
const DECISIONS: Readonly<Record<string, string>> = {
  'DELETE /api/auth/passkeys/:id': 'authorize: in person',
  'DELETE /api/auth/keys/:id': 'authorize: in person',
  'GET /api/auth/keys': 'authorize: in person',
  'POST /api/auth/keys': 'authorize: in person',
  'GET /api/auth/passkeys': 'authorize: in person',
  'PATCH /api/auth/passkeys/:id': 'authorize: in person',
  'POST /api/auth/passkeys': 'authorize: in person',
  'POST /api/auth/passkeys/options': 'authorize: in person',
  'POST /api/auth/passkeys/step-up': 'authorize: in person',
  'POST /api/auth/passkeys/step-up/options': 'authorize: in person',
  'POST /api/auth/passkeys/sign-in': 'public: sign-in routes',
  'POST /api/auth/passkeys/sign-in/options': 'public: sign-in routes',
  'POST /api/auth/recovery-codes': 'authorize: in person',
  'POST /api/auth/sign-in/complete': 'public: sign-in routes',
  'POST /api/auth/totp': 'authorize: in person',
  'POST /api/auth/totp/confirm': 'authorize: in person',
  'POST /api/auth/totp/remove': 'authorize: in person',
  'DELETE /api/auth/sessions': 'authorize: in person',
  'DELETE /api/auth/sessions/:id': 'authorize: in person',
  'GET /': 'public: the catalogue is open to everybody',
  'GET /account/email': 'authorize: in person',
  'POST /account/email': 'authorize: in person',
  'GET /account/email/complete': 'public: whoever has the link of the message',
  'POST /account/email/complete': 'public: whoever has the link of the message',
  'POST /api/auth/login': 'authorize: in person',
  'POST /api/auth/login/complete': 'public: sign-in routes',
  'GET /account/passkeys': 'authorize: in person',
  'GET /account/keys': 'authorize: in person',
  'POST /account/keys': 'authorize: in person',
  'POST /account/keys/:id/end': 'authorize: in person',
  'GET /account/second-factor': 'authorize: in person',
  'POST /account/second-factor/confirm': 'authorize: in person',
  'POST /account/second-factor/recovery-codes': 'authorize: in person',
  'POST /account/second-factor/remove': 'authorize: in person',
  'POST /account/second-factor/start': 'authorize: in person',
  'GET /account/sessions': 'authorize: in person',
  'POST /account/sessions/:id/end': 'authorize: in person',
  'POST /account/sessions/end-others': 'authorize: in person',
  'GET /api/audit': 'authorize: audit:read',
  'GET /api/auth/jwks.json': 'public: sign-in routes',
  'GET /api/auth/openapi.json': 'public: sign-in routes',
  'GET /api/auth/sessions': 'authorize: in person',
  'GET /api/books': 'public: the catalogue is open to everybody',
  'GET /api/books/:id': 'public: the catalogue is open to everybody',
  'GET /api/books/:id/loans': 'authorize: loan:read',
  'GET /api/loans': 'authorize: loan:read',
  'GET /api/loans/open': 'authorize: loan:read:any',
  'GET /books': 'public: the catalogue is open to everybody',
  'GET /books/:id': 'public: the catalogue is open to everybody',
  'GET /books/:id/history': 'authorize: audit:read',
  'GET /books/:id/loans': 'authorize: loan:read',
  'GET /books/:id/cover': 'public: the catalogue is open to everybody',
  'GET /health/live': 'public: says that the process runs',
  'GET /health/ready': 'public: says whether requests can be served',
  'GET /loans': 'authorize: loan:read',
  'GET /openapi.json': 'public: describes the API',
  'GET /register': 'public: everybody may register and sign in',
  'GET /sign-in': 'public: everybody may register and sign in',
  'GET /staff/access': 'authorize: all of rbac:read, rbac:review',
  'GET /staff/access/reviews/:id': 'authorize: rbac:review',
  'GET /staff/access/reviews/:id/evidence': 'authorize: rbac:review',
  'GET /staff/access/routes': 'authorize: rbac:read',
  'GET /staff/audit': 'authorize: audit:read:any',
  'GET /staff/books/:id/edit': 'authorize: book:update',
  'GET /staff/books/new': 'authorize: book:create',
  'GET /staff/reviews': 'authorize: audit:review',
  'GET /staff/emergency': 'authorize: rbac:break-glass',
  'GET /staff/people': 'authorize: all of person:read, role:grant',
  'POST /api/auth/password': 'authorize: in person',
  'POST /api/auth/refresh': 'public: sign-in routes',
  'POST /api/auth/register': 'public: sign-in routes',
  'POST /api/auth/reset': 'public: sign-in routes',
  'POST /api/auth/reset/complete': 'public: sign-in routes',
  'POST /api/auth/sign-in': 'public: sign-in routes',
  'POST /api/auth/sign-out': 'public: sign-in routes',
  'POST /api/auth/step-up': 'authorize: in person',
  'POST /api/books': 'authorize: book:create',
  'POST /api/loans': 'authorize: loan:create',
  'POST /api/loans/:id/return': 'authorize: any of loan:return:own, loan:return:any',
  'POST /books/:id/borrow': 'authorize: loan:create',
  'POST /loans/:id/return': 'authorize: any of loan:return:own, loan:return:any',
  'GET /register/complete': 'public: whoever has the link of the message',
  'POST /register/complete': 'public: whoever has the link of the message',
  'GET /reset': 'public: everybody may ask for a message',
  'POST /reset': 'public: everybody may ask for a message',
  'GET /reset/complete': 'public: whoever has the link of the message',
  'POST /reset/complete': 'public: whoever has the link of the message',
  'POST /register': 'public: everybody may register and sign in',
  'POST /sign-in': 'public: everybody may register and sign in',
  'POST /sign-in/complete': 'public: everybody may register and sign in',
  'POST /sign-out': 'public: ends the session that the request brings, if any',
  'POST /staff/access/reviews': 'authorize: rbac:review',
  'POST /staff/access/reviews/:id': 'authorize: rbac:review',
  'POST /staff/access/reviews/:id/close': 'authorize: rbac:review',
  'POST /staff/books': 'authorize: book:create',
  'POST /staff/books/:id': 'authorize: book:update',
  'POST /staff/books/:id/delete': 'authorize: book:delete',
  'POST /staff/books/:id/cover': 'authorize: book:update',
  'POST /staff/emergency': 'authorize: rbac:break-glass',
  'POST /staff/people/:id/deactivate': 'authorize: person:deactivate',
  'POST /staff/people/:id/erase': 'authorize: person:erase',
  'POST /staff/people/:id/grant': 'authorize: role:grant',
  'POST /staff/people/:id/revoke': 'authorize: role:grant',
  'POST /staff/reviews/complete': 'authorize: audit:review',
  'POST /staff/reviews/sign-off': 'authorize: audit:review',
};

const SOME_UUID = '3f0d3a39-5f0e-4b0e-9d0a-0c7c1a0f8f11';

export const split = (endpoint: string): [method: string, path: string] =>
  endpoint.split(' ') as [string, string];
export const filled = (path: string): string =>
  path.replaceAll(/:id|\{id\}/g, path.includes('book') ? '1' : SOME_UUID);

export function decisions(library: () => OpenLibrary): void {
  describe('decisions', () => {
    test('every route says who may, and that is exactly the table', () => {
      const entries = walkRoutes(createApp(library().house));
      expect(entries.filter(({ kind }) => kind === 'unknown')).toEqual([]);
      const shown = entries.map((entry) => {
        const guard = guardOf(entry);
        return [
          `${entry.methods.join()} ${entry.path}`,
          guard ? `${guard.kind}: ${guard.detail}` : 'NO DECISION',
        ];
      });
      // Not a route, but it answers: static files, with a decision of their own.
      expect(Object.fromEntries(shown)).toEqual({
        ...DECISIONS,
        '* /assets': 'public: style sheet, icon and script',
      });
    });

    test('without a session: 401 with a challenge, on every route that asks for something', async () => {
      const before = await library().stored();
      const client = library().anonymous();
      for (const [endpoint, decision] of Object.entries(DECISIONS)) {
        if (decision.startsWith('public')) continue;
        const [method, path] = split(endpoint);
        const { status, headers } = await client.send(method, filled(path), {
          headers: { 'sec-fetch-site': 'same-origin' },
        });
        expect({ endpoint, status, challenge: headers['www-authenticate'] }).toEqual({
          endpoint,
          status: 401,
          challenge: expect.stringMatching(/^Bearer/),
        });
      }
      expect(await library().stored()).toBe(before);
    });

    test('patrons: 403 on every route of staff, before their input is looked at', async () => {
      const before = await library().stored();
      const STAFF_ONLY = /book:create|book:update|book:delete|:any$|role:grant|person:|audit:review/;
      const endpoints = Object.entries(DECISIONS).filter(
        ([, decision]) => STAFF_ONLY.test(decision) && !decision.includes(':own'),
      );
      expect(endpoints.length).toBe(17);
      for (const [endpoint] of endpoints) {
        const [method, path] = split(endpoint);
        const who = path.startsWith('/api') ? library().ann.program : library().ann.browser;
        const { status } = await who.send(method, filled(path));
        expect({ endpoint, status }).toEqual({ endpoint, status: 403 });
      }
      expect(await library().stored()).toBe(before);
    });

    describe("other people's loans", () => {
      let loan: Loan;
      beforeAll(async () => {
        const book = await addBook(library(), { title: 'Of Bob' });
        loan = (await library().bob.program.post('/api/loans', { bookId: book.id })).body as Loan;
      });

      test('are not seen and not returned by a patron: 404, as if there were none', async () => {
        const { ann } = library();
        expect((await ann.program.get('/api/loans')).text).not.toContain(loan.id);
        expect((await ann.browser.get('/loans')).text).not.toContain(loan.id);
        const before = await library().stored();
        const known = await ann.program.post(`/api/loans/${loan.id}/return`);
        const unknown = await ann.program.post(`/api/loans/${SOME_UUID}/return`);
        expect([known.status, unknown.status]).toEqual([404, 404]);
        const facts = ({ body }: typeof known) => ({ ...(body as object), instance: '', requestId: '' });
        expect(facts(known)).toEqual(facts(unknown));
        expect((await ann.browser.submit(`/loans/${loan.id}/return`)).status).toBe(404);
        expect(await library().stored()).toBe(before);
      });

      test('stay out of reach by row-level security, should a route forget its guard', async () => {
        const { house, ann, bob } = library();
        const as = <T>(id: string, isStaff: string, text: string, params: unknown[] = []) =>
          house.sql.transaction(async (tx) => tx.query<T>(text, params), {
            role: APP_ROLE,
            settings: { 'app.user_id': id, 'app.is_staff': isStaff },
          });
        const all = 'select patron_id from library.loan';
        expect(
          (await as<{ patron_id: string }>(ann.id, 'false', all)).rows.filter((r) => r.patron_id !== ann.id),
        ).toEqual([]);
        expect((await as(bob.id, 'false', `${all} where id = $1`, [loan.id])).rowCount).toBe(1);
        expect((await as('', 'false', all)).rowCount).toBe(0);
        // Only the exact word makes staff.
        for (const word of ['', 't', 'TRUE', '1', 'false'])
          expect((await as('x', word, all)).rowCount).toBe(0);
        expect((await as('x', 'true', `${all} where id = $1`, [loan.id])).rowCount).toBe(1);

        const before = await library().stored();
        const giveBack = 'update library.loan set returned_at = now() where id = $1';
        expect((await as(ann.id, 'false', giveBack, [loan.id])).rowCount).toBe(0);
        expect((await as(ann.id, 'false', `update library.book set title = 'x'`)).rowCount).toBe(0);
        expect((await as(ann.id, 'false', 'delete from library.book')).rowCount).toBe(0);
        const insertLoan = `insert into library.loan (book_id, patron_id, due_at) values (1, $1, now() + interval '1 day')`;
        const insertBook = `insert into library.book (isbn13, title, authors, copies, search, created_by, modified_by) values ('9789999999991', 'x', 'x', 1, 'x', 'x', 'x')`;
        const refused: [who: string, staff: string, text: string, params: unknown[]][] = [
          [ann.id, 'false', insertLoan, [bob.id]],
          ['', 'false', insertLoan, [ann.id]],
          [ann.id, 'true', insertLoan, [bob.id]],
          [ann.id, 'false', insertBook, []],
          [ann.id, 'true', 'update library.book set lent = 0', []],
          [ann.id, 'true', 'update library.loan set patron_id = $1', [ann.id]],
          [ann.id, 'true', 'delete from library.loan', []],
          [ann.id, 'true', 'select password_hash from library.person', []],
          [ann.id, 'true', 'select * from portcullis.auth_session', []],
          [ann.id, 'true', 'select * from portcullis.rbac_assignment', []],
          [ann.id, 'true', 'delete from portcullis.audit_entry', []],
          [ann.id, 'true', 'alter table library.loan disable row level security', []],
        ];
        for (const [who, isStaff, text, params] of refused) {
          await expect(as(who, isStaff, text, params).then(() => text)).rejects.toMatchObject({
            sqlState: '42501',
          });
        }
        expect(await library().stored()).toBe(before);
      });

      test('are seen and taken back by staff', async () => {
        const { staff, bob } = library();
        expect((await staff.program.get('/api/loans/open')).text).toContain(loan.id);
        expect((await staff.program.post(`/api/loans/${loan.id}/return`)).status).toBe(200);
        expect((await bob.program.get('/api/loans')).body).toMatchObject({
          loans: expect.arrayContaining([
            expect.objectContaining({ id: loan.id, returnedAt: expect.any(String) }),
          ]),
        });
      });
    });

    test('the staff role counts from the moment it is granted and no longer than until it is taken away', async () => {
      const { staff, bob } = library();
      const pages = ['/staff/books/new', '/staff/people', '/staff/audit'];
      const seen = () => Promise.all(pages.map(async (page) => (await bob.browser.get(page)).status));
      expect(await seen()).toEqual([403, 403, 403]);

      const granted = await staff.browser.submit(`/staff/people/${bob.id}/grant`, { role: 'staff' });
      expect([granted.status, granted.headers['location']]).toEqual([303, '/staff/people?done=granted']);
      expect(await seen()).toEqual([200, 200, 200]);
      expect((await bob.browser.get('/books')).text).toContain('/staff/people');
      expect((await bob.program.get('/api/loans/open')).status).toBe(200);

      const revoked = await staff.browser.submit(`/staff/people/${bob.id}/revoke`, { role: 'staff' });
      expect([revoked.status, revoked.headers['location']]).toEqual([303, '/staff/people?done=revoked']);
      expect(await seen()).toEqual([403, 403, 403]);
      expect((await bob.browser.get('/books')).text).not.toContain('/staff/people');
      expect((await bob.program.get('/api/loans/open')).status).toBe(403);
      const { entries } = await library().house.audit.query({ viewer: 'system', action: 'role.*' });
      expect(entries.slice(0, 4)).toMatchObject(
        ['role.revoked', 'role.revoke-requested', 'role.granted', 'role.grant-requested'].map((action) => ({
          action,
          actor: { id: staff.id },
          target: { type: 'person', id: bob.id },
          data: { role: 'staff' },
        })),
      );
    });

    test('the roles API is for staff, who give nothing that they do not hold, and says in the log what it does', async () => {
      const { staff, ann } = library();
      const path = `/api/roles/users/${ann.id}`;
      expect((await library().anonymous().get(path)).status).toBe(401);
      expect((await ann.program.get(path)).status).toBe(403);
      expect((await ann.program.send('PUT', `${path}/roles/staff`)).status).toBe(403);
      expect((await staff.program.get(path)).body).toMatchObject({ roles: [{ role: 'patron' }] });
      const before = await library().stored();
      // Staff do not evaluate for gateways.
      for (const name of ['rbac:evaluate', 'rbac:*', '**']) {
        const refused = await staff.program.send('PUT', `${path}/permissions/${encodeURIComponent(name)}`);
        expect([name, refused.status]).toEqual([name, 403]);
      }
      expect((await library().stored()).split('\n').filter((line) => !line.includes('audit'))).toEqual(
        before.split('\n').filter((line) => !line.includes('audit')),
      );
      const { entries } = await library().house.audit.query({ viewer: 'system', action: 'rbac.*' });
      expect(entries[0]).toMatchObject({ action: 'rbac.change-requested', actor: { id: staff.id } });
    });

    test('loans of a book: patrons see theirs, staff all, and who had it before nobody but them, or in an emergency', async () => {
      const { staff, ann, bob, house } = library();
      const book = await addBook(library(), { title: 'Of many' });
      const path = `/books/${book.id}/loans`;
      for (const { program } of [ann, bob]) {
        const lent = (await program.post('/api/loans', { bookId: book.id })).body as Loan;
        if (program === ann.program) await program.post(`/api/loans/${lent.id}/return`);
      }
      const seen = async ({ program }: Pick<typeof ann, 'program'>) => {
        const { status, body } = await program.get(`/api${path}`);
        expect(status).toBe(200);
        return (body as { loans: Partial<Loan>[] }).loans.map(({ returnedAt, patronId }) => [
          returnedAt !== null,
          patronId,
        ]);
      };
      const pages = async () =>
        (await Promise.all([ann, bob, staff].map(({ browser }) => browser.get(path)))).map(
          ({ text }) => text,
        );
      expect([await seen(ann), await seen(bob)]).toEqual([[[true, ann.id]], [[false, bob.id]]]);
      expect(await seen(staff)).toEqual([
        [false, bob.id],
        [true, undefined],
      ]);
      const [ofAnn, ofBob, ofStaff] = (await pages()) as [string, string, string];
      const shows = (page: string) => [
        page.includes(`<td>${ann.email}</td>`),
        page.includes(`<td>${bob.email}</td>`),
        page.includes('confidential'),
      ];
      expect([ofAnn, ofBob, ofStaff].map(shows)).toEqual([
        [true, false, false],
        [false, true, false],
        [false, true, true],
      ]);
      expect(ofStaff).toContain('href="/staff/emergency"');
      const looks = async () =>
        (await house.audit.query({ viewer: 'system', action: 'loan.history-seen' })).entries;
      expect(await looks()).toEqual([]);

      // The glass: a reason, a limit, the log, and nothing that could be kept.
      const take = (form: Record<string, string>) => staff.browser.submit('/staff/emergency', form);
      expect((await ann.browser.get('/staff/emergency')).status).toBe(403);
      const short = await take({ reason: 'because', minutes: '15' });
      expect([short.status, short.text]).toEqual([400, expect.stringContaining('Say why')]);
      expect((await take({ reason: 'an order of the court', minutes: '600' })).status).toBe(400);
      expect(await seen(staff)).toEqual([
        [false, bob.id],
        [true, undefined],
      ]);
      const taken = await take({ reason: 'an order of the court', minutes: '15' });
      expect([taken.status, taken.headers['location']]).toEqual([303, '/staff/emergency?done=glass-broken']);
      expect((await staff.browser.get('/staff/emergency?done=glass-broken')).text).toMatch(
        /In force until \d\d:\d\d UTC/,
      );
      expect(await seen(staff)).toEqual([
        [false, bob.id],
        [true, ann.id],
      ]);
      expect(shows((await pages())[2]!)).toEqual([true, true, false]);
      expect(await looks()).toMatchObject(
        Array.from({ length: 2 }, () => ({ actor: { id: staff.id }, target: { type: 'book', id: book.id } })),
      );
      const { entries } = await house.audit.query({ viewer: 'system', action: 'emergency.*' });
      expect(entries[0]).toMatchObject({
        action: 'emergency.access-taken',
        data: { reason: 'an order of the court', minutes: 15 },
      });
      const kept = await staff.program.send('PUT', `/api/roles/users/${staff.id}/roles/emergency`);
      expect([kept.status, kept.body]).toMatchObject([403, { code: 'E_GRANT_BEYOND_OWN' }]);
      await house.rbac.revokeRole('system', staff.id, 'emergency');
      expect(await seen(staff)).toEqual([
        [false, bob.id],
        [true, undefined],
      ]);
      await bob.program.post(
        `/api/loans/${((await bob.program.get(`/api${path}`)).body as { loans: Loan[] }).loans[0]!.id}/return`,
      );
    });

    test('an access review lists who has which role; who granted it, or has it, does not decide', async () => {
      const { staff, ann, house } = library();
      const opened = await staff.program.post('/api/roles/reviews', {
        reviewers: [staff.id],
        scope: { users: [ann.id, staff.id] },
      });
      expect(opened.status).toBe(200);
      const { id, items } = opened.body as { id: string; items: { number: number; userId: string }[] };
      const numberOf = (user: string) => items.find(({ userId }) => userId === user)!.number;
      const keep = { disposition: 'keep', reason: 'a reader' };
      const decide = (user: string) =>
        staff.program.send('PUT', `/api/roles/reviews/${id}/items/${numberOf(user)}`, { json: keep });
      expect((await decide(ann.id)).status).toBe(200);
      expect((await decide(staff.id)).status).toBe(409);
      await expect(house.rbac.closeReview(staff.id, id)).rejects.toMatchObject({ code: 'E_REVIEW_CONFLICT' });
    });

    test('pages of access: who administers, what routes ask for, and a review from its opening to its evidence', async () => {
      const { staff, ann, house } = library();
      const page = async (path: string) => (await staff.browser.get(path)).text;
      expect(await page('/staff/access')).toContain(`${staff.email}, by role staff`);
      expect(await page('/staff/access/routes')).toMatch(
        /<code>\/staff\/access\/reviews\/:id<\/code><\/td>\s*<td>rbac:review/,
      );
      expect((await ann.browser.get('/staff/access')).status).toBe(403);

      const opened = await staff.browser.submit('/staff/access/reviews');
      const location = /^(\/staff\/access\/reviews\/([0-9a-f-]{36}))\?done=review-opened$/.exec(
        opened.headers['location']!,
      );
      const [, path = '', id = ''] = location!;
      const { items } = await house.rbac.review(id);
      const itemOf = (user: string) => String(items.find(({ userId }) => userId === user)!.number);
      const own = await house.rbac.openReview(staff.id, {
        reviewers: [staff.id],
        scope: { users: [staff.id] },
      });
      expect(await page(`/staff/access/reviews/${own.id}`)).toMatch(/No reviewer may decide about/);
      const keep = { disposition: 'keep', reason: 'still a <reader>' };
      const decide = async (item: string) => (await staff.browser.submit(path, { ...keep, item })).status;
      expect(await decide(itemOf(ann.id))).toBe(303);
      expect(await page(path)).toContain(`<strong>keep</strong> by ${staff.email}: still a &lt;reader&gt;`);
      expect(await decide(itemOf(staff.id))).toBe(409);
      expect(await decide('999999')).toBe(404);
      expect((await staff.browser.submit(`${path}/close`)).status).toBe(409);
      expect((await staff.browser.get(`${path}/evidence`)).status).toBe(409);

      const scope = { users: [ann.id] };
      const small = await house.rbac.openReview(staff.id, { reviewers: [staff.id], scope });
      const at = `/staff/access/reviews/${small.id}`;
      for (const { number } of small.items) {
        await staff.browser.submit(at, { ...keep, item: String(number) });
      }
      expect(await page(at)).toContain('Close the review');
      expect((await staff.browser.submit(`${at}/close`)).status).toBe(303);
      const evidence = await page(`${at}/evidence`);
      expect([verifyEvidence(evidence), await page(`${at}/evidence`)]).toEqual([true, evidence]);
      expect(await page('/staff/audit?action=rbac.*')).toContain('rbac.change-requested');
    });

    test('the last staff account cannot lock itself out', async () => {
      const { staff } = library();
      const refused = await staff.browser.submit(`/staff/people/${staff.id}/revoke`, { role: 'staff' });
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('Ask a colleague.')]);
      expect((await staff.browser.get('/staff/people')).status).toBe(200);
    });

    describe('the OpenAPI document', () => {
      interface Operation {
        parameters?: { name: string; in: string; required: boolean; schema: object }[];
        requestBody?: { content: Record<string, { schema: object }> };
        responses: Record<string, { description?: string; $ref?: string }>;
        security?: object[];
        'x-authorize'?: string;
        'x-permissions'?: (string | { anyOf: string[] })[];
      }
      interface Document {
        openapi: string;
        info: { title: string; version: string };
        servers: { url: string }[];
        paths: Record<string, Record<string, Operation>>;
        components: { responses: Record<string, { description: string }> };
      }
      let document: Document;
      let operations: [endpoint: string, operation: Operation][];
      beforeAll(async () => {
        const answer = await library().anonymous().get('/openapi.json');
        expect(answer.status).toBe(200);
        document = answer.body as Document;
        operations = Object.entries(document.paths).flatMap(([path, item]) =>
          Object.entries(item).map(([method, operation]): [string, Operation] => [
            `${method.toUpperCase()} ${path}`,
            operation,
          ]),
        );
      });

      test('has the shape of OpenAPI 3.1', () => {
        expect(document).toMatchObject({
          openapi: '3.1.0',
          info: { title: expect.any(String), version: expect.any(String) },
          servers: [{ url: '/' }],
        });
        for (const [endpoint, operation] of operations) {
          const [, path] = split(endpoint);
          const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
          const declared = (operation.parameters ?? []).filter((p) => p.in === 'path');
          expect({ endpoint, names: declared.map(({ name }) => name) }).toEqual({ endpoint, names: inPath });
          expect(declared.every(({ required }) => required)).toBe(true);
          expect(Object.keys(operation.responses).length).toBeGreaterThan(1);
          for (const [status, { description, $ref = '' }] of Object.entries(operation.responses)) {
            expect(status).toMatch(/^[1-5]\d\d$/);
            const shared = document.components.responses[$ref.replace('#/components/responses/', '')];
            expect(description ?? shared?.description).toMatch(/\w/);
          }
        }
        for (const [, pointer = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
          const target = pointer
            .split('/')
            .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document);
          expect({ pointer, target }).toEqual({ pointer, target: expect.any(Object) });
        }
      });

      test('has exactly the endpoints that there are', () => {
        const routes = Object.keys(DECISIONS)
          .filter((endpoint) => endpoint.includes(' /api/'))
          .map((endpoint) => endpoint.replaceAll(/:(\w+)/g, '{$1}'));
        expect(operations.map(([endpoint]) => endpoint).sort()).toEqual(routes.sort());
      });

      test('says what each guard asks for, in the words of the guard', () => {
        for (const [endpoint, operation] of operations) {
          const decision = DECISIONS[endpoint.replaceAll(/\{(\w+)\}/g, ':$1')];
          const [, asked] = /^authorize: (.+)$/.exec(decision ?? '') ?? [];
          expect([endpoint, operation['x-authorize']]).toEqual([endpoint, asked]);
        }
      });

      test('names the permissions of each operation that asks for any, its security, and the refusals 401 and 403', () => {
        const permitted = operations.filter(([, operation]) => operation['x-authorize']?.includes(':'));
        const listing = operations.filter(([, operation]) => operation['x-permissions'] !== undefined);
        expect(listing.map(([endpoint]) => endpoint)).toEqual(permitted.map(([endpoint]) => endpoint));
        expect(permitted.length).toBeGreaterThan(4);
        for (const [endpoint, operation] of permitted) {
          const [, mode, names = ''] = /^(?:(any|all) of )?(.+)$/.exec(operation['x-authorize']!)!;
          const listed = names.split(', ');
          const expected = mode === 'any' ? [{ anyOf: listed }] : listed;
          expect([endpoint, operation['x-permissions']]).toEqual([endpoint, expected]);
          expect([endpoint, operation.security]).toEqual([endpoint, [{ bearer: [] }]]);
          for (const [status, name] of [
            ['401', 'Unauthorized'],
            ['403', 'Forbidden'],
          ] as const) {
            // prettier-ignore
            expect([endpoint, operation.responses[status]]).toEqual([
              endpoint,
              { $ref: `#/components/responses/${name}` },
            ]);
          }
        }
      });

      test('is right about which of them need a session', async () => {
        const client = library().anonymous();
        for (const [endpoint, { security }] of operations) {
          const [method, path] = split(endpoint);
          const { status } = await client.send(method, filled(path));
          const needsSession = security !== undefined && security.length > 0;
          const wanted = needsSession ? [401] : [200, 204, 400];
          expect({ endpoint, status: wanted.includes(status) ? 'as said' : status }).toEqual({
            endpoint,
            status: 'as said',
          });
        }
      });

      test('leaves no endpoint of the account router out: other methods and paths are refused', async () => {
        const client = library().anonymous();
        const served = Object.keys(DECISIONS).filter((endpoint) => endpoint.includes(' /api/auth/'));
        const paths = new Set(served.map((endpoint) => split(endpoint)[1]));
        for (const path of paths) {
          const answer = await client.send('PUT', filled(path));
          const allowed = served.flatMap((e) => {
            const [method, at] = split(e);
            if (at !== path) return [];
            return method === 'GET' ? ['GET', 'HEAD'] : [method];
          });
          expect([path, answer.status, answer.headers['allow']?.split(', ').sort()]).toEqual([
            path,
            405,
            allowed.sort(),
          ]);
        }
        for (const path of ['/api/auth', '/api/auth/admin', '/api/auth/Sign-In']) {
          expect([path, (await client.post(path)).status]).toEqual([path, 404]);
        }
        expect((await client.post('/api/auth//sign-in')).status).toBe(400); // The firewall: two parsers, two paths.
      });
    });
  });
}
