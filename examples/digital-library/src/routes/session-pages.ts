import { validate, validOf } from '@portcullis/validation';
import { Router } from 'express';
import { idOf } from '../acting.js';
import type { House } from '../house.js';
import { sendPage } from '../pages.js';
import { noticeSchema, uuidSchema } from '../schemas.js';
import { sessionList } from '../views/session-pages.js';

const notice = { query: noticeSchema } as const;
const oneSession = { params: uuidSchema } as const;

/** Where a person is signed in, and how to end that. Whose sessions they are is kept by `auth.sessions`, which asks for the user too. */
export function sessionPages(house: House): Router {
  const { auth, audit, rbac } = house;
  const router = Router();
  const inPerson = auth.inPerson();
  const own = rbac.public('everybody sees and ends their own sessions');

  router.get('/account/sessions', inPerson, own, validate(notice), async (req, res) => {
    const { principal } = req.security;
    const sessions = await auth.sessions.list(idOf(req));
    const current = principal.kind === 'anonymous' ? undefined : principal.sessionId;
    await sendPage(house, req, res, {
      title: 'Where you are signed in',
      done: validOf(notice, req).query.done,
      body: (token) => sessionList(token, sessions, current),
    });
  });

  router.post('/account/sessions/end-others', inPerson, own, async (req, res) => {
    const { principal } = req.security;
    const keep = principal.kind === 'anonymous' ? '' : (principal.sessionId ?? '');
    await auth.sessions.revokeOthers(idOf(req), keep);
    await audit.record({ action: 'person.sessions-ended', outcome: 'success', request: req });
    res.redirect(303, '/account/sessions?done=ended');
  });

  router.post('/account/sessions/:id/end', inPerson, own, validate(oneSession), async (req, res) => {
    await auth.sessions.revoke(idOf(req), validOf(oneSession, req).params.id);
    await audit.record({ action: 'person.sessions-ended', outcome: 'success', request: req });
    res.redirect(303, '/account/sessions?done=ended');
  });
  return router;
}
