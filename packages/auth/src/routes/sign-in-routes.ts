import { isSecurityError } from '@portcullis/core';
import type { SignedIn, SignInInput } from '../flows/flows.js';
import { readTexts } from '../flows/input.js';
import { personOf } from '../identify.js';
import { boundMeta, hand, sessionMeta, signInMeta, wantsCookies } from './hand-over.js';
import { answer, type Route, type RouteDeps } from './route.js';

/** The life of the session that asks: begun, renewed, made stronger, ended. */
export function signInRoutes(deps: RouteDeps): readonly Route[] {
  const { flows, factorFlows, sessions, cookies, metaOf, record } = deps;
  return [
    {
      method: 'POST',
      path: '/sign-in',
      async run({ req, res }) {
        let pair: SignedIn;
        try {
          pair = await flows.signIn(req.body as SignInInput, await signInMeta({ req, res }, deps));
        } catch (error) {
          if (isSecurityError(error) && (error.status === 401 || error.status === 429)) {
            await record({ type: 'sign-in-refused', userId: undefined }, req);
          }
          throw error;
        }
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    },
    {
      method: 'POST',
      path: '/refresh',
      async run({ req, res }) {
        const brought = cookies?.read(req).refresh;
        if (brought === undefined) {
          const { refresh_token: token } = readTexts(req.body, { refresh_token: { max: 512 } });
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
    },
    {
      method: 'POST',
      path: '/sign-out',
      async run({ req, res }) {
        const body = (req.body ?? {}) as { refresh_token?: unknown; everywhere?: unknown };
        const refresh = cookies?.read(req).refresh ?? body.refresh_token;
        if (body.everywhere === true) await sessions.revokeAll(personOf(req).id, 'signed-out');
        else if (req.security?.principal.id !== undefined) await flows.signOut(req.security.principal);
        if (typeof refresh === 'string') await flows.signOut(refresh);
        const userId = req.security?.principal.id;
        if (userId !== undefined || typeof refresh === 'string')
          await record({ type: 'signed-out', userId }, req);
        cookies?.clear(res);
        answer(res, 204);
      },
    },
    {
      // A new session in the place of the old one.
      method: 'POST',
      path: '/step-up',
      async run({ req, res }) {
        const principal = personOf(req);
        const meta = await sessionMeta({ req, res }, deps);
        const pair = await factorFlows.stepUp(principal, req.body as never, meta);
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    },
  ];
}
