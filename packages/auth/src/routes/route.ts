import type { Events, SecurityRequest, SecurityResponse } from '@portcullis/core';
import type { ApiKeys } from '../api-keys/api-keys.js';
import type { FactorFlows } from '../flows/factor-flows.js';
import type { Flows, RequestMeta } from '../flows/flows.js';
import type { MailFlows } from '../flows/mail-flows.js';
import type { Sessions } from '../sessions/sessions.js';
import type { Tokens } from '../tokens/tokens.js';
import type { AuthCookies } from '../transport/cookies.js';
import type { Dpop } from '../transport/dpop.js';
import type { RecordAction } from './account-action.js';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Literal, but for a last part that may be `:id`. */
  readonly path: string;
  readonly run: (exchange: Exchange) => Promise<void>;
}

export interface Exchange {
  readonly req: SecurityRequest;
  readonly res: SecurityResponse;
  /** The last part of the path, for routes that have one. */
  readonly id: string;
}

/** What routes are made of. */
export interface RouteDeps {
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
