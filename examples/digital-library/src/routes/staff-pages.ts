import { isSqlError } from '@portcullis/core';
import { createValidator, validate, validOf } from '@portcullis/validation';
import { Router, type Request, type Response } from 'express';
import { acting, idOf, personOf } from '../acting.js';
import { addBook, changeBook, deleteBook, findBook, type Book, type NewBook } from '../books.js';
import { coverOf } from '../covers.js';
import { recorded } from '../critical.js';
import { erase } from '../erasing.js';
import type { House } from '../house.js';
import { loansOf } from '../loans.js';
import { fieldErrors, sendPage, typed } from '../pages.js';
import {
  BookInUse,
  BooksOut,
  BookUnknown,
  CopiesLent,
  IsbnTaken,
  OwnAccount,
  OwnRole,
  PersonUnknown,
  toProblem,
} from '../problems.js';
import { auditSchema, bookIdSchema, bookSchema, noticeSchema, roleSchema, uuidSchema } from '../schemas.js';
import { auditLog, peopleList } from '../views/staff-pages.js';
import { bookForm, type BookForm } from '../views/book-pages.js';
import type { FieldErrors } from '../views/forms.js';

const bookValidator = createValidator(bookSchema, { fromText: true });
const HINTS = {
  isbn13: 'An ISBN has 13 digits, the last of which checks the others.',
  title: 'Type the title, in at most 300 characters.',
  authors: 'Type the authors, in at most 1000 characters.',
  year: 'Type a year as a whole number, or leave it out.',
  copies: 'Type how many copies there are, 0 to 1000.',
};
const oneBook = { params: bookIdSchema } as const;
const onePerson = { params: uuidSchema } as const;
const roleChange = { params: uuidSchema, body: roleSchema } as const;
const notice = { query: noticeSchema } as const;
const auditQuery = { query: auditSchema } as const;

/** What staff do: books, people and their roles, the audit log. */
export function staffPages(house: House): Router {
  const { auth, rbac, audit, people, covers } = house;
  const router = Router();

  router.get('/books/new', rbac.requirePermission('book:create'), async (req, res) =>
    showForm(req, res, '/staff/books', 'Add a book', {}),
  );

  router.post('/books', rbac.requirePermission('book:create'), async (req, res) => {
    const book = await saveFrom(req, res, '/staff/books', 'Add a book', async (given) =>
      acting(house, req, async (tx) => {
        const added = await addBook(tx, given, idOf(req));
        await audit.tx(tx).record({
          action: 'book.added',
          outcome: 'success',
          target: { type: 'book', id: added.id },
          change: { after: given },
          request: req,
        });
        return added;
      }),
    );
    if (book) res.redirect(303, `/books/${book.id}?done=saved`);
  });

  router.get(
    '/books/:id/edit',
    rbac.requirePermission('book:update'),
    validate(oneBook),
    async (req, res) => {
      const { id } = validOf(oneBook, req).params;
      const book = await acting(house, req, (tx) => findBook(tx, id));
      if (!book) throw new BookUnknown();
      const values = {
        ...book,
        year: book.year === null ? '' : String(book.year),
        copies: String(book.copies),
      };
      await showForm(req, res, `/staff/books/${id}`, 'Edit a book', values);
    },
  );

  router.post('/books/:id', rbac.requirePermission('book:update'), validate(oneBook), async (req, res) => {
    const { id } = validOf(oneBook, req).params;
    const book = await saveFrom(req, res, `/staff/books/${id}`, 'Edit a book', async (given) =>
      acting(house, req, async (tx) => {
        const before = await findBook(tx, id);
        const changed = await changeBook(tx, id, given, idOf(req));
        if (!changed || !before) throw new BookUnknown();
        await audit.tx(tx).record({
          action: 'book.changed',
          outcome: 'success',
          target: { type: 'book', id },
          change: { before, after: changed },
          request: req,
        });
        return changed;
      }),
    );
    if (book) res.redirect(303, `/books/${book.id}?done=saved`);
  });

  router.post(
    '/books/:id/delete',
    rbac.requirePermission('book:delete'),
    validate(oneBook),
    async (req, res) => {
      const { id } = validOf(oneBook, req).params;
      const cover = await acting(house, req, async (tx) => {
        const picture = await coverOf(tx, id);
        const before = await deleteBook(tx, id).catch((error: unknown) => {
          throw isSqlError(error, 'foreign-key') ? new BookInUse() : error;
        });
        if (!before) throw new BookUnknown();
        await audit.tx(tx).record({
          action: 'book.removed',
          outcome: 'success',
          target: { type: 'book', id },
          change: { before },
          request: req,
        });
        return picture;
      });
      if (cover) await covers.uploads.remove(cover.key);
      res.redirect(303, '/books?done=deleted');
    },
  );

  router.get(
    '/people',
    rbac.requireAllPermissions('person:read', 'role:grant'),
    validate(notice),
    async (req, res) => {
      const listed = await people.list(200);
      const rows = await Promise.all(
        listed.map(async (person) => ({
          person,
          roles: (await rbac.rolesOf(person.id)).map(({ role }) => role),
        })),
      );
      await sendPage(house, req, res, {
        title: 'People',
        done: validOf(notice, req).query.done,
        body: (token) => peopleList(token, rows, idOf(req)),
      });
    },
  );

  for (const [action, done] of [
    ['grant', 'granted'],
    ['revoke', 'revoked'],
  ] as const) {
    router.post(
      `/people/:id/${action}`,
      rbac.requirePermission('role:grant'),
      validate(roleChange, { bodyTypes: ['application/x-www-form-urlencoded'] }),
      async (req, res) => {
        const { params, body } = validOf(roleChange, req);
        await changeRole(req, action, params.id, body.role);
        res.redirect(303, `/staff/people?done=${done}`);
      },
    );
  }

  router.post(
    '/people/:id/deactivate',
    rbac.requirePermission('person:deactivate'),
    validate(onePerson),
    async (req, res) => {
      const target = await somebodyElse(req);
      await recorded<unknown>(
        audit,
        req,
        { requested: 'person.deactivation-requested', done: 'person.deactivated', target },
        () => auth.deactivate(target.id),
      );
      res.redirect(303, '/staff/people?done=deactivated');
    },
  );

  router.post(
    '/people/:id/erase',
    rbac.requirePermission('person:erase'),
    validate(onePerson),
    async (req, res) => {
      const target = await somebodyElse(req);
      const loans = await acting(house, req, (tx) => loansOf(tx, target.id));
      if (loans.some(({ returnedAt }) => returnedAt === null)) throw new BooksOut();
      await recorded(
        audit,
        req,
        { requested: 'person.erasure-requested', done: 'person.erased', target },
        () => erase(house, target.id),
      );
      res.redirect(303, '/staff/people?done=erased');
    },
  );

  router.get('/audit', rbac.requirePermission('audit:read:any'), validate(auditQuery), async (req, res) => {
    const { action, cursor } = validOf(auditQuery, req).query;
    const page = await audit.query({
      viewer: { id: idOf(req), staff: true },
      kind: 'action',
      limit: 50,
      ...(action ? { action } : {}),
      ...(cursor ? { cursor } : {}),
    });
    await sendPage(house, req, res, {
      title: 'Audit log',
      body: auditLog(page, action ?? '', audit.status()),
    });
  });
  return router;

  async function somebodyElse(req: Request): Promise<{ readonly type: 'person'; readonly id: string }> {
    const { id } = validOf(onePerson, req).params;
    if (!(await people.find(id))) throw new PersonUnknown();
    if (id === idOf(req)) throw new OwnAccount();
    return { type: 'person', id };
  }

  async function changeRole(
    req: Request,
    action: 'grant' | 'revoke',
    id: string,
    role: 'staff' | 'patron',
  ): Promise<void> {
    if (!(await people.find(id))) throw new PersonUnknown();
    if (action === 'revoke' && id === idOf(req) && role === 'staff') throw new OwnRole();
    // On behalf of who asks: nobody gives what they do not hold, and the last one who may give stays.
    const actor = personOf(req);
    const administration = rbac.onBehalfOf(actor);
    await recorded<unknown>(
      audit,
      req,
      {
        requested: `role.${action}-requested`,
        done: action === 'grant' ? 'role.granted' : 'role.revoked',
        target: { type: 'person', id },
        data: { role },
      },
      () =>
        action === 'grant'
          ? administration.grantRole(actor, id, role)
          : administration.revokeRole(actor, id, role, { strict: true }),
    );
  }

  async function showForm(
    req: Request,
    res: Response,
    to: string,
    title: string,
    values: BookForm,
    errors?: FieldErrors,
    status = 200,
  ) {
    await sendPage(house, req, res, {
      title,
      status,
      body: (token) => bookForm(token, to, title, values, errors),
    });
  }

  /** The saved book, or undefined after the form has been shown again with what was wrong. */
  async function saveFrom(
    req: Request,
    res: Response,
    to: string,
    title: string,
    save: (book: NewBook) => Promise<Book>,
  ): Promise<Book | undefined> {
    const values = typed(req.body);
    const { year: yearText, ...rest } = values;
    const given = bookValidator.check(yearText === '' ? rest : req.body);
    if (!given.valid) {
      await showForm(req, res, to, title, values, fieldErrors(given.errors, HINTS), 400);
      return undefined;
    }
    try {
      return await save({ ...given.value, year: given.value.year ?? null });
    } catch (error) {
      const problem = toProblem(error);
      if (!IsbnTaken.is(problem) && !CopiesLent.is(problem)) throw error;
      const field = IsbnTaken.is(problem) ? 'isbn13' : 'copies';
      await showForm(req, res, to, title, values, { [field]: problem.message }, 409);
      return undefined;
    }
  }
}
