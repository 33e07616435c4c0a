import { withAll, type InputSchema } from '../flows/input.js';
import { inputs } from '../flows/inputs.js';
import { account } from './answers.js';
import { answer, openRoute, personRoute, type RefusalCode, type Route, type RouteDeps } from './route.js';

/** What a new password may be refused with. */
export const newPassword = ['E_PASSWORD_POLICY', 'E_PASSWORD_BUSY', 'E_PASSWORD_UNCHECKED'] as const;

/** Where accounts may have no password, it may be left out: their owners have just shown a passkey. */
export function ownerBody<S extends InputSchema>(schema: S, { passkeyFlows }: RouteDeps): S {
  return passkeyFlows ? schema : (withAll(schema) as S);
}

/** What a route is refused with that asks for the password, or a passkey that was just shown. */
export function ownerRefusals({ passkeyFlows, factors }: RouteDeps): readonly RefusalCode[] {
  return [
    'E_PASSWORD_WRONG',
    'E_SIGN_IN_LIMITED',
    'E_PASSWORD_BUSY',
    ...(passkeyFlows ? (['E_STEP_UP_REQUIRED'] as const) : []),
    ...(passkeyFlows && factors ? (['E_FACTORS_UNREADABLE'] as const) : []),
  ];
}

/** Accounts and their passwords, without a mailbox. */
export function passwordRoutes(deps: RouteDeps): readonly Route[] {
  const { flows, registration, metaOf, record } = deps;
  const register = openRoute({
    method: 'POST',
    path: '/register',
    summary: 'Add an account',
    body: inputs.register,
    answers: { status: 201, schema: account },
    asks: 'users',
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
      body: ownerBody(inputs.changePassword, deps),
      answers: { status: 204 },
      refusals: [...newPassword, ...ownerRefusals(deps)],
      async run({ req, res, body, person }) {
        await flows.changePassword(person, body, metaOf(req));
        await record({ type: 'password-changed', userId: person.id }, req);
        answer(res, 204);
      },
    }),
  ];
}
