import { personOf } from '../identify.js';
import { hand, signInMeta, wantsCookies } from './hand-over.js';
import { answer, type Route, type RouteDeps } from './route.js';

/** Second factors, where they are on. */
export function factorRoutes(deps: RouteDeps): readonly Route[] {
  const { factors, factorFlows: flows, metaOf, record } = deps;
  if (!factors) return [];
  return [
    {
      method: 'POST',
      path: '/sign-in/complete',
      async run({ req, res }) {
        const pair = await flows.completeSignIn(req.body as never, await signInMeta({ req, res }, deps));
        await record({ type: 'signed-in', userId: pair.userId }, req);
        hand(res, pair, wantsCookies(req, deps), deps);
      },
    },
    {
      method: 'POST',
      path: '/totp',
      async run({ req, res }) {
        answer(res, 200, await flows.startTotp(personOf(req), req.body as never, metaOf(req)));
      },
    },
    {
      method: 'POST',
      path: '/totp/confirm',
      async run({ req, res }) {
        const principal = personOf(req);
        const { recoveryCodes } = await flows.confirmTotp(principal, req.body as never);
        await record({ type: 'factors-changed', userId: principal.id }, req);
        answer(res, 200, { recovery_codes: recoveryCodes });
      },
    },
    {
      method: 'POST',
      path: '/totp/remove',
      async run({ req, res }) {
        const principal = personOf(req);
        await flows.removeTotp(principal, req.body as never, metaOf(req));
        await record({ type: 'factors-changed', userId: principal.id }, req);
        answer(res, 204);
      },
    },
    {
      method: 'POST',
      path: '/recovery-codes',
      async run({ req, res }) {
        const principal = personOf(req);
        const { recoveryCodes } = await flows.renewRecoveryCodes(principal, req.body as never, metaOf(req));
        await record({ type: 'factors-changed', userId: principal.id }, req);
        answer(res, 200, { recovery_codes: recoveryCodes });
      },
    },
  ];
}
