import { describe, expect, test } from '@jest/globals';
import type { Book, BookPage } from '../../src/books.js';
import type { Loan } from '../../src/loans.js';
import { makeStaff } from '../../src/staff-account.js';
import type { Client } from '../support/client.js';
import type { OpenLibrary } from '../support/open-library.js';

export async function bookNamed(client: Client, words: string): Promise<Book> {
  const { body } = await client.get(`/api/books?q=${encodeURIComponent(words)}`);
  return (body as BookPage).books[0]!;
}

export async function openLoansOf(client: Client): Promise<readonly Loan[]> {
  const { body } = await client.get('/api/loans');
  return (body as { loans: readonly Loan[] }).loans.filter((loan) => loan.returnedAt === null);
}

/** A new book, added by staff; its ISBN is counted up from a free range, with a right check digit. */
export async function addBook(
  { staff }: OpenLibrary,
  given: { readonly title: string; readonly authors?: string; readonly copies?: number },
): Promise<Book> {
  const answer = await staff.program.post('/api/books', {
    isbn13: nextIsbn(),
    authors: 'A. Uthor',
    copies: 1,
    ...given,
  });
  expect([answer.status, answer.body]).toMatchObject([201, { title: given.title }]);
  return answer.body as Book;
}

let isbns = 0;
export function nextIsbn(): string {
  const digits = `979999${String(++isbns).padStart(6, '0')}`;
  const sum = Array.from(digits).reduce(
    (total, digit, i) => total + Number(digit) * (i % 2 === 0 ? 1 : 3),
    0,
  );
  return digits + String((10 - (sum % 10)) % 10);
}

export function everydayUse(library: () => OpenLibrary): void {
  describe('everyday use', () => {
    test('a reader registers, signs in, finds a book, borrows it, returns it and signs out, with pages and cookies', async () => {
      const reader = library().anonymous();
      const account = { email: 'Walk@Readers.Example', password: 'seven quiet otters borrow a lamp' };
      library().secrets.add(account.password);

      const registered = await reader.submit('/register', account);
      expect([registered.status, registered.headers['location']]).toEqual([303, '/sign-in?done=registered']);
      expect((await reader.get('/sign-in?done=registered')).text).toContain('Your account is ready.');
      expect((await reader.get('/loans')).status).toBe(401);

      const signedIn = await reader.submit('/sign-in', account);
      expect([signedIn.status, signedIn.headers['location']]).toEqual([303, '/books']);
      expect([...reader.cookies.keys()].sort()).toEqual(['__Host-access', '__Host-csrf', '__Host-refresh']);
      for (const line of signedIn.headers['set-cookie'] as unknown as string[]) {
        expect(line).toMatch(/; Path=\/; Secure; HttpOnly; SameSite=Strict/);
      }

      const found = await reader.get('/books?q=moby');
      expect(found.text).toContain('Moby');
      expect(found.text).toContain('walk@readers.example');
      const id = /href="\/books\/(\d+)"/.exec(found.text)![1]!;
      expect((await reader.get(`/books/${id}`)).text).toContain('Borrow for three weeks');

      const borrowed = await reader.submit(`/books/${id}/borrow`);
      expect([borrowed.status, borrowed.headers['location']]).toEqual([303, '/loans?done=borrowed']);
      expect((await reader.get(`/books/${id}`)).text).toContain('You have this book.');
      const loans = await reader.get('/loans?done=borrowed');
      expect(loans.text).toContain('Borrowed. Enjoy the book.');
      const loan = /action="\/loans\/([0-9a-f-]{36})\/return"/.exec(loans.text)![1]!;

      const returned = await reader.submit(`/loans/${loan}/return`);
      expect([returned.status, returned.headers['location']]).toEqual([303, '/loans?done=returned']);
      expect((await reader.get('/loans')).text).toContain('You have no book at the moment.');

      const stolen = reader.elsewhere();
      const signedOut = await reader.submit('/sign-out');
      expect([signedOut.status, signedOut.headers['location']]).toEqual([303, '/sign-in?done=signed-out']);
      // What is left belongs to the next form, and to nobody.
      expect([...reader.cookies.keys()]).toEqual(['__Host-csrf']);
      expect((await reader.get('/loans')).status).toBe(401);
      // Not only forgotten by the browser: a copy of the cookies is worth nothing either.
      expect((await stolen.get('/loans')).status).toBe(401);
    });

    test('a reader sees where they are signed in, ends one session and then all others, and keeps their own', async () => {
      const account = { email: 'sessions@readers.example', password: 'seven quiet otters borrow a lamp' };
      library().secrets.add(account.password);
      const [desk, phone, tablet] = [library().anonymous(), library().anonymous(), library().anonymous()];
      await desk.submit('/register', account);
      for (const device of [desk, phone, tablet]) await device.submit('/sign-in', account);
      expect((await library().anonymous().get('/account/sessions')).status).toBe(401);

      const page = (await desk.get('/account/sessions')).text;
      const others = [...page.matchAll(/action="\/account\/sessions\/([0-9a-f-]{36})\/end"/g)].map(
        ([, id]) => id!,
      );
      expect(others).toHaveLength(2);
      expect(page).toContain('This device');
      const ended = await desk.submit(`/account/sessions/${others[0]}/end`);
      expect([ended.status, ended.headers['location']]).toEqual([303, '/account/sessions?done=ended']);
      const left = await Promise.all(
        [phone, tablet].map(async (device) => (await device.get('/loans')).status),
      );
      expect(left.toSorted((a, b) => a - b)).toEqual([200, 401]);

      // Nobody ends the session of somebody else.
      const mine = /sessions\/([0-9a-f-]{36})\/end/.exec((await desk.get('/account/sessions')).text)![1]!;
      await library().bob.browser.submit(`/account/sessions/${mine}/end`);
      expect((await desk.get('/account/sessions')).text).toContain(mine);

      await desk.submit('/account/sessions/end-others');
      const after = await Promise.all(
        [phone, tablet, desk].map(async (device) => (await device.get('/loans')).status),
      );
      expect(after).toEqual([401, 401, 200]);
    });

    test('a program does the same with a bearer token', async () => {
      const program = library().anonymous();
      const account = { login: 'program@readers.example', password: 'nine loud herons return a candle' };
      library().secrets.add(account.password);

      const registered = await program.post('/api/auth/register', account);
      expect([registered.status, registered.body]).toEqual([201, { userId: expect.any(String) }]);
      const signedIn = await program.post('/api/auth/sign-in', { ...account, transport: 'bearer' });
      expect([signedIn.status, signedIn.body]).toMatchObject([200, { token_type: 'Bearer' }]);
      expect(signedIn.headers['set-cookie']).toBeUndefined();
      program.token = (signedIn.body as { access_token: string }).access_token;

      const book = await bookNamed(program, 'frankenstein');
      const lent = await program.post('/api/loans', { bookId: book.id });
      expect([lent.status, lent.body]).toMatchObject([201, { bookId: book.id, returnedAt: null }]);
      expect((await bookNamed(program, 'frankenstein')).available).toBe(book.available - 1);

      const { id } = lent.body as Loan;
      const back = await program.post(`/api/loans/${id}/return`);
      expect([back.status, back.body]).toMatchObject([200, { id, returnedAt: expect.any(String) }]);
      expect((await program.post(`/api/loans/${id}/return`)).status).toBe(404);
      expect((await bookNamed(program, 'frankenstein')).available).toBe(book.available);

      expect((await program.post('/api/auth/sign-out')).status).toBe(204);
      expect((await program.get('/api/loans')).status).toBe(401);
    });

    test('staff add a book and change it; the fields are shown again with what was wrong', async () => {
      const { staff } = library();
      expect((await staff.browser.get('/staff/books/new')).text).toContain('action="/staff/books"');
      const book = { isbn13: nextIsbn(), title: 'A New Book', authors: 'N. Ovice', year: '', copies: '3' };
      const added = await staff.browser.submit('/staff/books', book);
      expect(added.status).toBe(303);
      const page = added.headers['location']!;
      expect((await staff.browser.get(page)).text).toContain('3 of 3 available');

      const again = await staff.browser.submit('/staff/books', book);
      expect(again.status).toBe(409);
      expect(again.text).toContain('A book with this ISBN is in the library already.');
      expect(again.text).toContain('value="A New Book"');

      const id = /\d+/.exec(page)![0];
      const wrong = await staff.browser.submit(`/staff/books/${id}`, { ...book, isbn13: '9780000000000' });
      expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('An ISBN has 13 digits')]);
      const changed = await staff.browser.submit(`/staff/books/${id}`, { ...book, title: 'A Newer Book' });
      expect(changed.status).toBe(303);
      expect((await staff.browser.get(page)).text).toContain('<h1>A Newer Book</h1>');
    });

    test('copies cannot be taken away below what is lent', async () => {
      const { staff, ann } = library();
      const book = await addBook(library(), { title: 'Lent Out', copies: 2 });
      const lent = await ann.program.post('/api/loans', { bookId: book.id });
      const { isbn13, title, authors } = book;
      const refused = await staff.browser.submit(`/staff/books/${book.id}`, {
        isbn13,
        title,
        authors,
        copies: '0',
      });
      expect(refused.status).toBe(409);
      expect(refused.text).toContain('More copies than that are lent out at the moment.');
      await ann.program.post(`/api/loans/${(lent.body as Loan).id}/return`);
    });

    test('the same book twice is 409, a sixth book is 409, and both leave nothing', async () => {
      const { program } = await library().patron('five@readers.example');
      const books = await Promise.all(
        ['One', 'Two', 'Three', 'Four', 'Five', 'Six'].map((title) =>
          addBook(library(), { title: `Book ${title}` }),
        ),
      );
      expect((await program.post('/api/loans', { bookId: books[0]!.id })).status).toBe(201);
      const twice = await library().patron('twice@readers.example');
      const two = await addBook(library(), { title: 'Two copies', copies: 2 });
      await twice.program.post('/api/loans', { bookId: two.id });
      const same = await twice.program.post('/api/loans', { bookId: two.id });
      expect([same.status, same.body]).toMatchObject([409, { code: 'E_ALREADY_BORROWED' }]);
      expect((await bookNamed(twice.program, 'two copies')).available).toBe(1);

      for (const book of books.slice(1, 5)) {
        expect((await program.post('/api/loans', { bookId: book.id })).status).toBe(201);
      }
      const sixth = await program.post('/api/loans', { bookId: books[5]!.id });
      expect([sixth.status, sixth.body]).toMatchObject([409, { code: 'E_TOO_MANY_LOANS' }]);
      expect(await openLoansOf(program)).toHaveLength(5);
      expect((await bookNamed(program, 'book six')).available).toBe(1);
    });

    test('twenty people borrow the last two copies at once: exactly two have one', async () => {
      const book = await addBook(library(), { title: 'Wanted by all', copies: 2 });
      const people = await Promise.all(
        Array.from({ length: 20 }, (_, i) => library().patron(`racer-${i}@readers.example`)),
      );
      const answers = await Promise.all(
        people.map(({ program }) => program.post('/api/loans', { bookId: book.id })),
      );
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
      const refused = answers.filter(({ status }) => status !== 201);
      expect(
        new Set(refused.map(({ status, body }) => `${status} ${(body as { code: string }).code}`)),
      ).toEqual(new Set(['409 E_NO_COPY_LEFT']));
      expect((await bookNamed(library().anonymous(), 'wanted by all')).available).toBe(0);
    });

    test('one patron asks for six books at once: exactly five are lent', async () => {
      const { program } = await library().patron('greedy@readers.example');
      const books = await Promise.all(
        [1, 2, 3, 4, 5, 6, 7, 8].map((n) => addBook(library(), { title: `Greed ${n}` })),
      );
      const answers = await Promise.all(books.map(({ id }) => program.post('/api/loans', { bookId: id })));
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
      expect(await openLoansOf(program)).toHaveLength(5);
    });

    test('what happened stands in the audit log: staff see all of it, patrons what they did', async () => {
      const { staff, ann } = library();
      const book = await addBook(library(), { title: 'Audited' });
      const lent = await ann.program.post('/api/loans', { bookId: book.id });
      await ann.program.post(`/api/loans/${(lent.body as Loan).id}/return`);
      type Page = {
        entries: { action: string; outcome: string; actor: { id?: string }; target?: { id?: string } }[];
      };
      const log = async (who: Client, action = ''): Promise<Page['entries']> =>
        ((await who.get(`/api/audit?action=${action}`)).body as Page).entries;

      const loan = (lent.body as Loan).id;
      for (const action of ['loan.borrowed', 'loan.returned']) {
        expect(await log(ann.program, action)).toContainEqual(
          expect.objectContaining({ action, outcome: 'success', target: { type: 'loan', id: loan } }),
        );
      }
      expect(await log(staff.program, 'book.added')).toContainEqual(
        expect.objectContaining({
          target: { type: 'book', id: book.id },
          actor: expect.objectContaining({ id: staff.id }),
        }),
      );
      const own = await log(ann.program, 'loan.*');
      expect(own.length).toBeGreaterThan(0);
      expect(new Set(own.map(({ actor }) => actor.id))).toEqual(new Set([ann.id]));
      const all = await log(staff.program, 'loan.*');
      expect(new Set(all.map(({ actor }) => actor.id)).size).toBeGreaterThan(5);
      const page = await staff.browser.get('/staff/audit?action=loan.*');
      // Checkpoints go to the anchor every second; until the first one, the page says what is missing.
      expect(page.text).toMatch(/Guarantee: <strong>(?:anchored|checkpointed)<\/strong>/);
      expect(page.text).toContain(`loan ${loan}`);
    });

    test('what became of a book: staff see who changed what, before and after, and how it was; patrons what they did', async () => {
      const { staff, ann } = library();
      const { id } = await addBook(library(), { title: 'Of Many Names' });
      const form = (await staff.browser.get(`/staff/books/${id}/edit`)).text;
      const value = (name: string) => new RegExp(`name="${name}"[^>]*?value="([^"]*)"`, 's').exec(form)![1]!;
      const given = Object.fromEntries(
        ['isbn13', 'authors', 'year', 'copies'].map((name) => [name, value(name)]),
      );
      await staff.browser.submit(`/staff/books/${id}`, { ...given, title: 'Of One <Name>' });
      const page = (await staff.browser.get(`/books/${id}/history`)).text;
      expect(page).toMatch(/title<\/td>\s*<td>Of Many Names<\/td>\s*<td>Of One &lt;Name&gt;<\/td>/);
      expect(page).toMatch(/created_by<\/td>\s*<td>-<\/td>\s*<td>\[REDACTED\]<\/td>/);
      expect(page).not.toContain(staff.id);
      const today = new Date().toISOString().slice(0, 10);
      const then = (await staff.browser.get(`/books/${id}/history?on=${today}`)).text;
      expect(then).toMatch(/<dt>title<\/dt>\s*<dd>Of One &lt;Name&gt;<\/dd>/);
      const before = (await staff.browser.get(`/books/${id}/history?on=2020-01-01`)).text;
      expect(before).toContain('There was no such book on 2020-01-01.');
      const own = await ann.browser.get(`/books/${id}/history?on=${today}`);
      expect([own.status, own.text.includes('Of Many Names')]).toEqual([200, false]);
      expect((await staff.browser.get('/books/999999999/history')).status).toBe(404);
    });

    test('staff review what others of them did, and the round they end is in the log', async () => {
      const { house, staff } = library();
      const reviewed = async (path = '/staff/reviews') => (await staff.browser.get(path)).text;
      const target = { type: 'person', id: 'somebody' };
      const { id } = await house.audit.record({
        action: 'role.granted',
        outcome: 'success',
        actor: { id: 'another-of-staff', kind: 'user' },
        target,
      });
      const ids = /name="entries" value="([^"]+)"/.exec(await reviewed())![1]!;
      expect(ids).toContain(id);
      const form = { policy: 'roles', entries: ids, reason: 'as asked for', finding: 'no' };
      const signed = await staff.browser.submit('/staff/reviews/sign-off', form);
      expect([signed.status, signed.headers['location']]).toEqual([
        303,
        '/staff/reviews?policy=roles&done=reviewed',
      ]);
      expect((await staff.browser.submit('/staff/reviews/sign-off', form)).status).toBe(409);
      expect(await reviewed()).not.toContain(id);
      const { entries } = await house.audit.query({
        viewer: 'system',
        action: 'audit.review-signed',
        limit: 1,
      });
      expect(entries).toMatchObject([{ actor: { id: staff.id }, reason: 'as asked for' }]);
      const own = await house.audit.query({ viewer: 'system', action: 'role.*', actor: staff.id, limit: 1 });
      if (own.entries[0]) {
        const mine = { ...form, entries: own.entries[0].id };
        expect((await staff.browser.submit('/staff/reviews/sign-off', mine)).status).toBe(403);
      }
      const round = { policy: 'refused', reason: 'week 1', through: '2026-01-01T00:00:00.000Z' };
      expect(
        (await staff.browser.submit('/staff/reviews/complete', { ...round, policy: 'all' })).status,
      ).toBe(400);
      expect(await reviewed('/staff/reviews?policy=refused')).toContain('Refused requests');
    });

    test('the staff command adds an account, or gives one a new password and the role, and ends its sessions', async () => {
      const { house, secrets } = library();
      const added = await makeStaff(house, 'Chief@Readers.example');
      expect(added).toMatchObject({ email: 'chief@readers.example', added: true });
      const reset = await makeStaff(house, 'chief@readers.example');
      expect(reset.added).toBe(false);
      for (const { password } of [added, reset]) secrets.add(password);

      const { email } = reset;
      const chief = library().anonymous();
      expect((await chief.submit('/sign-in', { email, password: added.password })).status).toBe(401);
      expect((await chief.submit('/sign-in', { email, password: reset.password })).status).toBe(303);
      expect((await chief.get('/staff/people')).status).toBe(200);
      secrets.add((await makeStaff(house, email)).password);
      expect((await chief.get('/loans')).status).toBe(401);
      await expect(makeStaff(house, 'no address')).rejects.toThrow('"no address" is no e-mail address.');
      const { entries } = await house.audit.query({ viewer: 'system', action: 'person.password-reset' });
      expect(entries).toHaveLength(2);
      // The account of the first start too.
      await house.audit.relay(0);
      for (const action of ['person.registered', 'role.granted']) {
        const told = await house.audit.query({ viewer: 'system', action, limit: 200 });
        expect(told.entries.map(({ target }) => target?.id)).toContain(library().staff.id);
      }
    });

    test.each(['pages', 'API'])(
      'ASVS V16.3.1: registering, signing in and out are in the audit log, by the %s too',
      async (way) => {
        const { house, secrets } = library();
        const client = library().anonymous();
        const [email, password] = [
          `audited-${way.toLowerCase()}@readers.example`,
          'three patient crows read a wall',
        ];
        secrets.add(password);
        if (way === 'pages') {
          await client.submit('/register', { email, password });
          await client.submit('/sign-in', { email, password: 'not the password at all' });
          await client.submit('/sign-in', { email, password });
          await client.submit('/sign-out');
        } else {
          await client.post('/api/auth/register', { login: email, password });
          await client.post('/api/auth/sign-in', { login: email, password: 'not the password at all' });
          const { body } = await client.post('/api/auth/sign-in', {
            login: email,
            password,
            transport: 'bearer',
          });
          client.token = (body as { access_token: string }).access_token;
          await client.post('/api/auth/sign-out');
        }
        const id = (await house.people.findByLogin(email))!.id;
        const { entries } = await house.audit.query({ viewer: 'system', kind: 'action', action: 'person.*' });
        const own = entries.filter(
          ({ target, context }) => target?.id === id || context.address === client.address,
        );
        expect(own.map(({ action, outcome }) => `${action} ${outcome}`).toReversed()).toEqual([
          way === 'pages'
            ? 'person.registration-requested success'
            : 'person.account-change-requested success',
          'person.registered success',
          'person.sign-in-refused denied',
          'person.signed-in success',
          'person.signed-out success',
        ]);
      },
    );
  });
}
