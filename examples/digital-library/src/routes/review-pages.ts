import { validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import type { House } from '../house.js';
import { sendPage } from '../pages.js';
import { completionSchema, reviewQuerySchema, signOffSchema } from '../schemas.js';
import { reviewPage } from '../views/review-pages.js';

const reviewQuery = { query: reviewQuerySchema } as const;
const signOff = { body: signOffSchema } as const;
const completion = { body: completionSchema } as const;
const FORM = { bodyTypes: ['application/x-www-form-urlencoded'] } as const;
/** Shown, and signed off, together. */
const TOGETHER = 20;

/** Regular review of the audit log: what staff have to look at, and that they did. */
export function reviewPages(house: House): Router {
  const { rbac, audit } = house;
  const router = Router();
  const mayReview = rbac.requirePermission('audit:review');

  router.get('/reviews', mayReview, validate(reviewQuery), async (req, res) => {
    const { policy = 'roles', done } = validOf(reviewQuery, req).query;
    const now = new Date().toISOString();
    const queue = await audit.reviews.queue(policy, { request: req }, TOGETHER);
    const all = await audit.reviews.status();
    await sendPage(house, req, res, {
      title: 'Reviews',
      done,
      body: (token) => reviewPage(token, queue, all, now),
    });
  });

  router.post('/reviews/sign-off', mayReview, validate(signOff, FORM), async (req, res) => {
    const { policy, entries, reason, finding } = validOf(signOff, req).body;
    await audit.reviews.signOff(policy, {
      entries: entries.split(','),
      by: { request: req },
      reason,
      finding: finding === 'yes',
    });
    res.redirect(303, `/staff/reviews?policy=${policy}&done=reviewed`);
  });

  router.post('/reviews/complete', mayReview, validate(completion, FORM), async (req, res) => {
    const { policy, reason, through } = validOf(completion, req).body;
    await audit.reviews.complete(policy, { by: { request: req }, reason, through });
    res.redirect(303, `/staff/reviews?policy=${policy}&done=round-ended`);
  });
  return router;
}
