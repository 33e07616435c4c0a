import {
  ALLOW,
  guard,
  option,
  readOptions,
  type Middleware,
  type SecurityRequest,
  type ServedRoutes,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { answerKeys } from '../tokens/publish-keys.js';
import { readInput } from '../flows/input.js';
import { personOf } from '../identify.js';
import { assertSameSite } from '../transport/cross-site.js';
import type { AccountAction, RecordAction } from './account-action.js';
import { apiKeyRoutes } from './api-key-routes.js';
import { factorRoutes } from './factor-routes.js';
import { describeRoute } from './describe.js';
import { mailRoutes } from './mail-routes.js';
import { openApiOf } from './open-api.js';
import { passkeyRoutes } from './passkey-routes.js';
import { passwordRoutes } from './password-routes.js';
import { keySet } from './answers.js';
import { answer, openRoute, type Route, type RouteDeps } from './route.js';
import { sessionRoutes } from './session-routes.js';
import { signInRoutes } from './sign-in-routes.js';

export interface AuthRouterOptions {
  /**
   * Awaited when something was done and before it is answered, for a log that must not miss it: events are for noticing.
   * If it rejects, that is the answer (tokens are not handed out); what was done stands. Without it, nothing is awaited.
   */
  readonly record?: (action: AccountAction, req: SecurityRequest) => Promise<void>;
}

/** All that the router serves, the document of it as well. */
function routesOf(deps: RouteDeps): readonly Route[] {
  const keys = openRoute({
    method: 'GET',
    path: '/jwks.json',
    summary: 'Keys that verify access tokens',
    answers: { status: 200, schema: keySet, type: 'application/jwk-set+json' },
    asks: 'nothing',
    async run({ res }) {
      answerKeys(deps.tokens, res);
    },
  });
  const document = openRoute({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document: OpenAPI 3.1',
    answers: { status: 200, schema: { type: 'object' } },
    asks: 'nothing',
    async run({ req, res }) {
      answer(res, 200, { ...described, servers: [{ url: mountOf(req) }] });
    },
  });
  const routes = [
    ...signInRoutes(deps),
    ...passwordRoutes(deps),
    ...mailRoutes(deps),
    ...factorRoutes(deps),
    ...passkeyRoutes(deps),
    ...sessionRoutes(deps),
    ...apiKeyRoutes(deps),
    keys,
    document,
  ];
  const described = openApiOf(
    routes.map((route) => describeRoute(route, deps)),
    deps,
  );
  return routes;
}

/** Where Express has mounted the router. */
function mountOf({ baseUrl }: SecurityRequest & { readonly baseUrl?: string }): string {
  return baseUrl === undefined || baseUrl === '' ? '/' : baseUrl;
}

/**
 * Serves the flows as JSON, relative to where it is mounted; what it does not know goes on to the app. Bodies must have
 * been parsed before (`express.json()`), `authenticate()` must have run for the routes that need a principal.
 * Paths are compared exactly: `//sign-in`, `/Sign-In` and `/sign-in/` are other paths and lead nowhere.
 */
export function createRouter(deps: Omit<RouteDeps, 'record'>, options: AuthRouterOptions = {}): Middleware {
  const { record } = readOptions('authRouter', options, {
    record: option.fn<RecordAction>(() => Promise.resolve()),
  });
  const { cookies, trustedOrigins, events } = deps;
  const routes = routesOf({ ...deps, record });
  const find = finderOf(routes);
  const facts: ServedRoutes = { serves: routes.map((route) => describeRoute(route, deps)) };

  const about = { stage: 'public', detail: 'sign-in routes', facts, events } as const;
  return guard('authRouter', about, async (req, res) => {
    // Express 4 swallows the second slash of `/auth//sign-in` when it takes off the mount path.
    if (pathOf(req.originalUrl ?? req.url).includes('//')) return ALLOW;
    const found = find(pathOf(req.url));
    if (!found) return ALLOW;
    // RFC 9110 section 9.3.2: as GET; Node leaves out the content.
    const route = found.methods.get(req.method === 'HEAD' ? 'GET' : (req.method ?? ''));
    if (!route) throw errors.E_METHOD_NOT_ALLOWED({ headers: { Allow: allowed(found.methods) } });
    if (cookies) assertSameSite(req, trustedOrigins);
    const person = route.person ? personOf(req) : undefined;
    const body = route.body ? readInput(req.body, route.body) : {};
    await route.run({ req, res, id: found.id, body, person });
    return undefined;
  });
}

type Methods = ReadonlyMap<string, Route>;

function allowed(methods: Methods): string {
  return [...methods.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
}

function finderOf(
  routes: readonly Route[],
): (path: string) => { readonly methods: Methods; readonly id: string } | undefined {
  const paths = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<string, Route>();
    paths.set(route.path, methods.set(route.method, route));
  }
  return (path) => {
    const cut = path.lastIndexOf('/') + 1;
    const id = path.slice(cut);
    const literal = id === ':id' ? undefined : paths.get(path);
    if (literal) return { methods: literal, id: '' };
    const methods = id === '' ? undefined : paths.get(`${path.slice(0, cut)}:id`);
    return methods && { methods, id };
  };
}

function pathOf(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0]!;
}
