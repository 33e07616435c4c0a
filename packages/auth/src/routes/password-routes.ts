import type { ChangePasswordInput, RegisterInput } from '../flows/flows.js';
import { personOf } from '../identify.js';
import { answer, type Route, type RouteDeps } from './route.js';

/** Accounts and their passwords, without a mailbox. */
export function passwordRoutes({ flows, registration, metaOf, record }: RouteDeps): readonly Route[] {
  const register: Route = {
    method: 'POST',
    path: '/register',
    async run({ req, res }) {
      const { userId } = await flows.register(req.body as RegisterInput, metaOf(req));
      await record({ type: 'registered', userId }, req);
      answer(res, 201, { userId });
    },
  };
  return [
    ...(registration === 'open' ? [register] : []),
    {
      method: 'POST',
      path: '/password',
      async run({ req, res }) {
        const principal = personOf(req);
        await flows.changePassword(principal, req.body as ChangePasswordInput, metaOf(req));
        await record({ type: 'password-changed', userId: principal.id }, req);
        answer(res, 204);
      },
    },
  ];
}
