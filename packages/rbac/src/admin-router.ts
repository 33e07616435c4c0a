import {
  ALLOW,
  ensureContext,
  guard,
  type Events,
  type Middleware,
  type Principal,
  type SecurityRequest,
} from '@portcullis/core';
import type { Administration } from './administration.js';
import { errors } from './error-codes.js';
import { answerJson, bodyOf, segmentsOf } from './exchange.js';
import type { Catalogue } from './catalogue.js';
import type { Governance, ReviewDraft } from './reviews.js';

export interface AdminRouterDeps {
  readonly events: Events;
  readonly catalogue: Catalogue;
  readonly governance: Governance;
  readonly principalOf: (req: SecurityRequest) => Principal | undefined | Promise<Principal | undefined>;
  /** Rejects, with 401, 403 or 503, unless the principal may. */
  readonly require: (principal: Principal | undefined, permission: string) => Promise<unknown>;
  /** Administration by this principal, which gives nothing that the principal does not hold. */
  readonly as: (principal: Principal) => Administration<string, string>;
}

/** Something that a request to the router changes. */
export interface AdminAction {
  /** `requested` before it is carried out, `done` after. */
  readonly phase: 'requested' | 'done';
  /** Such as `PUT /users/:/roles/:`. */
  readonly what: string;
  readonly actor: string;
  /** What stands for the colons, in order. */
  readonly params: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AdminRouterOptions {
  /**
   * Awaited before and after each change, for a log that must not miss it: events are for noticing. If it rejects before, nothing is
   * changed; if it rejects after, that is the answer, and what was done stands. @default nothing is awaited
   */
  readonly record?: (action: AdminAction, req: SecurityRequest) => Promise<void>;
}

interface Call {
  readonly principal: Principal;
  readonly admin: Administration<string, string>;
  readonly params: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
}

interface Route {
  readonly method: string;
  /** `:` stands for one segment. */
  readonly path: readonly string[];
  readonly needs: string;
  readonly handle: (call: Call) => Promise<unknown>;
}

/**
 * Roles, grants and reviews over HTTP with JSON, as one middleware that guards itself. Bodies are read by the app's parser before it,
 * and errors answered by the app's error handler after it.
 */
export function createAdminRouter(
  deps: AdminRouterDeps,
  record: AdminRouterOptions['record'] | undefined,
): Middleware {
  const { catalogue, governance, events } = deps;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const grant = (body: Call['body']) => pick(body, ['tenant', 'from', 'until', 'reason']);
  const place = (body: Call['body']) => pick(body, ['tenant', 'strict']);
  const route = (at: string, needs: string, handle: Route['handle']): Route => {
    const [method = '', path = ''] = at.split(' ');
    return { method, path: path.split('/').slice(1), needs, handle };
  };
  const routes: readonly Route[] = [
    route('GET /permissions', 'rbac:read', async () => ({ permissions: catalogue.names })),
    route('GET /roles', 'rbac:read', async ({ admin }) => ({ roles: await admin.roles() })),
    route('PUT /roles/:', 'rbac:define', ({ admin, principal, params, body }) =>
      admin.defineRole(
        principal,
        params[0]!,
        pick(body, ['description', 'active', 'inherits', 'allow', 'deny']),
      ),
    ),
    route('DELETE /roles/:', 'rbac:define', ({ admin, principal, params }) =>
      admin.removeRole(principal, params[0]!),
    ),
    route('PUT /permissions/:', 'rbac:define', ({ admin, principal, params, body }) =>
      admin.setPermissionActive(principal, params[0]!, body['active'] as boolean),
    ),
    route('GET /administrators', 'rbac:read', async () => ({
      administrators: await governance.administrators(),
    })),
    route('GET /users/:', 'rbac:read', ({ admin, params }) => admin.grantsOf(params[0]!)),
    route('PUT /users/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.setUserActive(principal, params[0]!, body['active'] as boolean),
    ),
    route('PUT /users/:/roles/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.grantRole(principal, params[0]!, params[1]!, grant(body)),
    ),
    route('DELETE /users/:/roles/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.revokeRole(principal, params[0]!, params[1]!, place(body)),
    ),
    route('PUT /users/:/permissions/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.grantPermission(principal, params[0]!, params[1]!, grant(body)),
    ),
    route('DELETE /users/:/permissions/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.revokePermission(principal, params[0]!, params[1]!, place(body)),
    ),
    route('PUT /users/:/denials/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.denyPermission(principal, params[0]!, params[1]!, grant(body)),
    ),
    route('DELETE /users/:/denials/:', 'rbac:grant', ({ admin, principal, params, body }) =>
      admin.liftDenial(principal, params[0]!, params[1]!, place(body)),
    ),
    route('GET /reviews', 'rbac:review', async () => ({ reviews: await governance.reviews() })),
    route('POST /reviews', 'rbac:review', ({ principal, body }) =>
      governance.openReview(principal, body as unknown as ReviewDraft),
    ),
    route('GET /reviews/:', 'rbac:review', ({ params }) => governance.review(params[0]!)),
    route('PUT /reviews/:/items/:', 'rbac:review', ({ principal, params, body }) =>
      governance.decideReview(principal, params[0]!, Number(params[1]), {
        disposition: body['disposition'] as never,
        reason: text(body['reason']),
        until: body['until'] as number | undefined,
      }),
    ),
    route('POST /reviews/:/close', 'rbac:review', ({ principal, params }) =>
      governance.closeReview(principal, params[0]!),
    ),
    route('GET /reviews/:/evidence', 'rbac:review', ({ params }) => governance.evidence(params[0]!)),
  ];

  return guard('adminRouter', { stage: 'authorize', detail: 'rbac:*', events }, async (req, res) => {
    const segments = segmentsOf(req);
    const method = req.method === 'HEAD' ? 'GET' : req.method;
    const principal = await deps.principalOf(req);
    const here = routes.filter(
      ({ path }) =>
        path.length === segments?.length && path.every((part, i) => part === ':' || part === segments[i]),
    );
    const found = here.find((each) => each.method === method);
    // Who may not even read learns nothing of what there is.
    await deps.require(principal, found?.needs ?? 'rbac:read');
    if (!found || !principal) {
      if (here.length === 0) return ALLOW; // Not ours: the app's own routes, or its 404.
      res.setHeader('Allow', [...new Set(here.map((each) => each.method))].join(', '));
      throw errors.E_METHOD_NOT_ALLOWED();
    }
    const context = ensureContext(req);
    if (context.principal.kind === 'anonymous') context.principal = principal;
    const body = bodyOf(req) ?? {};
    if (hasBody(req) && !(bodyOf(req) && /\bjson\b/i.test(req.headers['content-type'] ?? ''))) {
      throw errors.E_GRANT_INVALID({
        message: 'The body is a JSON object, read by a parser before this router.',
      });
    }
    if (principal.tenant !== undefined && EVERYWHERE.has(found.path[0]!)) {
      throw errors.E_GRANT_BEYOND_OWN({ message: 'Reviews and administrators are about every tenant.' });
    }
    const params = segments!.filter((_, i) => found.path[i] === ':');
    const tell = async (phase: AdminAction['phase']): Promise<void> => {
      if (method === 'GET') return;
      const what = `${found.method} /${found.path.join('/')}`;
      await record?.({ phase, what, actor: principal.id, params, body }, req);
    };
    await tell('requested');
    const result = await found.handle({ principal, admin: deps.as(principal), params, body });
    await tell('done');
    answerJson(req, res, 200, result);
    return undefined;
  });
}

const EVERYWHERE: ReadonlySet<string> = new Set(['reviews', 'administrators']);

/** Parsers of Express 4 leave an empty object for what they did not read. */
function hasBody(req: SecurityRequest): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
  return coding !== undefined || (length !== undefined && length !== '0');
}

function pick(body: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, never> {
  const unknown = Object.keys(body).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw errors.E_GRANT_INVALID({
      message: `There is no ${JSON.stringify(unknown.slice(0, 50))} here; known: ${names.join(', ')}.`,
    });
  }
  return body as Record<string, never>;
}
