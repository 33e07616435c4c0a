import { validate } from '@portcullis/validation';
import { Router } from 'express';
import { recordAccountIntents, recordAccounts } from '../account-log.js';
import type { House } from '../house.js';
import { apiRoutes } from '../api-routes.js';

/** The JSON API: one row per route (api-routes.ts), so that guards, schemas and the OpenAPI document cannot drift apart. */
export function api(house: House): Router {
  const router = Router();
  router.use(
    '/auth',
    recordAccountIntents(house),
    house.auth.router({ record: recordAccounts(house.audit) }),
  );
  for (const route of apiRoutes) {
    router[route.method](
      route.path,
      route.guard(house.rbac),
      validate({ ...route.input, response: { [route.success]: route.output } }),
      async (req, res) => void res.status(route.success).json(await route.answer(house, req)),
    );
  }
  return router;
}
