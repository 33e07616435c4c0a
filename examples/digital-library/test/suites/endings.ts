import { describe, expect, test } from '@jest/globals';
import type { Loan } from '../../src/loans.js';
import type { OpenLibrary } from '../support/open-library.js';
import { addBook } from './everyday-use.js';

/** What cannot be taken back: books that are deleted, accounts that end. */
export function endings(library: () => OpenLibrary): void {
  async function patron(name: string) {
    const account = { email: `${name}@readers.example`, password: 'seven quiet otters borrow a lamp' };
    library().secrets.add(account.password);
    const browser = library().anonymous();
    await browser.submit('/register', account);
    expect((await browser.submit('/sign-in', account)).status).toBe(303);
    const { id } = (await library().house.people.findByLogin(account.email))!;
    return { account, browser, id };
  }
  const newest = async (action: string, id: string) => {
    const { audit } = library().house;
    const { entries } = await audit.query({ viewer: 'system', action });
    return entries.find(({ target }) => target?.id === id);
  };

  describe('what cannot be taken back', () => {
    test('staff delete a book that nobody has had; its record and the change itself stand in the log', async () => {
      const { staff } = library();
      const book = await addBook(library(), { title: 'Doomed' });
      expect((await staff.browser.get(`/books/${book.id}`)).text).toContain('Delete this book');
      const deleted = await staff.browser.submit(`/staff/books/${book.id}/delete`);
      expect([deleted.status, deleted.headers['location']]).toEqual([303, '/books?done=deleted']);
      expect((await staff.browser.get('/books?done=deleted')).text).toContain('The book is deleted.');
      expect((await staff.browser.get(`/books/${book.id}`)).status).toBe(404);
      expect((await staff.browser.submit(`/staff/books/${book.id}/delete`)).status).toBe(404);
      await library().house.audit.relay(0);
      expect(await newest('book.removed', book.id)).toMatchObject({ actor: { id: staff.id } });
      expect(await newest('book.deleted', book.id)).toMatchObject({ actor: { id: staff.id } });
    });

    test('a book that was lent stays: 409', async () => {
      const { staff, ann } = library();
      const book = await addBook(library(), { title: 'Lent once' });
      const { id } = (await ann.program.post('/api/loans', { bookId: book.id })).body as Loan;
      await ann.program.post(`/api/loans/${id}/return`);
      const refused = await staff.browser.submit(`/staff/books/${book.id}/delete`);
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('was lent')]);
      expect((await staff.browser.get(`/books/${book.id}`)).status).toBe(200);
    });

    test('an account is deactivated: its sessions end, and nobody signs in to it', async () => {
      const { staff } = library();
      const { account, browser, id } = await patron('leaving');
      const ended = await staff.browser.submit(`/staff/people/${id}/deactivate`);
      expect([ended.status, ended.headers['location']]).toEqual([303, '/staff/people?done=deactivated']);
      expect((await staff.browser.get('/staff/people?done=deactivated')).text).toContain(
        'The account is deactivated',
      );
      expect((await browser.get('/loans')).status).toBe(401);
      expect((await library().anonymous().submit('/sign-in', account)).status).toBe(401);
      expect((await staff.browser.get('/staff/people')).text).toContain('deactivated');
      expect(await newest('person.deactivated', id)).toMatchObject({ actor: { id: staff.id } });
    });

    test('a person is erased: account, passkeys, roles and the address in the log are gone, and the log stays as it was', async () => {
      const { staff, house } = library();
      const { account, browser, id } = await patron('forgotten');
      const book = await addBook(library(), { title: 'Borrowed by somebody' });
      await browser.submit(`/books/${book.id}/borrow`);
      const erase = () => staff.browser.submit(`/staff/people/${id}/erase`);
      expect((await erase()).status).toBe(409); // A book is out.
      const loan = /action="(\/loans\/[0-9a-f-]{36}\/return)"/.exec((await browser.get('/loans')).text)![1]!;
      await browser.submit(loan);
      await house.audit.relay(0);
      const byThem = async () => {
        const { entries } = await house.audit.query({ viewer: 'system', actor: id, action: 'loan.borrowed' });
        return entries[0]!;
      };
      const before = await byThem();
      expect(before.context.address).toBe(browser.address);

      const erased = await erase();
      expect([erased.status, erased.headers['location']]).toEqual([303, '/staff/people?done=erased']);
      expect((await staff.browser.get('/staff/people?done=erased')).text).toContain('The person is erased.');
      expect((await browser.get('/loans')).status).toBe(401);
      expect((await library().anonymous().submit('/sign-in', account)).status).toBe(401);
      expect((await staff.browser.get('/staff/people')).text).not.toContain(account.email);
      expect(await house.rbac.rolesOf(id)).toEqual([]);
      const after = await byThem();
      expect(after.context.address).toBe('[Erased]');
      expect(after.body).toBe(before.body);
      expect(await newest('person.erased', id)).toMatchObject({ actor: { id: staff.id } });
      expect((await erase()).status).toBe(404);
    });

    test('nobody ends their own account', async () => {
      const { staff } = library();
      for (const end of ['deactivate', 'erase']) {
        expect((await staff.browser.submit(`/staff/people/${staff.id}/${end}`)).status).toBe(409);
      }
      expect((await staff.browser.get('/staff/people')).status).toBe(200);
    });
  });
}
