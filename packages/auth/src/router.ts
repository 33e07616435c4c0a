import {
  ALLOW,
  guard,
  isSecurityError,
  option,
  readOptions,
  type Events,
  type Middleware,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type {
  Flows,
  RegisterInput,
  RequestMeta,
  SignedIn,
  SignInInput,
  ChangePasswordInput,
} from './flows/flows.js';
import { inputFault, readTexts } from './flows/input.js';
import type { FactorFlows } from './flows/factor-flows.js';
import type { MailFlows } from './flows/mail-flows.js';
import { personOf } from './identify.js';
import type { ApiKeyInfo, ApiKeys, NewApiKey } from './api-keys/api-keys.js';
import type { Sessions } from './sessions/sessions.js';
import { answerKeys } from './tokens/publish-keys.js';
import type { Tokens } from './tokens/tokens.js';
import type { AuthCookies } from './transport/cookies.js';
import type { Dpop } from './transport/dpop.js';
import { assertSameSite } from './transport/cross-site.js';

export interface RouterDeps {
  readonly flows: Flows;
  /** Undefined without `notify`. */
  readonly mailFlows: MailFlows | undefined;
  readonly changesLogin: boolean;
  readonly factorFlows: FactorFlows;
  readonly factors: boolean;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  /** Undefined: there are none. */
  readonly apiKeys: ApiKeys | undefined;
  readonly registration: 'by-mail' | 'open' | false;
  readonly bearer: boolean;
  readonly cookies: AuthCookies | undefined;
  readonly dpop: Dpop | undefined;
  readonly trustedOrigins: readonly string[];
  readonly metaOf: (req: SecurityRequest) => RequestMeta;
  readonly now: () => number;
  readonly events: Events;
}

interface Exchange {
  readonly req: SecurityRequest;
  readonly res: SecurityResponse;
  /** The last part of the path, for routes that have one. */
  readonly id: string;
}

type Route = (exchange: Exchange) => Promise<void>;

/** Something that a request to the router did, or was refused. */
export interface AccountAction {
  readonly type:
    | 'registered'
    | 'signed-in'
    | 'sign-in-refused'
    | 'signed-out'
    | 'sessions-ended'
    | 'password-changed'
    | 'api-key-created'
    | 'api-key-revoked'
    | 'password-reset'
    | 'login-changed'
    | 'factors-changed';
  /** Whose account it is; undefined for a refused sign-in, which may be nobody's. */
  readonly userId: string | undefined;
}

export interface AuthRouterOptions {
  /**
   * Awaited when something was done and before it is answered, for a log that must not miss it: events are for noticing.
   * If it rejects, that is the answer (tokens are not handed out); what was done stands. Without it, nothing is awaited.
   */
  readonly record?: (action: AccountAction, req: SecurityRequest) => Promise<void>;
}

/**
 * Serves the flows as JSON, relative to where it is mounted; what it does not know goes on to the app. Bodies must have
 * been parsed before (`express.json()`), `authenticate()` must have run for the routes that need a principal.
 * Paths are compared exactly: `//sign-in`, `/Sign-In` and `/sign-in/` are other paths and lead nowhere.
 */
export function createRouter(deps: RouterDeps, options: AuthRouterOptions = {}): Middleware {
  const { record } = readOptions('authRouter', options, {
    record: option.optional(option.fn<NonNullable<AuthRouterOptions['record']>>()),
  });
  const { cookies, trustedOrigins, events } = deps;
  const routes = routesOf(deps, record ?? (() => Promise.resolve()));
  const paths = new Map<string, Map<string, Route>>();
  for (const [name, route] of Object.entries(routes)) {
    const [method, path] = name.split(' ') as [string, string];
    paths.set(path, (paths.get(path) ?? new Map<string, Route>()).set(method, route));
  }

  return guard('authRouter', { stage: 'public', detail: 'sign-in routes', events }, async (req, res) => {
    const path = pathOf(req.url);
    // Express 4 swallows the second slash of `/auth//sign-in` when it takes off the mount path.
    if (pathOf(req.originalUrl ?? req.url).includes('//')) return ALLOW;
    const [, collection, id = ''] = /^(\/sessions|\/keys)\/([^/]+)$/.exec(path) ?? [];
    const methods = paths.get(collection === undefined ? path : `${collection}/:id`);
    if (!methods) return ALLOW;
    const route = methods.get(req.method ?? '');
    if (!route) throw errors.E_METHOD_NOT_ALLOWED({ headers: { Allow: [...methods.keys()].join(', ') } });
    if (cookies) assertSameSite(req, trustedOrigins);
    await route({ req, res, id });
    return undefined;
  });
}

function pathOf(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0]!;
}

function routesOf(deps: RouterDeps, record: NonNullable<AuthRouterOptions['record']>): Record<string, Route> {
  const { flows, sessions, tokens, registration, cookies, metaOf, apiKeys } = deps;

  const register: Route = async ({ req, res }) => {
    const { userId } = await flows.register(req.body as RegisterInput, metaOf(req));
    await record({ type: 'registered', userId }, req);
    answer(res, 201, { userId });
  };

  return {
    ...(registration === 'open' ? { 'POST /register': register } : {}),
    ...(deps.factors ? factorRoutes(deps, record) : {}),
    ...(deps.mailFlows ? mailRoutes(deps.mailFlows, deps, record) : {}),

    'POST /sign-in': async ({ req, res }) => {
      const inCookies = wantsCookies(req, deps);
      let pair: SignedIn;
      try {
        const { device_token: device } = readTexts(req.body, { device_token: { max: 512, optional: true } });
        const meta = inCookies ? metaOf(req) : await boundMeta({ req, res }, deps);
        const devices = [...(meta.devices ?? []), ...(device === undefined ? [] : [device])];
        pair = await flows.signIn(req.body as SignInInput, { ...meta, devices });
      } catch (error) {
        if (isSecurityError(error) && (error.status === 401 || error.status === 429)) {
          await record({ type: 'sign-in-refused', userId: undefined }, req);
        }
        throw error;
      }
      await record({ type: 'signed-in', userId: pair.userId }, req);
      hand(res, pair, inCookies, deps);
    },

    'POST /refresh': async ({ req, res }) => {
      const brought = cookies?.read(req).refresh;
      if (brought === undefined) {
        const { refresh_token: token } = readTexts(req.body, { refresh_token: { max: 512 } });
        hand(res, await flows.refresh(token, await boundMeta({ req, res }, deps)), false, deps);
        return;
      }
      try {
        hand(res, await flows.refresh(brought, metaOf(req)), true, deps);
      } catch (error) {
        if (isSecurityError(error) && error.status === 401) cookies!.clear(res);
        throw error;
      }
    },

    'POST /sign-out': async ({ req, res }) => {
      const body = (req.body ?? {}) as { refresh_token?: unknown; everywhere?: unknown };
      const refresh = cookies?.read(req).refresh ?? body.refresh_token;
      if (body.everywhere === true) await sessions.revokeAll(personOf(req).id, 'signed-out');
      else if (req.security?.principal.id !== undefined) await flows.signOut(req.security.principal);
      if (typeof refresh === 'string') await flows.signOut(refresh);
      const userId = req.security?.principal.id;
      if (userId !== undefined || typeof refresh === 'string')
        await record({ type: 'signed-out', userId }, req);
      cookies?.clear(res);
      answer(res, 204);
    },

    ...(sessions.stateless ? {} : sessionRoutes(deps, record)),

    /** A new session in the place of the old one. */
    'POST /step-up': async ({ req, res }) => {
      const principal = personOf(req);
      const inCookies = wantsCookies(req, deps);
      const meta = inCookies ? metaOf(req) : await boundMeta({ req, res }, deps);
      const pair = await deps.factorFlows.stepUp(principal, req.body as never, meta);
      await record({ type: 'signed-in', userId: pair.userId }, req);
      hand(res, pair, inCookies, deps);
    },

    'POST /password': async ({ req, res }) => {
      const principal = personOf(req);
      await flows.changePassword(principal, req.body as ChangePasswordInput, metaOf(req));
      await record({ type: 'password-changed', userId: principal.id }, req);
      answer(res, 204);
    },

    ...(apiKeys ? keyRoutes(apiKeys, record) : {}),

    'GET /jwks.json': async ({ res }) => {
      answerKeys(tokens, res);
    },
  };
}

function sessionRoutes(
  { sessions, cookies }: RouterDeps,
  record: NonNullable<AuthRouterOptions['record']>,
): Record<string, Route> {
  return {
    'GET /sessions': async ({ req, res }) => {
      const { id, sessionId } = personOf(req);
      const all = await sessions.list(id);
      const shown = all.map(({ userId: _own, binding, ...session }) => ({
        bound: binding !== undefined,
        ...session,
        current: session.id === sessionId,
      }));
      answer(res, 200, { sessions: shown });
    },

    /** All but the one that asks. */
    'DELETE /sessions': async ({ req, res }) => {
      const { id, sessionId } = personOf(req);
      const ended = await sessions.revokeOthers(id, sessionId ?? '');
      await record({ type: 'sessions-ended', userId: id }, req);
      answer(res, 200, { ended });
    },

    'DELETE /sessions/:id': async ({ req, res, id }) => {
      const principal = personOf(req);
      if (!(await sessions.revoke(principal.id, id))) throw errors.E_SESSION_NOT_FOUND();
      await record({ type: 'sessions-ended', userId: principal.id }, req);
      if (id === principal.sessionId) cookies?.clear(res);
      answer(res, 204);
    },
  };
}

function keyRoutes(
  apiKeys: ApiKeys,
  record: NonNullable<AuthRouterOptions['record']>,
): Record<string, Route> {
  const shown = ({ ownerId: _own, ...info }: ApiKeyInfo) => info;
  return {
    'GET /keys': async ({ req, res }) => {
      const keys = await apiKeys.list(personOf(req).id);
      answer(res, 200, { keys: keys.map(shown) });
    },

    'POST /keys': async ({ req, res }) => {
      const { id } = personOf(req);
      const { name, scopes, expires_in: expiresIn } = bodyOf(req);
      const wanted = { name, scopes, ...(expiresIn === undefined ? {} : { expiresIn }) } as NewApiKey;
      const { key, info } = await apiKeys.create(id, wanted);
      await record({ type: 'api-key-created', userId: id }, req);
      answer(res, 201, { key, ...shown(info) });
    },

    'DELETE /keys/:id': async ({ req, res, id }) => {
      const principal = personOf(req);
      if (!(await apiKeys.revoke(principal.id, id))) throw errors.E_API_KEY_NOT_FOUND();
      await record({ type: 'api-key-revoked', userId: principal.id }, req);
      answer(res, 204);
    },
  };
}

/** The members of a JSON object, whatever they are. */
function bodyOf(req: SecurityRequest): Readonly<Record<string, unknown>> {
  const body: unknown = req.body;
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw inputFault({ pointer: '', keyword: 'type', message: 'must be a JSON object' });
}

function factorRoutes(
  deps: RouterDeps,
  record: NonNullable<AuthRouterOptions['record']>,
): Record<string, Route> {
  const { factorFlows: flows, metaOf } = deps;
  return {
    'POST /sign-in/complete': async ({ req, res }) => {
      const inCookies = wantsCookies(req, deps);
      const meta = inCookies ? metaOf(req) : await boundMeta({ req, res }, deps);
      const { device_token: device } = readTexts(req.body, { device_token: { max: 512, optional: true } });
      const devices = [...(meta.devices ?? []), ...(device === undefined ? [] : [device])];
      const pair = await flows.completeSignIn(req.body as never, { ...meta, devices });
      await record({ type: 'signed-in', userId: pair.userId }, req);
      hand(res, pair, inCookies, deps);
    },
    'POST /totp': async ({ req, res }) => {
      answer(res, 200, await flows.startTotp(personOf(req), req.body as never, metaOf(req)));
    },
    'POST /totp/confirm': async ({ req, res }) => {
      const principal = personOf(req);
      const { recoveryCodes } = await flows.confirmTotp(principal, req.body as never);
      await record({ type: 'factors-changed', userId: principal.id }, req);
      answer(res, 200, { recovery_codes: recoveryCodes });
    },
    'POST /totp/remove': async ({ req, res }) => {
      const principal = personOf(req);
      await flows.removeTotp(principal, req.body as never, metaOf(req));
      await record({ type: 'factors-changed', userId: principal.id }, req);
      answer(res, 204);
    },
    'POST /recovery-codes': async ({ req, res }) => {
      const principal = personOf(req);
      const { recoveryCodes } = await flows.renewRecoveryCodes(principal, req.body as never, metaOf(req));
      await record({ type: 'factors-changed', userId: principal.id }, req);
      answer(res, 200, { recovery_codes: recoveryCodes });
    },
  };
}

/** What goes through a mailbox. The three that begin something answer 202 with nothing, whatever there is to say. */
function mailRoutes(
  flows: MailFlows,
  { registration, changesLogin, cookies, metaOf }: RouterDeps,
  record: NonNullable<AuthRouterOptions['record']>,
): Record<string, Route> {
  const byMail: Record<string, Route> = {
    'POST /register': async ({ req, res }) => {
      await flows.startRegistration(req.body as never);
      answer(res, 202);
    },
    'POST /register/complete': async ({ req, res }) => {
      const { userId } = await flows.completeRegistration(req.body as never, metaOf(req));
      await record({ type: 'registered', userId }, req);
      answer(res, 201, { userId });
    },
  };
  const changes: Record<string, Route> = {
    'POST /login': async ({ req, res }) => {
      await flows.startLoginChange(personOf(req), req.body as never, metaOf(req));
      answer(res, 202);
    },
    'POST /login/complete': async ({ req, res }) => {
      const { userId } = await flows.completeLoginChange(req.body as never);
      await record({ type: 'login-changed', userId }, req);
      cookies?.clear(res);
      answer(res, 204);
    },
  };
  return {
    ...(registration === 'by-mail' ? byMail : {}),
    ...(changesLogin ? changes : {}),

    'POST /reset': async ({ req, res }) => {
      await flows.startReset(req.body as never);
      answer(res, 202);
    },

    'POST /reset/complete': async ({ req, res }) => {
      const { userId, deviceToken } = await flows.completeReset(req.body as never, metaOf(req));
      await record({ type: 'password-reset', userId }, req);
      cookies?.clear(res);
      if (deviceToken !== undefined && cookies) cookies.remember(res, deviceToken);
      answer(res, 200, deviceToken === undefined || cookies ? {} : { device_token: deviceToken });
    },
  };
}

/** With the key that the sender proves to hold, if there is a proof or has to be one (RFC 9449 section 5). */
async function boundMeta(
  { req, res }: Pick<Exchange, 'req' | 'res'>,
  { dpop, metaOf }: RouterDeps,
): Promise<RequestMeta> {
  const meta = metaOf(req);
  if (!dpop || (!dpop.required && req.headers['dpop'] === undefined)) return meta;
  return { ...meta, binding: { jkt: await dpop.prove(req, res) } };
}

/** With both transports on, cookies, unless the client asks for `"transport": "bearer"`. */
function wantsCookies(req: SecurityRequest, { bearer, cookies }: RouterDeps): boolean {
  const asked = (req.body as { transport?: unknown } | undefined)?.transport;
  return cookies !== undefined && !(bearer && asked === 'bearer');
}

/** The pair in cookies, out of reach of scripts, or as RFC 6749 section 5.1 names its parts. */
function hand(res: SecurityResponse, pair: SignedIn, inCookies: boolean, { cookies, now }: RouterDeps): void {
  const seconds = (end: number) => Math.max(0, Math.floor((end - now()) / 1000));
  const facts = { session_id: pair.sessionId, expires_in: seconds(pair.accessExpiresAt) };
  if (inCookies && cookies) {
    cookies.write(res, pair);
    answer(res, 200, facts);
  } else {
    answer(res, 200, {
      access_token: pair.accessToken,
      token_type: pair.tokenType,
      refresh_token: pair.refreshToken,
      refresh_expires_in: seconds(pair.refreshExpiresAt),
      ...(pair.deviceToken === undefined ? {} : { device_token: pair.deviceToken }),
      ...facts,
    });
  }
}

function answer(res: SecurityResponse, status: number, body?: object): void {
  res.statusCode = status;
  res.setHeader('Cache-Control', 'no-store');
  if (body === undefined) return void res.end();
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.end(JSON.stringify(body));
}
