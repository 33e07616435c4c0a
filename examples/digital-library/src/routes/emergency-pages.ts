import { isSecurityError } from '@portcullis/core';
import { validate, validOf } from '@portcullis/validation';
import { Router, type Request, type Response } from 'express';
import { personOf } from '../acting.js';
import { recorded } from '../critical.js';
import type { House } from '../house.js';
import { sendPage } from '../pages.js';
import { emergencySchema, noticeSchema } from '../schemas.js';
import { emergencyPage, type EmergencyForm } from '../views/emergency-pages.js';

const notice = { query: noticeSchema } as const;
const emergency = { body: emergencySchema } as const;

/** Breaking the glass: staff take the role "emergency" for a while, say why, and are read about by their colleagues. */
export function emergencyPages(house: House): Router {
  const { audit, rbac } = house;
  const router = Router();
  const mayBreak = rbac.requirePermission('rbac:break-glass');

  router.get('/emergency', mayBreak, validate(notice), (req, res) => show(req, res, {}));

  router.post(
    '/emergency',
    mayBreak,
    validate(emergency, { bodyTypes: ['application/x-www-form-urlencoded'] }),
    async (req, res) => {
      const { reason, minutes } = validOf(emergency, req).body;
      const actor = personOf(req);
      const entry = { target: { type: 'person', id: actor.id }, data: { reason, minutes } };
      try {
        await recorded(
          audit,
          req,
          { requested: 'emergency.access-requested', done: 'emergency.access-taken', ...entry },
          () => rbac.breakGlass(actor, { reason, forMs: minutes * 60_000 }),
        );
      } catch (error) {
        if (!isSecurityError(error) || error.code !== 'E_BREAK_GLASS') throw error;
        return show(req, res, { reason, errors: { reason: error.message } }, 400);
      }
      res.redirect(303, '/staff/emergency?done=glass-broken');
    },
  );
  return router;

  async function show(req: Request, res: Response, form: EmergencyForm, status = 200): Promise<void> {
    const held = (await rbac.rolesOf(personOf(req).id)).find(({ role }) => role === 'emergency');
    const until = held?.until !== undefined && held.until > Date.now() ? held.until : undefined;
    await sendPage(house, req, res, {
      title: 'Emergency access',
      status,
      done: status === 200 ? validOf(notice, req).query.done : undefined,
      body: (token) => emergencyPage(token, until, form),
    });
  }
}
