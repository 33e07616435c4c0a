import { validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { acting, idOf } from '../acting.js';
import { findBook } from '../books.js';
import type { House } from '../house.js';
import { sendPage } from '../pages.js';
import { BookUnknown } from '../problems.js';
import { bookIdSchema, historySchema } from '../schemas.js';
import { bookHistory } from '../views/history-pages.js';

const history = { params: bookIdSchema, query: historySchema } as const;

/** What became of a book: people see what they changed themselves, staff see everything, and how it was on a day. */
export function historyPages(house: House): Router {
  const { rbac, audit, people } = house;
  const router = Router();

  router.get(
    '/books/:id/history',
    rbac.requirePermission('audit:read', { owner: (_object, req) => idOf(req) }),
    validate(history),
    async (req, res) => {
      const { params, query } = validOf(history, req);
      const book = await acting(house, req, (tx) => findBook(tx, params.id));
      if (!book) throw new BookUnknown();
      const viewer = {
        id: idOf(req),
        staff: await rbac.can(req.security.principal, 'audit:read:any'),
      };
      const told = await audit.history('book', book.id, {
        viewer,
        limit: 50,
        ...(query.cursor ? { cursor: query.cursor } : {}),
      });
      const ids = new Set(told.entries.flatMap(({ actor }) => actor.id ?? []));
      const names = new Map(
        await Promise.all([...ids].map(async (id) => [id, (await people.find(id))?.email ?? id] as const)),
      );
      const { on } = query;
      const then =
        viewer.staff && on
          ? { on, row: await audit.asOf('book', book.id, `${on}T23:59:59.999Z`) }
          : undefined;
      await sendPage(house, req, res, {
        title: `What became of ${book.title}`,
        body: bookHistory(book, told, names, viewer.staff, then),
      });
    },
  );
  return router;
}
