import { apiRoutes, type ApiRoute } from './api-routes.js';

/** OpenAPI 3.1 of the JSON API, from the same rows that make the routes. */
export function openApiDocument(server: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of apiRoutes) {
    const path = `/api${route.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    (paths[path] ??= {})[route.method] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Digital Library',
      version: '1.0.0',
      description: 'Sign in at POST /api/auth/sign-in for a bearer token.',
    },
    servers: [{ url: server }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: {
        Problem: {
          type: 'object',
          description: 'RFC 9457',
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
            code: { type: 'string' },
          },
          required: ['type', 'title', 'status'],
        },
      },
    },
  };
}

function operation({ summary, permission, input, success }: ApiRoute): object {
  const { body, params, query } = (input ?? {}) as Record<
    string,
    { properties?: object; required?: readonly string[] } | undefined
  >;
  const refused = ['400', ...(permission === undefined ? [] : ['401', '403']), '404', '409', '429', '503'];
  return {
    summary,
    ...(permission === undefined ? {} : { security: [{ bearer: [] }], 'x-permission': permission }),
    parameters: [...parameters('path', params), ...parameters('query', query)],
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    responses: {
      [success]: { description: 'Done', content: { 'application/json': {} } },
      ...Object.fromEntries(refused.map((status) => [status, problem])),
    },
  };
}

const problem = {
  description: 'Refused',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

function parameters(
  place: 'path' | 'query',
  schema: { properties?: object; required?: readonly string[] } | undefined,
): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, own]) => ({
    name,
    in: place,
    required: place === 'path' || (schema?.required ?? []).includes(name),
    schema: own as object,
  }));
}
