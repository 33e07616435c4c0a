import { openApi, type OpenApiDocument } from '@portcullis/validation/openapi';
import { apiRoutes } from './api-routes.js';

/** OpenAPI 3.1 of the JSON API, read from the routes of the whole application: to be called when all are mounted. */
export function openApiDocument(app: unknown): OpenApiDocument {
  return openApi(app, {
    info: {
      title: 'Digital Library',
      version: '1.0.0',
      description: 'Sign in at POST /api/auth/sign-in for a bearer token.',
    },
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    include: ({ path }) => path.startsWith('/api/'),
    operations: Object.fromEntries(
      apiRoutes.map(({ method, path, summary, success, refusals }) => [
        `${method.toUpperCase()} /api${path}`,
        { summary, responses: { [success]: 'Done', ...refusals } },
      ]),
    ),
    paths: accountPaths(),
  });
}

/** The account router answers in one middleware, which shows no routes. */
function accountPaths(): Record<string, Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of accountRoutes) {
    const path = `/api/auth${route.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    (paths[path] ??= {})[route.method] = accountOperation(route);
  }
  return paths;
}

interface AccountRoute {
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly own?: boolean;
  readonly success: 200 | 201 | 204;
  /** Texts of the body; those that may be left out end with `?`. */
  readonly texts?: readonly string[];
}

/** The router of `@portcullis/auth`, in its own words. */
const accountRoutes: readonly AccountRoute[] = [
  {
    method: 'post',
    path: '/register',
    summary: 'Add an account',
    success: 201,
    texts: ['login', 'password', 'name?'],
  },
  {
    method: 'post',
    path: '/sign-in',
    summary: 'Begin a session: tokens with "transport": "bearer", else cookies',
    success: 200,
    texts: ['login', 'password', 'transport?'],
  },
  {
    method: 'post',
    path: '/refresh',
    summary: 'New tokens for a refresh token',
    success: 200,
    texts: ['refresh_token?'],
  },
  { method: 'post', path: '/sign-out', summary: 'End the session', success: 204 },
  { method: 'get', path: '/jwks.json', summary: 'Keys that verify access tokens', success: 200 },
  {
    method: 'post',
    path: '/password',
    summary: 'Change the password; ends all other sessions',
    own: true,
    success: 204,
    texts: ['currentPassword', 'newPassword'],
  },
  { method: 'get', path: '/sessions', summary: 'Your sessions', own: true, success: 200 },
  { method: 'delete', path: '/sessions', summary: 'End all other sessions', own: true, success: 200 },
  { method: 'delete', path: '/sessions/:id', summary: 'End one session', own: true, success: 204 },
];

function accountOperation({ path, summary, own, success, texts }: AccountRoute): object {
  const names = (texts ?? []).map((text) => text.replace('?', ''));
  const schema = {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    required: (texts ?? []).filter((text) => !text.endsWith('?')),
  };
  const refused = ['400', '401', '403', '404', '409', '429', '503'];
  return {
    summary,
    ...(own ? { security: [{ bearer: [] }] } : {}),
    parameters: path.includes(':id')
      ? [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }]
      : [],
    ...(texts ? { requestBody: { required: true, content: { 'application/json': { schema } } } } : {}),
    responses: {
      [success]: { description: 'Done', ...(success === 204 ? {} : { content: { 'application/json': {} } }) },
      ...Object.fromEntries(refused.map((status) => [status, problem])),
    },
  };
}

const problem = {
  description: 'Refused',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};
