import { describe, expect, jest, test } from '@jest/globals';
import { createAudit, memoryAudit } from '@portcullis/audit';
import { walkRoutes } from '@portcullis/core';
import type { Response } from 'supertest';
import { createApp } from '../../src/app.js';
import type { House } from '../../src/house.js';
import type { OpenLibrary } from '../support/open-library.js';
import { addBook, nextIsbn } from './everyday-use.js';
import { coverForm } from './browser-side.js';

/** Every route that changes something and is not asked below, and why it may go on without the log. */
const NOT_CRITICAL: Readonly<Record<string, string>> = {
  'POST /sign-out': 'nobody is kept signed in',
  'POST /api/auth/sign-out': 'nobody is kept signed in',
  'POST /account/sessions/end-others': 'nobody is kept signed in',
  'POST /account/sessions/:id/end': 'nobody is kept signed in',
  'DELETE /api/auth/sessions': 'nobody is kept signed in',
  'DELETE /api/auth/sessions/:id': 'nobody is kept signed in',
  'POST /api/auth/refresh': 'goes on with a session that was recorded when it began',
  'POST /sign-in': 'a sign-in, see below',
  'POST /api/auth/sign-in': 'a sign-in, see below',
  'POST /sign-in/complete': 'a sign-in, see below',
  'POST /api/auth/sign-in/complete': 'a sign-in, see below',
  'POST /api/auth/passkeys/sign-in': 'a sign-in, see below',
  'POST /api/auth/passkeys/step-up': 'a sign-in, see below',
  'POST /api/auth/step-up': 'a sign-in, see below',
  'POST /api/auth/passkeys/sign-in/options': 'only begins something',
  'POST /api/auth/passkeys/step-up/options': 'only begins something',
  'POST /api/auth/passkeys/options': 'only begins something',
  'POST /account/second-factor/start': 'only begins something',
  'POST /api/auth/totp': 'only begins something',
  'POST /account/email': 'only begins something',
  'POST /reset': 'only begins something',
  'POST /api/auth/reset': 'only begins something',
  'POST /staff/reviews/sign-off': 'is a record itself',
  'POST /staff/reviews/complete': 'is a record itself',
};

/** What must not happen where it cannot be written down: every such action, asked of a library whose log refuses every record. */
export function unrecorded(library: () => OpenLibrary): void {
  /** The house with a log whose store takes nothing. */
  const speechless = ({ audit, ...house }: House): House => {
    const store = { ...memoryAudit(), append: () => Promise.reject(new Error('The disk is full.')) };
    const { record } = createAudit({ store, anchors: false });
    return { ...house, audit: { ...audit, record, tx: () => ({ record }) } };
  };

  describe('while nothing can be recorded', () => {
    test('every route that changes something refuses with 503 and changes nothing, but for those with a reason', async () => {
      const { house, staff, ann, bob } = library();
      const { browser } = staff;
      const [lent, own] = [
        await addBook(library(), { title: 'Not returned' }),
        await addBook(library(), { title: 'Not touched' }),
      ];
      const { id: loan } = (await ann.program.post('/api/loans', { bookId: lent.id })).body as { id: string };
      const key = (await ann.program.post('/api/auth/keys', { name: 'Stays', scopes: ['loan:read:own'] }))
        .body as { id: string; key: string };
      library().secrets.add(key.key);
      const scope = { users: [bob.id] };
      const [toDecide, toClose] = await Promise.all(
        [1, 2].map(() => house.rbac.openReview(staff.id, { reviewers: [staff.id], scope })),
      );
      for (const { number } of toClose!.items) {
        await house.rbac.decideReview(staff.id, toClose!.id, number, { disposition: 'keep', reason: 'x' });
      }
      const item = String(toDecide!.items[0]!.number);
      // The pages that change a second factor are for those who have one.
      const factors = (change: { readonly factors: string | null; readonly replaces: string | null }) =>
        house.people.saveFactors!(bob.id, change);
      await factors({ factors: 'any', replaces: null });
      const before = await library().stored();

      const mute = await library().served(speechless(house));
      const at = {
        staff: browser.at(mute.url),
        ann: ann.browser.at(mute.url),
        bob: bob.browser.at(mute.url),
      };
      const programs = { staff: staff.program.at(mute.url), ann: ann.program.at(mute.url) };
      const somebody = () => library().anonymous().at(mute.url);
      const isbn = nextIsbn();
      const book = { isbn13: isbn, title: 'None', authors: 'N. Obody', copies: '1' };
      const password = 'nine loud herons sell a bridge';
      const link = { token: 'x'.repeat(43), password };
      const revoke = { disposition: 'revoke', reason: 'left' };
      const code = { token: 'x'.repeat(43), code: '123456' };
      const both = { password: ann.password, code: '123456' };
      const put = (path: string, json: object = {}) => programs.staff.send('PUT', path, { json });
      const del = (path: string) => programs.staff.send('DELETE', path);
      const user = `/api/roles/users/${bob.id}`;
      const person = `/staff/people/${bob.id}`;
      const review = (id: string) => `/staff/access/reviews/${id}`;
      const critical: Readonly<Record<string, () => Promise<Response>>> = {
        // Roles and their reviews
        'POST /staff/people/:id/grant': () => at.staff.submit(`${person}/grant`, { role: 'staff' }),
        'POST /staff/people/:id/revoke': () => at.staff.submit(`${person}/revoke`, { role: 'patron' }),
        'POST /staff/access/reviews': () => at.staff.submit('/staff/access/reviews'),
        'POST /staff/access/reviews/:id': () => at.staff.submit(review(toDecide!.id), { ...revoke, item }),
        'POST /staff/access/reviews/:id/close': () => at.staff.submit(`${review(toClose!.id)}/close`),
        'PUT /api/roles/roles/:': () => put('/api/roles/roles/night-shift', { allow: ['book:delete'] }),
        'DELETE /api/roles/roles/:': () => del('/api/roles/roles/night-shift'),
        'PUT /api/roles/permissions/:': () => put('/api/roles/permissions/book%3Adelete', { active: false }),
        'PUT /api/roles/users/:': () => put(user, { active: false }),
        'PUT /api/roles/users/:/roles/:': () => put(`${user}/roles/staff`),
        'DELETE /api/roles/users/:/roles/:': () => del(`${user}/roles/patron`),
        'PUT /api/roles/users/:/permissions/:': () => put(`${user}/permissions/book%3Adelete`),
        'DELETE /api/roles/users/:/permissions/:': () => del(`${user}/permissions/book%3Adelete`),
        'PUT /api/roles/users/:/denials/:': () => put(`${user}/denials/loan%3Acreate`),
        'DELETE /api/roles/users/:/denials/:': () => del(`${user}/denials/loan%3Acreate`),
        'POST /api/roles/reviews': () =>
          programs.staff.post('/api/roles/reviews', { reviewers: [staff.id], scope }),
        'PUT /api/roles/reviews/:/items/:': () =>
          put(`/api/roles/reviews/${toDecide!.id}/items/${item}`, revoke),
        'POST /api/roles/reviews/:/close': () =>
          programs.staff.post(`/api/roles/reviews/${toClose!.id}/close`),
        'POST /staff/emergency': () =>
          at.staff.submit('/staff/emergency', { reason: 'an order of the court', minutes: '15' }),
        // Accounts
        'POST /staff/people/:id/deactivate': () => at.staff.submit(`${person}/deactivate`),
        'POST /staff/people/:id/erase': () => at.staff.submit(`${person}/erase`),
        'POST /register': () => somebody().submit('/register', { email: 'n@readers.example', password }),
        'POST /api/auth/register': () =>
          somebody().post('/api/auth/register', { login: 'n@readers.example', password }),
        'POST /register/complete': () => somebody().submit('/register/complete', link),
        'POST /reset/complete': () => somebody().submit('/reset/complete', link),
        'POST /api/auth/reset/complete': () => somebody().post('/api/auth/reset/complete', link),
        'POST /account/email/complete': () =>
          somebody().submit('/account/email/complete', { token: link.token }),
        'POST /api/auth/login': () =>
          programs.ann.post('/api/auth/login', { login: 'n@readers.example', password: ann.password }),
        'POST /api/auth/login/complete': () =>
          somebody().post('/api/auth/login/complete', { token: link.token }),
        'POST /api/auth/password': () =>
          programs.ann.post('/api/auth/password', { currentPassword: ann.password, newPassword: password }),
        // Second factors and passkeys
        'POST /account/second-factor/confirm': () => at.ann.submit('/account/second-factor/confirm', code),
        'POST /account/second-factor/recovery-codes': () =>
          at.bob.submit('/account/second-factor/recovery-codes', both),
        'POST /account/second-factor/remove': () => at.bob.submit('/account/second-factor/remove', both),
        'POST /api/auth/totp/confirm': () => programs.ann.post('/api/auth/totp/confirm', code),
        'POST /api/auth/totp/remove': () => programs.ann.post('/api/auth/totp/remove', both),
        'POST /api/auth/recovery-codes': () => programs.ann.post('/api/auth/recovery-codes', both),
        'POST /api/auth/passkeys': () => programs.ann.post('/api/auth/passkeys'),
        'PATCH /api/auth/passkeys/:id': () =>
          programs.ann.send('PATCH', '/api/auth/passkeys/x', { json: { name: 'Other' } }),
        'DELETE /api/auth/passkeys/:id': () => programs.ann.send('DELETE', '/api/auth/passkeys/x'),
        // Keys for programs
        'POST /account/keys': () =>
          at.ann.submit('/account/keys', { name: 'New', expires: '7d', 'loan:read:own': 'yes' }),
        'POST /account/keys/:id/end': () => at.ann.submit(`/account/keys/${key.id}/end`),
        'POST /api/auth/keys': () =>
          programs.ann.post('/api/auth/keys', { name: 'New', scopes: ['loan:read:own'] }),
        'DELETE /api/auth/keys/:id': () => programs.ann.send('DELETE', `/api/auth/keys/${key.id}`),
        // Books and loans, in one transaction with their records
        'POST /staff/books': () => at.staff.submit('/staff/books', book),
        'POST /api/books': () => programs.staff.post('/api/books', { ...book, copies: 1 }),
        'POST /staff/books/:id': () => at.staff.submit(`/staff/books/${own.id}`, { ...book, title: 'Other' }),
        'POST /staff/books/:id/delete': () => at.staff.submit(`/staff/books/${own.id}/delete`),
        'POST /staff/books/:id/cover': () =>
          at.staff.send('POST', `/staff/books/${own.id}/cover`, coverForm()),
        'POST /books/:id/borrow': () => at.ann.submit(`/books/${own.id}/borrow`),
        'POST /loans/:id/return': () => at.ann.submit(`/loans/${loan}/return`),
        'POST /api/loans': () => programs.ann.post('/api/loans', { bookId: own.id }),
        'POST /api/loans/:id/return': () => programs.ann.post(`/api/loans/${loan}/return`),
      };
      // Each of them is told there; fifty times the same.
      const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
      try {
        for (const [endpoint, ask] of Object.entries(critical)) {
          expect({ endpoint, status: (await ask()).status }).toEqual({ endpoint, status: 503 });
        }
        // A sign-in that is not recorded is none, though the password is right.
        for (const answer of [
          await somebody().submit('/sign-in', { email: ann.email, password: ann.password }),
          await somebody().post('/api/auth/sign-in', {
            login: ann.email,
            password: ann.password,
            transport: 'bearer',
          }),
        ]) {
          expect([answer.status, JSON.stringify(answer.body).includes('token')]).toEqual([503, false]);
          expect(String(answer.headers['set-cookie'] ?? '')).not.toContain('__Host-');
        }
        expect(said.mock.calls.length).toBeGreaterThanOrEqual(Object.keys(critical).length);
      } finally {
        said.mockRestore();
        mute.close();
      }
      const changed = (text: string) =>
        text.split('\n').filter((line) => !/auth_session|feed|guess/.test(line));
      expect(changed(await library().stored())).toEqual(changed(before));
      await factors({ factors: null, replaces: 'any' });

      const routes = walkRoutes(createApp(house)).flatMap(({ methods, path }) =>
        methods
          .filter((method) => !['GET', 'HEAD', '*'].includes(method))
          .map((method) => `${method} ${path}`),
      );
      const asked = [...Object.keys(critical), ...Object.keys(NOT_CRITICAL)];
      expect(routes.filter((route) => !asked.includes(route))).toEqual([]);
    });
  });
}
