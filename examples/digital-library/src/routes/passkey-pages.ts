import { Router } from 'express';
import { idOf } from '../acting.js';
import type { House } from '../house.js';
import { sendPage } from '../pages.js';
import { passkeyList } from '../views/passkey-pages.js';

/** The passkeys of a person. What the page's script does goes to the account endpoints of the API, which judge it. */
export function passkeyPages(house: House): Router {
  const { auth, rbac } = house;
  const router = Router();
  const own = rbac.public('everybody sees their own passkeys');

  router.get('/account/passkeys', auth.inPerson(), own, async (req, res) => {
    const passkeys = house.hasPasskeys ? await auth.listPasskeys({ id: idOf(req) }) : undefined;
    await sendPage(house, req, res, {
      title: 'Passkeys',
      script: '/assets/passkeys.js',
      body: passkeyList(passkeys),
    });
  });
  return router;
}
