import type { Duration } from '@portcullis/core';
import type { ApiKeyInfo } from '../api-keys/api-keys.js';
import { errors } from '../error-codes.js';
import { inputSchema, text } from '../flows/input.js';
import * as answers from './answers.js';
import { answer, personRoute, type Route, type RouteDeps } from './route.js';

const newKey = inputSchema(
  {
    name: text(100),
    scopes: {
      type: 'array',
      items: { type: 'string', maxLength: 64 },
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
    },
  },
  { expires_in: { type: ['string', 'integer'], description: 'A duration such as 30d, or milliseconds' } },
);

/** Keys for programs, where they are on. */
export function apiKeyRoutes({ apiKeys, record }: RouteDeps): readonly Route[] {
  if (!apiKeys) return [];
  return [
    personRoute({
      method: 'GET',
      path: '/keys',
      summary: 'Your API keys',
      answers: { status: 200, schema: answers.apiKeys },
      async run({ res, person }) {
        const keys = await apiKeys.list(person.id);
        answer(res, 200, { keys: keys.map(shown) });
      },
    }),
    personRoute({
      method: 'POST',
      path: '/keys',
      summary: 'Make an API key',
      body: newKey,
      answers: { status: 201, schema: answers.apiKey },
      refusals: ['E_API_KEY_LIMIT'],
      async run({ req, res, body, person }) {
        const { expires_in: expiresIn, ...wanted } = body;
        const lifetime = expiresIn === undefined ? {} : { expiresIn: expiresIn as Duration };
        const { key, info } = await apiKeys.create(person.id, { ...wanted, ...lifetime });
        await record({ type: 'api-key-created', userId: person.id }, req);
        answer(res, 201, { key, ...shown(info) });
      },
    }),
    personRoute({
      method: 'DELETE',
      path: '/keys/:id',
      summary: 'End an API key',
      answers: { status: 204 },
      refusals: ['E_API_KEY_NOT_FOUND'],
      async run({ req, res, id, person }) {
        if (!(await apiKeys.revoke(person.id, id))) throw errors.E_API_KEY_NOT_FOUND();
        await record({ type: 'api-key-revoked', userId: person.id }, req);
        answer(res, 204);
      },
    }),
  ];
}

function shown({ ownerId: _own, ...info }: ApiKeyInfo): object {
  return info;
}
