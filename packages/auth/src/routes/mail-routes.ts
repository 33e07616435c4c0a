import type { MailFlows } from '../flows/mail-flows.js';
import { personOf } from '../identify.js';
import { answer, type Route, type RouteDeps } from './route.js';

/** What goes through a mailbox. The three that begin something answer 202 with nothing, whatever there is to say. */
export function mailRoutes(deps: RouteDeps): readonly Route[] {
  const { mailFlows: flows, registration, changesLogin } = deps;
  if (!flows) return [];
  return [
    ...(registration === 'by-mail' ? registrations(flows, deps) : []),
    ...(changesLogin ? loginChanges(flows, deps) : []),
    ...resets(flows, deps),
  ];
}

function registrations(flows: MailFlows, { metaOf, record }: RouteDeps): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/register',
      async run({ req, res }) {
        await flows.startRegistration(req.body as never);
        answer(res, 202);
      },
    },
    {
      method: 'POST',
      path: '/register/complete',
      async run({ req, res }) {
        const { userId } = await flows.completeRegistration(req.body as never, metaOf(req));
        await record({ type: 'registered', userId }, req);
        answer(res, 201, { userId });
      },
    },
  ];
}

function loginChanges(flows: MailFlows, { cookies, metaOf, record }: RouteDeps): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/login',
      async run({ req, res }) {
        await flows.startLoginChange(personOf(req), req.body as never, metaOf(req));
        answer(res, 202);
      },
    },
    {
      method: 'POST',
      path: '/login/complete',
      async run({ req, res }) {
        const { userId } = await flows.completeLoginChange(req.body as never);
        await record({ type: 'login-changed', userId }, req);
        cookies?.clear(res);
        answer(res, 204);
      },
    },
  ];
}

function resets(flows: MailFlows, { cookies, metaOf, record }: RouteDeps): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/reset',
      async run({ req, res }) {
        await flows.startReset(req.body as never);
        answer(res, 202);
      },
    },
    {
      method: 'POST',
      path: '/reset/complete',
      async run({ req, res }) {
        const { userId, deviceToken } = await flows.completeReset(req.body as never, metaOf(req));
        await record({ type: 'password-reset', userId }, req);
        cookies?.clear(res);
        if (deviceToken !== undefined && cookies) cookies.remember(res, deviceToken);
        answer(res, 200, deviceToken === undefined || cookies ? {} : { device_token: deviceToken });
      },
    },
  ];
}
