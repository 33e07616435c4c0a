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
  });
}
