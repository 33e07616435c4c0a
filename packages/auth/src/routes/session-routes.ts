import { errors } from '../error-codes.js';
import { personOf } from '../identify.js';
import { answer, type Route, type RouteDeps } from './route.js';

/** The sessions of an account, where the server knows them. */
export function sessionRoutes({ sessions, cookies, record }: RouteDeps): readonly Route[] {
  if (sessions.stateless) return [];
  return [
    {
      method: 'GET',
      path: '/sessions',
      async run({ req, res }) {
        const { id, sessionId } = personOf(req);
        const all = await sessions.list(id);
        const shown = all.map(({ userId: _own, binding, ...session }) => ({
          bound: binding !== undefined,
          ...session,
          current: session.id === sessionId,
        }));
        answer(res, 200, { sessions: shown });
      },
    },
    {
      // All but the one that asks.
      method: 'DELETE',
      path: '/sessions',
      async run({ req, res }) {
        const { id, sessionId } = personOf(req);
        const ended = await sessions.revokeOthers(id, sessionId ?? '');
        await record({ type: 'sessions-ended', userId: id }, req);
        answer(res, 200, { ended });
      },
    },
    {
      method: 'DELETE',
      path: '/sessions/:id',
      async run({ req, res, id }) {
        const principal = personOf(req);
        if (!(await sessions.revoke(principal.id, id))) throw errors.E_SESSION_NOT_FOUND();
        await record({ type: 'sessions-ended', userId: principal.id }, req);
        if (id === principal.sessionId) cookies?.clear(res);
        answer(res, 204);
      },
    },
  ];
}
