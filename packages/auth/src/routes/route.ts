import type { Events, Principal, SecurityRequest, SecurityResponse } from '@portcullis/core';
import type { ApiKeys } from '../api-keys/api-keys.js';
import type { errors } from '../error-codes.js';
import type { FactorFlows } from '../flows/factor-flows.js';
import type { Flows, RequestMeta } from '../flows/flows.js';
import type { Input, InputSchema } from '../flows/input.js';
import type { MailFlows } from '../flows/mail-flows.js';
import type { PasskeyAccountFlows } from '../passkeys/passkey-accounts.js';
import type { PasskeyFlows } from '../passkeys/passkey-flows.js';
import type { Sessions } from '../sessions/sessions.js';
import type { Tokens } from '../tokens/tokens.js';
import type { CeremonyCookie } from '../transport/ceremony-cookie.js';
import type { AuthCookies } from '../transport/cookies.js';
import type { Dpop } from '../transport/dpop.js';
import type { RecordAction } from './account-action.js';

/** One row of the router, and one operation of the OpenAPI document. */
export interface Route extends RouteText {
  /** Only for people who are signed in, as themselves: `exchange.person`. */
  readonly person: boolean;
  /** Reads the body; what it does not name is left out. */
  readonly body: InputSchema | undefined;
  run(exchange: Exchange): Promise<void>;
}

export interface RouteText {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Literal, but for a last part that may be `:id`. */
  readonly path: string;
  readonly summary: string;
  /** What success answers. No schema: no body. */
  readonly answers: { readonly status: number; readonly schema?: object; readonly type?: string };
  /** Besides those that `describe.ts` knows of every route. */
  readonly refusals?: readonly RefusalCode[];
  /** What it asks itself, besides what `authenticate()` asks of a credential. @default 'users and stores' */
  readonly asks?: 'nothing' | 'users' | 'stores' | 'users and stores';
  /** True if it begins a session, which may be bound to a key of the client. */
  readonly begins?: boolean;
}

export type RefusalCode = keyof typeof errors;

export interface Exchange<Body = unknown> {
  readonly req: SecurityRequest;
  readonly res: SecurityResponse;
  /** The last part of the path, for routes that have one. */
  readonly id: string;
  readonly body: Body;
  readonly person: Principal | undefined;
}

interface PersonExchange<Body> extends Exchange<Body> {
  readonly person: Principal;
}

export function openRoute<S extends InputSchema>(
  route: RouteText & { readonly body?: S; run(exchange: Exchange<Input<S>>): Promise<void> },
): Route {
  return { ...route, person: false, body: route.body };
}

/** For people who are signed in, as themselves. */
export function personRoute<S extends InputSchema>(
  route: RouteText & { readonly body?: S; run(exchange: PersonExchange<Input<S>>): Promise<void> },
): Route {
  return { ...route, person: true, body: route.body };
}

/** What routes are made of. */
export interface RouteDeps {
  readonly flows: Flows;
  /** Undefined without `notify`. */
  readonly mailFlows: MailFlows | undefined;
  readonly changesLogin: boolean;
  readonly factorFlows: FactorFlows;
  readonly factors: boolean;
  /** A password alone may not be enough. */
  readonly secondSteps: boolean;
  /** A passkey without user verification may not be enough either. */
  readonly codeAfterPasskey: boolean;
  /** Undefined: there are none. */
  readonly passkeyFlows: PasskeyFlows | undefined;
  /** Undefined: no account begins with a passkey. */
  readonly passkeyAccounts: PasskeyAccountFlows | undefined;
  /** Undefined: cookies are off. */
  readonly ceremonies: CeremonyCookie | undefined;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  /** Undefined: there are none. */
  readonly apiKeys: ApiKeys | undefined;
  readonly registration: 'by-mail' | 'open' | false;
  readonly bearer: boolean;
  readonly cookies: AuthCookies | undefined;
  /** `authenticate()` renews sessions that are in cookies. */
  readonly renews: boolean;
  /** Of the access token. */
  readonly cookieName: string | undefined;
  readonly dpop: Dpop | undefined;
  readonly mutualTls: boolean;
  /** Tokens of other issuers are taken. */
  readonly external: boolean;
  readonly trustedOrigins: readonly string[];
  readonly metaOf: (req: SecurityRequest) => RequestMeta;
  readonly record: RecordAction;
  readonly now: () => number;
  readonly events: Events;
}

export function answer(res: SecurityResponse, status: number, body?: object): void {
  res.statusCode = status;
  res.setHeader('Cache-Control', 'no-store');
  if (body === undefined) return void res.end();
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.end(JSON.stringify(body));
}
