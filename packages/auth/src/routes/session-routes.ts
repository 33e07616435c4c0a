import { errors } from '../error-codes.js';
import * as answers from './answers.js';
import { answer, personRoute, type Route, type RouteDeps } from './route.js';

/** The sessions of an account, where the server knows them. */
export function sessionRoutes({ sessions, cookies, record }: RouteDeps): readonly Route[] {
  if (sessions.stateless) return [];
  return [
    personRoute({
      method: 'GET',
      path: '/sessions',
      summary: 'Your sessions',
      answers: { status: 200, schema: answers.sessions },
      asks: 'stores',
      async run({ res, person }) {
        const all = await sessions.list(person.id);
        const shown = all.map(({ userId: _own, binding, ...session }) => ({
          bound: binding !== undefined,
          ...session,
          current: session.id === person.sessionId,
        }));
        answer(res, 200, { sessions: shown });
      },
    }),
    personRoute({
      method: 'DELETE',
      path: '/sessions',
      summary: 'End all of your sessions but this one',
      answers: { status: 200, schema: answers.ended },
      asks: 'stores',
      async run({ req, res, person }) {
        const ended = await sessions.revokeOthers(person.id, person.sessionId ?? '');
        await record({ type: 'sessions-ended', userId: person.id }, req);
        answer(res, 200, { ended });
      },
    }),
    personRoute({
      method: 'DELETE',
      path: '/sessions/:id',
      summary: 'End one of your sessions',
      answers: { status: 204 },
      asks: 'stores',
      refusals: ['E_SESSION_NOT_FOUND'],
      async run({ req, res, id, person }) {
        if (!(await sessions.revoke(person.id, id))) throw errors.E_SESSION_NOT_FOUND();
        await record({ type: 'sessions-ended', userId: person.id }, req);
        if (id === person.sessionId) cookies?.clear(res);
        answer(res, 204);
      },
    }),
  ];
}
