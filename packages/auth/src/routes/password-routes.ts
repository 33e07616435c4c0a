import { inputs } from '../flows/inputs.js';
import { account } from './answers.js';
import { answer, openRoute, personRoute, type Route, type RouteDeps } from './route.js';

/** What a new password may be refused with. */
export const newPassword = ['E_PASSWORD_POLICY', 'E_PASSWORD_BUSY', 'E_PASSWORD_UNCHECKED'] as const;

/** Accounts and their passwords, without a mailbox. */
export function passwordRoutes({ flows, registration, metaOf, record }: RouteDeps): readonly Route[] {
  const register = openRoute({
    method: 'POST',
    path: '/register',
    summary: 'Add an account',
    body: inputs.register,
    answers: { status: 201, schema: account },
    refusals: [...newPassword, 'E_ACCOUNT_EXISTS'],
    async run({ req, res, body }) {
      const { userId } = await flows.register(body, metaOf(req));
      await record({ type: 'registered', userId }, req);
      answer(res, 201, { userId });
    },
  });
  return [
    ...(registration === 'open' ? [register] : []),
    personRoute({
      method: 'POST',
      path: '/password',
      summary: 'Change your password; ends your other sessions',
      body: inputs.changePassword,
      answers: { status: 204 },
      refusals: [...newPassword, 'E_PASSWORD_WRONG', 'E_SIGN_IN_LIMITED'],
      async run({ req, res, body, person }) {
        await flows.changePassword(person, body, metaOf(req));
        await record({ type: 'password-changed', userId: person.id }, req);
        answer(res, 204);
      },
    }),
  ];
}
