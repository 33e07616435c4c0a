import { inputs } from '../flows/inputs.js';
import { recoveryCodes, sessionAnswer, totpStart } from './answers.js';
import { hand, signInMeta, wantsCookies, withDevice } from './hand-over.js';
import { answer, openRoute, personRoute, type Route, type RouteDeps } from './route.js';

const wrongCode = ['E_FACTOR_WRONG', 'E_FACTORS_UNREADABLE'] as const;
const wrong = [...wrongCode, 'E_PASSWORD_WRONG', 'E_SIGN_IN_LIMITED', 'E_PASSWORD_BUSY'] as const;
/** Another request may have changed the factors meanwhile. */
const changes = [...wrong, 'E_LINK_INVALID'] as const;

/** Second factors, where they are on. */
export function factorRoutes(deps: RouteDeps): readonly Route[] {
  const { factors, factorFlows: flows, passkeyFlows, metaOf, record } = deps;
  if (!factors) return [];
  return [
    openRoute({
      method: 'POST',
      path: '/sign-in/complete',
      summary: 'The second step of a sign-in',
      body: withDevice(inputs.completeSignIn),
      answers: { status: 200, schema: sessionAnswer(deps) },
      refusals: [...wrongCode, 'E_CHALLENGE_INVALID', 'E_SIGN_IN_LIMITED'],
      begins: true,
      async run({ req, res, body }) {
        const pair = await flows.completeSignIn(body, await signInMeta({ req, res, body }, deps));
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    }),
    personRoute({
      method: 'POST',
      path: '/totp',
      summary: 'A secret for an authenticator app',
      body: inputs.confirmation,
      answers: { status: 200, schema: totpStart },
      // Beside a passkey a password is not enough.
      refusals: passkeyFlows ? [...wrong, 'E_STEP_UP_REQUIRED'] : wrong,
      async run({ req, res, body, person }) {
        answer(res, 200, await flows.startTotp(person, body, metaOf(req)));
      },
    }),
    personRoute({
      method: 'POST',
      path: '/totp/confirm',
      summary: 'Turn the authenticator app on; ends your other sessions',
      body: inputs.confirmTotp,
      answers: { status: 200, schema: recoveryCodes },
      refusals: [...wrongCode, 'E_LINK_INVALID'],
      async run({ req, res, body, person }) {
        const { recoveryCodes: codes } = await flows.confirmTotp(person, body);
        await record({ type: 'factors-changed', userId: person.id }, req);
        answer(res, 200, { recovery_codes: codes });
      },
    }),
    personRoute({
      method: 'POST',
      path: '/totp/remove',
      summary: 'Turn second factors off; ends your other sessions',
      body: inputs.confirmation,
      answers: { status: 204 },
      refusals: changes,
      async run({ req, res, body, person }) {
        await flows.removeTotp(person, body, metaOf(req));
        await record({ type: 'factors-changed', userId: person.id }, req);
        answer(res, 204);
      },
    }),
    personRoute({
      method: 'POST',
      path: '/recovery-codes',
      summary: 'New recovery codes; the old ones end',
      body: inputs.confirmation,
      answers: { status: 200, schema: recoveryCodes },
      refusals: changes,
      async run({ req, res, body, person }) {
        const { recoveryCodes: codes } = await flows.renewRecoveryCodes(person, body, metaOf(req));
        await record({ type: 'factors-changed', userId: person.id }, req);
        answer(res, 200, { recovery_codes: codes });
      },
    }),
  ];
}
