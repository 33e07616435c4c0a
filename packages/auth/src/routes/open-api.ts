import {
  coreErrors,
  inputProblemSchema,
  problemSchema,
  retryAfterHeader,
  type ServedRoute,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { RouteDeps } from './route.js';

type Facts = Pick<RouteDeps, 'bearer' | 'cookieName' | 'dpop' | 'mutualTls'>;

/** The routes as an OpenAPI 3.1 document, but for the server, which is where the router is mounted. */
export function openApiOf(routes: readonly ServedRoute[], facts: Facts): object {
  const schemes = schemesOf(facts);
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const template = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[template] ??= {})[route.method.toLowerCase()] = operationOf(route, Object.keys(schemes));
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sign-in, sessions and accounts', version: '1' },
    paths,
    components: { schemas: { Problem: PROBLEM }, securitySchemes: schemes },
  };
}

function schemesOf({ bearer, cookieName, dpop, mutualTls }: Facts): Record<string, object> {
  return {
    ...(bearer ? { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } : {}),
    ...(cookieName === undefined ? {} : { cookie: { type: 'apiKey', in: 'cookie', name: cookieName } }),
    ...(dpop ? { dpop: { type: 'http', scheme: 'DPoP', description: 'RFC 9449' } } : {}),
    ...(mutualTls ? { mutualTls: { type: 'mutualTLS', description: 'RFC 8705' } } : {}),
  };
}

function operationOf(route: ServedRoute, schemes: readonly string[]): object {
  const { method, path, summary, guard, body, headers, answers, refusals } = route;
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...headers.map(({ name, required }) => ({ name, in: 'header', required, schema: { type: 'string' } })),
  ];
  return {
    operationId: idOf(method, path),
    summary,
    security: guard.kind === 'public' ? [] : schemes.map((name) => ({ [name]: [] })),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: bodyOf(body) } : {}),
    responses: {
      [answers.status]: answerOf(answers),
      ...Object.fromEntries(
        Object.entries(refusals).map(([status, codes]) => [status, refusalOf(Number(status), codes)]),
      ),
    },
  };
}

/** `POST /sign-in/complete` is `postSignInComplete`. */
function idOf(method: string, path: string): string {
  const words = path.replace(':', 'by-').split(/[^a-z0-9]+/i);
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function bodyOf(schema: object): object {
  const required = ((schema as { required?: readonly string[] }).required ?? []).length > 0;
  return { required, content: { 'application/json': { schema } } };
}

function answerOf({ schema, type = 'application/json' }: ServedRoute['answers']): object {
  return { description: 'Done', ...(schema ? { content: { [type]: { schema } } } : {}) };
}

function refusalOf(status: number, codes: readonly string[]): object {
  const titles = codes.map((code) => ROWS[code]!.title);
  return {
    description: [...new Set(titles)].join('; '),
    ...(status === 429 || status === 503 ? { headers: { 'Retry-After': retryAfterHeader } } : {}),
    ...(status === 401 ? { headers: { 'WWW-Authenticate': { schema: { type: 'string' } } } } : {}),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [{ $ref: '#/components/schemas/Problem' }],
          type: 'object',
          properties: { status: { const: status }, code: { enum: codes } },
        },
      },
    },
  };
}

const ROWS: Readonly<Record<string, { readonly title: string }>> = { ...coreErrors, ...errors };

const PROBLEM = {
  ...problemSchema,
  description: 'A refusal (RFC 9457). Where it lies with a member of the body, `errors` names it.',
  properties: {
    ...problemSchema.properties,
    errors: { type: 'array', items: { ...inputProblemSchema, required: ['pointer'] } },
  },
  required: [...problemSchema.required, 'code'],
};
