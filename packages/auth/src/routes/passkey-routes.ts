import { isSecurityError } from '@portcullis/core';
import { inputSchema, text } from '../flows/input.js';
import type { SignedIn } from '../flows/flows.js';
import { inputs } from '../flows/inputs.js';
import type { PasskeyCeremony } from '../passkeys/ceremony-book.js';
import type { PasskeyAccountFlows } from '../passkeys/passkey-accounts.js';
import * as answers from './answers.js';
import { hand, sessionMeta, signInMeta, wantsCookies, withDevice, withTransport } from './hand-over.js';
import { answer, openRoute, personRoute, type Exchange, type Route, type RouteDeps } from './route.js';

type Sender = Pick<Exchange, 'req' | 'res'>;

const { response } = inputs.passkeyStepUp.properties;
const { name } = inputs.renamePasskey.properties;
const token = text(128);
/** With cookies the ceremony is in one: what a body must have, the flow says. */
const bodies = {
  start: withTransport(inputSchema({})),
  startSignIn: withTransport(inputs.startPasskeySignIn),
  signIn: withDevice(inputSchema({ response }, { ceremony: token, challenge: token })),
  stepUp: withTransport(inputSchema({ response }, { ceremony: token })),
  add: withTransport(inputSchema({ response }, { ceremony: token, name })),
  startAccount: withTransport(inputs.startPasskeyAccount),
  account: withTransport(inputSchema({ token, response }, { ceremony: token, name })),
} as const;
const refused = ['E_PASSKEY_REFUSED', 'E_CHALLENGE_INVALID', 'E_SIGN_IN_LIMITED'] as const;

/** Passkeys, where they are on: signing in, stepping up, and what the account has of them. */
export function passkeyRoutes(deps: RouteDeps): readonly Route[] {
  const { passkeyFlows: flows, passkeyAccounts, factors, codeAfterPasskey, record } = deps;
  if (!flows) return [];
  const unreadable = factors ? (['E_FACTORS_UNREADABLE'] as const) : [];
  /** What changes passkeys is done by who has just shown that the account is theirs. */
  const own = ['E_STEP_UP_REQUIRED', ...unreadable] as const;
  return [
    ...(passkeyAccounts ? accountRoutes(passkeyAccounts, deps) : []),
    openRoute({
      method: 'POST',
      path: '/passkeys/sign-in/options',
      summary: 'Options for the browser, to sign in with a passkey',
      body: bodies.startSignIn,
      answers: { status: 200, schema: answers.ceremony },
      refusals: ['E_CHALLENGE_INVALID'],
      async run({ req, res, body }) {
        offer({ req, res }, await flows.startPasskeySignIn(body), deps);
      },
    }),
    openRoute({
      method: 'POST',
      path: '/passkeys/sign-in',
      summary: 'Begin a session with a passkey',
      body: bodies.signIn,
      answers: { status: 200, schema: answers.sessionAnswer(deps) },
      refusals: [
        ...refused,
        ...(codeAfterPasskey ? ([...unreadable, 'E_SECOND_FACTOR_REQUIRED'] as const) : []),
      ],
      begins: true,
      async run({ req, res, body }) {
        let pair: SignedIn;
        try {
          const meta = await signInMeta({ req, res, body }, deps);
          pair = await flows.completePasskeySignIn(broughtBack({ req, res }, body, deps) as never, meta);
        } catch (error) {
          if (isSecurityError(error) && (error.status === 401 || error.status === 429))
            await record({ type: 'sign-in-refused', userId: undefined }, req);
          throw error;
        }
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    }),
    personRoute({
      method: 'POST',
      path: '/passkeys/step-up/options',
      summary: 'Options for the browser, to show a passkey again',
      body: bodies.start,
      answers: { status: 200, schema: answers.ceremony },
      refusals: ['E_PASSKEY_NOT_FOUND'],
      async run({ req, res, person }) {
        offer({ req, res }, await flows.startPasskeyStepUp(person), deps);
      },
    }),
    personRoute({
      method: 'POST',
      path: '/passkeys/step-up',
      summary: 'A stronger session in the place of this one, by a passkey',
      body: bodies.stepUp,
      answers: { status: 200, schema: answers.sessionAnswer(deps) },
      refusals: refused,
      begins: true,
      async run({ req, res, body, person }) {
        const meta = await sessionMeta({ req, res }, deps);
        const brought = broughtBack({ req, res }, body, deps) as never;
        const pair = await flows.stepUpWithPasskey(person, brought, meta);
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    }),
    personRoute({
      method: 'GET',
      path: '/passkeys',
      summary: 'Your passkeys',
      answers: { status: 200, schema: answers.passkeys },
      asks: 'users',
      async run({ res, person }) {
        answer(res, 200, { passkeys: await flows.listPasskeys(person) });
      },
    }),
    personRoute({
      method: 'POST',
      path: '/passkeys/options',
      summary: 'Options for the browser, to make a passkey',
      body: bodies.start,
      answers: { status: 200, schema: answers.ceremony },
      refusals: [...own, 'E_PASSKEY_LIMIT'],
      async run({ req, res, person }) {
        offer({ req, res }, await flows.startPasskeyRegistration(person), deps);
      },
    }),
    personRoute({
      method: 'POST',
      path: '/passkeys',
      summary: 'Add a passkey; ends your other sessions',
      body: bodies.add,
      answers: { status: 201, schema: answers.passkey },
      refusals: ['E_CHALLENGE_INVALID', 'E_PASSKEY_INVALID', 'E_PASSKEY_LIMIT'],
      async run({ req, res, body, person }) {
        const passkey = await flows.addPasskey(person, broughtBack({ req, res }, body, deps) as never);
        await record({ type: 'factors-changed', userId: person.id }, req);
        answer(res, 201, passkey);
      },
    }),
    personRoute({
      method: 'PATCH',
      path: '/passkeys/:id',
      summary: 'Rename a passkey',
      body: inputs.renamePasskey,
      answers: { status: 204 },
      asks: 'users',
      refusals: [...own, 'E_PASSKEY_NOT_FOUND'],
      async run({ res, id, body, person }) {
        await flows.renamePasskey(person, id, body);
        answer(res, 204);
      },
    }),
    personRoute({
      method: 'DELETE',
      path: '/passkeys/:id',
      summary: 'Remove a passkey; ends your other sessions',
      answers: { status: 204 },
      asks: 'users',
      refusals: [...own, 'E_PASSKEY_NOT_FOUND', 'E_LAST_SIGN_IN'],
      async run({ req, res, id, person }) {
        await flows.removePasskey(person, id);
        await record({ type: 'factors-changed', userId: person.id }, req);
        answer(res, 204);
      },
    }),
  ];
}

/** A registration by mail that ends with a passkey instead of a password. */
function accountRoutes(flows: PasskeyAccountFlows, deps: RouteDeps): readonly Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/register/passkey/options',
      summary: 'Options for the browser, to make the passkey of a new account, by the link of the message',
      body: bodies.startAccount,
      answers: { status: 200, schema: answers.ceremony },
      refusals: ['E_LINK_INVALID', 'E_ACCOUNT_EXISTS'],
      async run({ req, res, body }) {
        offer({ req, res }, await flows.startPasskeyAccount(body), deps);
      },
    }),
    openRoute({
      method: 'POST',
      path: '/register/passkey',
      summary: 'Finish a registration with a passkey',
      body: bodies.account,
      answers: { status: 201, schema: answers.account },
      refusals: ['E_LINK_INVALID', 'E_ACCOUNT_EXISTS', 'E_CHALLENGE_INVALID', 'E_PASSKEY_INVALID'],
      async run({ req, res, body }) {
        const brought = broughtBack({ req, res }, body, deps) as never;
        const { userId } = await flows.completePasskeyAccount(brought, deps.metaOf(req));
        await deps.record({ type: 'registered', userId }, req);
        answer(res, 201, { userId });
      },
    }),
  ];
}

/** The options, and what binds the response to who asked: in a cookie, or beside them for those that have none. */
function offer({ req, res }: Sender, { ceremony, options, expiresAt }: PasskeyCeremony, deps: RouteDeps) {
  const ttlMs = Math.max(0, expiresAt - deps.now());
  const facts = { options, expires_in: Math.floor(ttlMs / 1000) };
  if (!deps.ceremonies || !wantsCookies(req, deps)) return answer(res, 200, { ceremony, ...facts });
  deps.ceremonies.write(res, ceremony, ttlMs);
  answer(res, 200, facts);
}

function broughtBack({ req, res }: Sender, body: object, deps: RouteDeps): object {
  if (!deps.ceremonies || !wantsCookies(req, deps)) return body;
  // Used up whatever comes of it. Another browser has no such cookie, and a body cannot stand in for it.
  const ceremony = deps.ceremonies.read(req) ?? 'none';
  deps.ceremonies.clear(res);
  return { ...body, ceremony };
}
