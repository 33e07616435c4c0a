import { isAuthenticated } from '@portcullis/core';
import { validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { acting, idOf } from '../acting.js';
import { seenLoans } from '../book-loans.js';
import { findBook, searchBooks } from '../books.js';
import { coverOf } from '../covers.js';
import type { House } from '../house.js';
import { lend } from '../lending.js';
import { hasOpenLoan } from '../loans.js';
import { sendPage, viewerOf } from '../pages.js';
import { BookUnknown } from '../problems.js';
import { bookIdSchema, noticeSchema, searchSchema } from '../schemas.js';
import { bookDetail, bookList } from '../views/book-pages.js';
import type { Html } from '../views/html.js';
import { bookLoans } from '../views/loan-pages.js';

const search = { query: searchSchema } as const;
const borrowing = { params: bookIdSchema } as const;
const oneBook = { params: bookIdSchema, query: noticeSchema } as const;

/** The catalogue: open to everybody to read, to patrons to borrow. */
export function bookPages(house: House): Router {
  const { people, rbac } = house;
  const router = Router();
  const open = rbac.public('the catalogue is open to everybody');

  router.get('/', open, (_req, res) => res.redirect(302, '/books'));

  router.get('/books', open, validate(search), async (req, res) => {
    const { q, page, done } = validOf(search, req).query;
    const found = await acting(house, req, (tx) => searchBooks(tx, q ?? '', page ?? 1));
    await sendPage(house, req, res, { title: 'Books', done, body: bookList(found, q ?? '') });
  });

  router.get('/books/:id', open, validate(oneBook), async (req, res) => {
    const { params, query } = validOf(oneBook, req);
    const { principal } = req.security;
    const { book, borrowed, hasCover } = await acting(house, req, async (tx) => {
      const found = await findBook(tx, params.id);
      if (!found) throw new BookUnknown();
      return {
        book: found,
        hasCover: (await coverOf(tx, found.id)) !== undefined,
        borrowed: isAuthenticated(principal) && (await hasOpenLoan(tx, found.id, principal.id)),
      };
    });
    const viewer = await viewerOf(house, req);
    const body =
      viewer.name === undefined
        ? bookDetail(undefined, book, viewer, { borrowed, hasCover })
        : (token: Html) => bookDetail(token, book, viewer, { borrowed, hasCover });
    await sendPage(house, req, res, { title: book.title, done: query.done, body });
  });

  router.get(
    '/books/:id/loans',
    rbac.requirePermission('loan:read', { owner: (_object, req) => idOf(req) }),
    validate(borrowing),
    async (req, res) => {
      const { book, loans } = await seenLoans(house, req, validOf(borrowing, req).params.id);
      const borrowers = new Set(loans.flatMap(({ patronId }) => patronId ?? []));
      const names = new Map(
        await Promise.all(
          [...borrowers].map(async (who) => [who, (await people.find(who))?.email ?? who] as const),
        ),
      );
      const mayBreakGlass = await rbac.can(req.security.principal, 'rbac:break-glass');
      await sendPage(house, req, res, {
        title: `Loans of ${book.title}`,
        body: bookLoans(book, loans, names, mayBreakGlass),
      });
    },
  );

  router.post(
    '/books/:id/borrow',
    rbac.requirePermission('loan:create'),
    validate(borrowing),
    async (req, res) => {
      await lend(house, req, validOf(borrowing, req).params.id, idOf(req));
      res.redirect(303, '/loans?done=borrowed');
    },
  );
  return router;
}
