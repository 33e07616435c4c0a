import type { SecurityRequest } from '@portcullis/core';
import type { ApiKeyInfo, NewApiKey } from '../api-keys/api-keys.js';
import { errors } from '../error-codes.js';
import { inputFault } from '../flows/input.js';
import { personOf } from '../identify.js';
import { answer, type Route, type RouteDeps } from './route.js';

/** Keys for programs, where they are on. */
export function apiKeyRoutes({ apiKeys, record }: RouteDeps): readonly Route[] {
  if (!apiKeys) return [];
  return [
    {
      method: 'GET',
      path: '/keys',
      async run({ req, res }) {
        const keys = await apiKeys.list(personOf(req).id);
        answer(res, 200, { keys: keys.map(shown) });
      },
    },
    {
      method: 'POST',
      path: '/keys',
      async run({ req, res }) {
        const { id } = personOf(req);
        const { name, scopes, expires_in: expiresIn } = bodyOf(req);
        const wanted = { name, scopes, ...(expiresIn === undefined ? {} : { expiresIn }) } as NewApiKey;
        const { key, info } = await apiKeys.create(id, wanted);
        await record({ type: 'api-key-created', userId: id }, req);
        answer(res, 201, { key, ...shown(info) });
      },
    },
    {
      method: 'DELETE',
      path: '/keys/:id',
      async run({ req, res, id }) {
        const principal = personOf(req);
        if (!(await apiKeys.revoke(principal.id, id))) throw errors.E_API_KEY_NOT_FOUND();
        await record({ type: 'api-key-revoked', userId: principal.id }, req);
        answer(res, 204);
      },
    },
  ];
}

function shown({ ownerId: _own, ...info }: ApiKeyInfo): object {
  return info;
}

/** The members of a JSON object, whatever they are. */
function bodyOf(req: SecurityRequest): Readonly<Record<string, unknown>> {
  const body: unknown = req.body;
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw inputFault({ pointer: '', keyword: 'type', message: 'must be a JSON object' });
}
