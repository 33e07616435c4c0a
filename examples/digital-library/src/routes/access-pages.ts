import type { RouteRule } from '@portcullis/rbac';
import { validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { idOf } from '../acting.js';
import { recorded } from '../critical.js';
import type { House } from '../house.js';
import { sendPage } from '../pages.js';
import { administration } from '../role-log.js';
import { accessDecisionSchema, noticeSchema, uuidSchema } from '../schemas.js';
import { accessPage, accessReviewPage, routesPage, type NameOf } from '../views/access-pages.js';

const FORM = { bodyTypes: ['application/x-www-form-urlencoded'] } as const;
const notice = { query: noticeSchema } as const;
const oneReview = { params: uuidSchema } as const;
const shownReview = { params: uuidSchema, query: noticeSchema } as const;
const decision = { params: uuidSchema, body: accessDecisionSchema } as const;
/** Nobody comes to a library every day. */
const DAYS = 90;

/** Who may what, and whether that is still right: administrators, what nobody uses, access reviews, routes and their rules. */
export function accessPages(house: House, routes: () => readonly RouteRule[]): Router {
  const { rbac, audit, people } = house;
  const router = Router();
  const mayReview = rbac.requirePermission('rbac:review');

  router.get(
    '/access',
    rbac.requireAllPermissions('rbac:read', 'rbac:review'),
    validate(notice),
    async (req, res) => {
      const [administrators, inactive, unused, reviews, nameOf] = await Promise.all([
        rbac.administrators(),
        rbac.inactiveUsers(idOf(req), { days: DAYS }),
        rbac.unused({ days: DAYS }),
        rbac.reviews(),
        names(),
      ]);
      await sendPage(house, req, res, {
        title: 'Access',
        done: validOf(notice, req).query.done,
        body: (token) => accessPage(token, { administrators, inactive, unused, reviews, days: DAYS }, nameOf),
      });
    },
  );

  router.get('/access/routes', rbac.requirePermission('rbac:read'), async (req, res) =>
    sendPage(house, req, res, { title: 'Routes', body: routesPage(routes()) }),
  );

  router.post('/access/reviews', mayReview, async (req, res) => {
    // Whoever administers reviews: nobody is asked about their own grants, or about what they have granted.
    const reviewers = (await rbac.administrators()).map(({ userId }) => userId);
    const about = administration({ what: 'POST /reviews', params: [], body: { reviewers } });
    const review = await recorded(audit, req, about, () => rbac.openReview(idOf(req), { reviewers }));
    res.redirect(303, `/staff/access/reviews/${review.id}?done=review-opened`);
  });

  router.get('/access/reviews/:id', mayReview, validate(shownReview), async (req, res) => {
    const { params, query } = validOf(shownReview, req);
    const [review, nameOf] = await Promise.all([rbac.review(params.id), names()]);
    await sendPage(house, req, res, {
      title: 'Access review',
      done: query.done,
      body: (token) => accessReviewPage(token, review, idOf(req), nameOf),
    });
  });

  router.post('/access/reviews/:id', mayReview, validate(decision, FORM), async (req, res) => {
    const { params, body } = validOf(decision, req);
    const { item, ...given } = body;
    const about = administration({
      what: 'PUT /reviews/:/items/:',
      params: [params.id, String(item)],
      body: given,
    });
    await recorded(audit, req, about, () => rbac.decideReview(idOf(req), params.id, item, given));
    res.redirect(303, `/staff/access/reviews/${params.id}?done=decided`);
  });

  router.post('/access/reviews/:id/close', mayReview, validate(oneReview), async (req, res) => {
    const { id } = validOf(oneReview, req).params;
    const about = administration({ what: 'POST /reviews/:/close', params: [id], body: {} });
    await recorded(audit, req, about, () => rbac.closeReview(idOf(req), id));
    res.redirect(303, `/staff/access/reviews/${id}?done=review-closed`);
  });

  router.get('/access/reviews/:id/evidence', mayReview, validate(oneReview), async (req, res) => {
    const { id } = validOf(oneReview, req).params;
    const { text } = await rbac.evidence(id);
    res.attachment(`access-review-${id}.ndjson`).type('application/x-ndjson').send(text);
  });
  return router;

  /** People by their addresses; programs and people who left stay as they are written. */
  async function names(): Promise<NameOf> {
    const known = new Map((await people.list(1000)).map(({ id, email }) => [id, email]));
    return (id) => known.get(id) ?? id;
  }
}
