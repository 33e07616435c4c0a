import { validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { acting, idOf } from '../acting.js';
import type { House } from '../house.js';
import { takeBack } from '../lending.js';
import { loansOf } from '../loans.js';
import { sendPage } from '../pages.js';
import { noticeSchema, uuidSchema } from '../schemas.js';
import { loanList } from '../views/loan-pages.js';

const notice = { query: noticeSchema } as const;
const oneLoan = { params: uuidSchema } as const;

/** A patron's own loans. Whose they are is kept by row-level security, not by these routes. */
export function loanPages(house: House): Router {
  const { rbac } = house;
  const router = Router();

  router.get(
    '/loans',
    rbac.requirePermission('loan:read', { owner: (_object, req) => idOf(req) }),
    validate(notice),
    async (req, res) => {
      const loans = await acting(house, req, (tx) => loansOf(tx, idOf(req)));
      await sendPage(house, req, res, {
        title: 'My loans',
        done: validOf(notice, req).query.done,
        body: (token) => loanList(token, loans),
      });
    },
  );

  router.post(
    '/loans/:id/return',
    rbac.requireAnyPermission(['loan:return:own', 'loan:return:any'], { owner: (_object, req) => idOf(req) }),
    validate(oneLoan),
    async (req, res) => {
      await takeBack(house, req, validOf(oneLoan, req).params.id);
      res.redirect(303, '/loans?done=returned');
    },
  );
  return router;
}
