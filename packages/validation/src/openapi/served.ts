import type { ServedRoute } from '@portcullis/core';
import type { Schema } from '../schema.js';
import type { Tools } from './operation.js';
import { pascal, type Shelf } from './shelf.js';

/** The body of a route that a router of ours serves, in its own words. */
export function servedBody({ body }: ServedRoute, id: string, shelf: Shelf): object | undefined {
  if (body === undefined) return undefined;
  const schema = shelf.put(body as Schema, `${id}Body`);
  const { required = [] } = body as { readonly required?: readonly string[] };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

/** Its answer, and its refusals with the codes that they carry. */
export function servedResponses(
  { answers: { status, schema, type = 'application/json' }, refusals: codes }: ServedRoute,
  own: Readonly<Record<number, string>>,
  id: string,
  { shelf, refusals }: Pick<Tools, 'shelf' | 'refusals'>,
): Record<string, object> {
  const content = schema && {
    [type]: { schema: shelf.put(schema as Schema, `${id}${pascal(String(status))}`) },
  };
  return {
    [status]: { description: own[status] ?? 'Done', ...(content ? { content } : {}) },
    ...Object.fromEntries(
      Object.entries(codes).map(([refused, list]) => [
        refused,
        refusals.response(Number(refused), own[Number(refused)] ?? list.join(', ')),
      ]),
    ),
  };
}
