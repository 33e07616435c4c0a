import { isSecurityError } from '@portcullis/core';
import type { SignedIn } from '../flows/flows.js';
import { inputFault, inputSchema, text } from '../flows/input.js';
import { inputs } from '../flows/inputs.js';
import { personOf } from '../identify.js';
import { MAX_TOKEN_LENGTH } from '../tokens/parse.js';
import { sessionAnswer } from './answers.js';
import {
  boundMeta,
  hand,
  sessionMeta,
  signInMeta,
  wantsCookies,
  withDevice,
  withTransport,
} from './hand-over.js';
import { answer, openRoute, personRoute, type Route, type RouteDeps } from './route.js';

/** Without sessions on the server it is a JWT. */
const refreshToken = { refresh_token: text(MAX_TOKEN_LENGTH) };

/** The life of the session that asks: begun, renewed, made stronger, ended. */
export function signInRoutes(deps: RouteDeps): readonly Route[] {
  const { flows, factorFlows, factors, secondSteps, sessions, cookies, metaOf, record } = deps;
  const session = { status: 200, schema: sessionAnswer(deps) };
  return [
    openRoute({
      method: 'POST',
      path: '/sign-in',
      summary: 'Begin a session',
      body: withDevice(inputs.signIn),
      answers: session,
      refusals: [
        'E_SIGN_IN_FAILED',
        'E_SIGN_IN_LIMITED',
        'E_PASSWORD_BUSY',
        ...(secondSteps ? (['E_SECOND_FACTOR_REQUIRED'] as const) : []),
        ...(factors ? (['E_FACTORS_UNREADABLE'] as const) : []),
      ],
      begins: true,
      async run({ req, res, body }) {
        let pair: SignedIn;
        try {
          pair = await flows.signIn(body, await signInMeta({ req, res, body }, deps));
        } catch (error) {
          if (isSecurityError(error) && (error.status === 401 || error.status === 429)) {
            await record({ type: 'sign-in-refused', userId: undefined }, req);
          }
          throw error;
        }
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    }),
    openRoute({
      method: 'POST',
      path: '/refresh',
      summary: 'New tokens for a refresh token',
      body: cookies ? inputSchema({}, refreshToken) : inputSchema(refreshToken),
      answers: session,
      asks: 'users',
      refusals: ['E_SESSION_ENDED', ...(sessions.stateless ? [] : (['E_TOKEN_REUSED'] as const))],
      begins: true,
      async run({ req, res, body }) {
        const brought = cookies?.read(req).refresh;
        if (brought === undefined) {
          const { refresh_token: token } = body;
          if (token === undefined)
            throw inputFault({ pointer: '/refresh_token', keyword: 'required', message: 'is required' });
          hand(res, await flows.refresh(token, await boundMeta({ req, res }, deps)), false, deps);
          return;
        }
        try {
          hand(res, await flows.refresh(brought, metaOf(req)), true, deps);
        } catch (error) {
          if (isSecurityError(error) && error.status === 401) cookies!.clear(res);
          throw error;
        }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/sign-out',
      summary: 'End this session, or all of the account',
      body: inputSchema({}, { ...refreshToken, everywhere: { type: 'boolean' } }),
      answers: { status: 204 },
      asks: 'nothing',
      refusals: ['E_AUTHENTICATION_REQUIRED', 'E_NOT_IN_PERSON'],
      async run({ req, res, body }) {
        const refresh = cookies?.read(req).refresh ?? body.refresh_token;
        if (body.everywhere) await sessions.revokeAll(personOf(req).id, 'signed-out');
        else if (req.security?.principal.id !== undefined) await flows.signOut(req.security.principal);
        if (refresh !== undefined) await flows.signOut(refresh);
        const userId = req.security?.principal.id;
        if (userId !== undefined || refresh !== undefined) await record({ type: 'signed-out', userId }, req);
        cookies?.clear(res);
        answer(res, 204);
      },
    }),
    personRoute({
      method: 'POST',
      path: '/step-up',
      summary: 'Show again who you are: a new session in the place of this one',
      body: withTransport(inputs.confirmation),
      answers: session,
      refusals: [
        'E_PASSWORD_WRONG',
        'E_SIGN_IN_LIMITED',
        'E_PASSWORD_BUSY',
        ...(factors ? (['E_FACTOR_WRONG', 'E_FACTORS_UNREADABLE'] as const) : []),
      ],
      begins: true,
      async run({ req, res, body, person }) {
        const pair = await factorFlows.stepUp(person, body, await sessionMeta({ req, res }, deps));
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    }),
  ];
}
