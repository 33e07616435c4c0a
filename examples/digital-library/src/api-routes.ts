import type { Middleware } from '@portcullis/core';
import { validOf, type JsonSchema, type Schemas } from '@portcullis/validation';
import type { Request } from 'express';
import { acting, idOf } from './acting.js';
import { seenLoans } from './book-loans.js';
import { addBook, findBook, searchBooks } from './books.js';
import type { House, LibraryRbac } from './house.js';
import { lend, takeBack } from './lending.js';
import { loansOf, openLoans } from './loans.js';
import { BookUnknown } from './problems.js';
import {
  auditAnswer,
  auditSchema,
  bookAnswer,
  bookIdSchema,
  bookLoansAnswer,
  bookPageAnswer,
  bookSchema,
  loanAnswer,
  loanSchema,
  loansAnswer,
  searchSchema,
  uuidSchema,
} from './schemas.js';

export interface ApiRoute {
  readonly method: 'get' | 'post';
  /** As Express writes it, below `/api`. */
  readonly path: string;
  readonly summary: string;
  readonly success: 200 | 201;
  /** For the document: what the answer itself may refuse, by status. */
  readonly refusals?: Readonly<Record<number, string>>;
  readonly input?: Schemas;
  /** The form of a success; what has another one is answered with 500 and does not leave. */
  readonly output: JsonSchema;
  guard(rbac: LibraryRbac): Middleware;
  answer(house: House, req: Request): Promise<unknown>;
}

const search = { query: searchSchema } as const;
const oneBook = { params: bookIdSchema } as const;
const newBook = { body: bookSchema } as const;
const newLoan = { body: loanSchema } as const;
const oneLoan = { params: uuidSchema } as const;
const log = { query: auditSchema } as const;
const self = (_object: unknown, req: Parameters<typeof idOf>[0]): string => idOf(req);

export const apiRoutes: readonly ApiRoute[] = [
  {
    method: 'get',
    path: '/books',
    summary: 'Search books by title, author or ISBN',
    success: 200,
    input: search,
    output: bookPageAnswer,
    guard: (rbac) => rbac.public('the catalogue is open to everybody'),
    async answer(house, req) {
      const { q, page } = validOf(search, req).query;
      return acting(house, req, (tx) => searchBooks(tx, q ?? '', page ?? 1));
    },
  },
  {
    method: 'get',
    path: '/books/:id',
    summary: 'One book',
    success: 200,
    refusals: { 404: 'There is no such book' },
    input: oneBook,
    output: bookAnswer,
    guard: (rbac) => rbac.public('the catalogue is open to everybody'),
    async answer(house, req) {
      const book = await acting(house, req, (tx) => findBook(tx, validOf(oneBook, req).params.id));
      if (!book) throw new BookUnknown();
      return book;
    },
  },
  {
    method: 'get',
    path: '/books/:id/loans',
    summary: 'Loans of a book: your own, all of them for staff; whose they are only where you may know',
    success: 200,
    refusals: { 404: 'There is no such book' },
    input: oneBook,
    output: bookLoansAnswer,
    guard: (rbac) => rbac.requirePermission('loan:read', { owner: self }),
    async answer(house, req) {
      const { loans } = await seenLoans(house, req, validOf(oneBook, req).params.id);
      return { loans };
    },
  },
  {
    method: 'post',
    path: '/books',
    summary: 'Add a book',
    success: 201,
    refusals: { 409: 'A book with this ISBN is in the library already' },
    input: newBook,
    output: bookAnswer,
    guard: (rbac) => rbac.requirePermission('book:create'),
    async answer(house, req) {
      const { body } = validOf(newBook, req);
      return acting(house, req, async (tx) => {
        const book = await addBook(tx, { ...body, year: body.year ?? null }, idOf(req));
        await house.audit.tx(tx).record({
          action: 'book.added',
          outcome: 'success',
          target: { type: 'book', id: book.id },
          change: { after: body },
          request: req,
        });
        return book;
      });
    },
  },
  {
    method: 'get',
    path: '/loans',
    summary: 'Your loans',
    success: 200,
    output: loansAnswer,
    guard: (rbac) => rbac.requirePermission('loan:read', { owner: self }),
    answer: (house, req) => acting(house, req, async (tx) => ({ loans: await loansOf(tx, idOf(req)) })),
  },
  {
    method: 'get',
    path: '/loans/open',
    summary: 'All open loans',
    success: 200,
    output: loansAnswer,
    guard: (rbac) => rbac.requirePermission('loan:read:any'),
    answer: (house, req) => acting(house, req, async (tx) => ({ loans: await openLoans(tx) })),
  },
  {
    method: 'post',
    path: '/loans',
    summary: 'Borrow a book for three weeks',
    success: 201,
    refusals: {
      404: 'There is no such book',
      409: 'No copy left, five books already, or this one among them',
    },
    input: newLoan,
    output: loanAnswer,
    guard: (rbac) => rbac.requirePermission('loan:create'),
    answer: (house, req) => lend(house, req, validOf(newLoan, req).body.bookId, idOf(req)),
  },
  {
    method: 'post',
    path: '/loans/:id/return',
    summary: 'Return a book',
    success: 200,
    refusals: { 404: 'There is no such open loan' },
    input: oneLoan,
    output: loanAnswer,
    guard: (rbac) => rbac.requireAnyPermission(['loan:return:own', 'loan:return:any'], { owner: self }),
    answer: (house, req) => takeBack(house, req, validOf(oneLoan, req).params.id),
  },
  {
    method: 'get',
    path: '/audit',
    summary: 'What happened: your own entries, all of them for staff',
    success: 200,
    input: log,
    output: auditAnswer,
    guard: (rbac) => rbac.requirePermission('audit:read', { owner: self }),
    async answer({ audit, rbac }, req) {
      const { action, cursor } = validOf(log, req).query;
      const id = idOf(req);
      return audit.query({
        viewer: { id, staff: await rbac.can(req.security.principal, 'audit:read:any') },
        kind: 'action',
        ...(action ? { action } : {}),
        ...(cursor ? { cursor } : {}),
      });
    },
  },
];
