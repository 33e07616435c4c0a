import { inputs } from '../flows/inputs.js';
import type { MailFlows } from '../flows/mail-flows.js';
import { account, reset } from './answers.js';
import { newPassword, ownerBody, ownerRefusals } from './password-routes.js';
import { answer, openRoute, personRoute, type Route, type RouteDeps } from './route.js';

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
    openRoute({
      method: 'POST',
      path: '/register',
      summary: 'Begin a registration: a message goes to the mailbox',
      body: inputs.mailbox,
      answers: { status: 202 },
      // Who it is, is looked up after the answer.
      asks: 'stores',
      refusals: ['E_NOTIFICATIONS_BUSY'],
      async run({ res, body }) {
        await flows.startRegistration(body);
        answer(res, 202);
      },
    }),
    openRoute({
      method: 'POST',
      path: '/register/complete',
      summary: 'Choose a password, by the link of the message',
      body: inputs.completeRegistration,
      answers: { status: 201, schema: account },
      refusals: [...newPassword, 'E_LINK_INVALID', 'E_ACCOUNT_EXISTS'],
      async run({ req, res, body }) {
        const { userId } = await flows.completeRegistration(body, metaOf(req));
        await record({ type: 'registered', userId }, req);
        answer(res, 201, { userId });
      },
    }),
  ];
}

function loginChanges(flows: MailFlows, deps: RouteDeps): readonly Route[] {
  const { cookies, metaOf, record } = deps;
  return [
    personRoute({
      method: 'POST',
      path: '/login',
      summary: 'Ask for another e-mail address: a message goes to it',
      body: ownerBody(inputs.changeLogin, deps),
      answers: { status: 202 },
      refusals: [...ownerRefusals(deps), 'E_NOTIFICATIONS_BUSY'],
      async run({ req, res, body, person }) {
        await flows.startLoginChange(person, body, metaOf(req));
        answer(res, 202);
      },
    }),
    openRoute({
      method: 'POST',
      path: '/login/complete',
      summary: 'Confirm another e-mail address, by the link of the message; ends all sessions',
      body: inputs.completeLoginChange,
      answers: { status: 204 },
      refusals: ['E_LINK_INVALID'],
      async run({ req, res, body }) {
        const { userId } = await flows.completeLoginChange(body);
        await record({ type: 'login-changed', userId }, req);
        cookies?.clear(res);
        answer(res, 204);
      },
    }),
  ];
}

function resets(flows: MailFlows, { cookies, metaOf, record }: RouteDeps): readonly Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/reset',
      summary: 'Begin a reset of the password: a message goes to the mailbox',
      body: inputs.mailbox,
      answers: { status: 202 },
      // Who it is, is looked up after the answer.
      asks: 'stores',
      refusals: ['E_NOTIFICATIONS_BUSY'],
      async run({ res, body }) {
        await flows.startReset(body);
        answer(res, 202);
      },
    }),
    openRoute({
      method: 'POST',
      path: '/reset/complete',
      summary: 'Choose a new password, by the link of the message; ends all sessions',
      body: inputs.completeReset,
      answers: { status: 200, schema: reset },
      refusals: [...newPassword, 'E_LINK_INVALID'],
      async run({ req, res, body }) {
        const { userId, deviceToken } = await flows.completeReset(body, metaOf(req));
        await record({ type: 'password-reset', userId }, req);
        cookies?.clear(res);
        if (deviceToken !== undefined && cookies) cookies.remember(res, deviceToken);
        answer(res, 200, deviceToken === undefined || cookies ? {} : { device_token: deviceToken });
      },
    }),
  ];
}
