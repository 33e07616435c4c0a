import { coreErrors, type ServedRoute, type Stage } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { RefusalCode, Route, RouteDeps } from './route.js';

type Facts = Pick<RouteDeps, 'renews' | 'cookies' | 'dpop' | 'external' | 'sessions' | 'apiKeys'>;

/** A store that is down, whichever it is. */
const STORES = (Object.keys(coreErrors) as (keyof typeof coreErrors)[]).filter(
  (code) => /^E_(STORE|SQL|STALE)/.test(code) && coreErrors[code].status === 503,
);

/** A route for tools that read routes, from the very row that serves it. */
export function describeRoute(route: Route, facts: Facts): ServedRoute {
  const { method, path, summary, body, answers, begins } = route;
  return {
    method,
    path,
    summary,
    guard: guardOf(route),
    ...(body ? { body } : {}),
    headers: begins && facts.dpop ? [{ name: 'DPoP', required: facts.dpop.required && !facts.cookies }] : [],
    answers,
    refusals: refusalsOf(route, facts),
  };
}

function guardOf({ person }: Route): Stage {
  return person
    ? { kind: 'authorize', name: 'authRouter', detail: 'in person' }
    : { kind: 'public', name: 'authRouter', detail: 'sign-in routes' };
}

function refusalsOf(
  { method, person, body, asks = 'users and stores', refusals = [] }: Route,
  { renews, cookies, dpop, external, sessions, apiKeys }: Facts,
): ServedRoute['refusals'] {
  const { stateless } = sessions;
  const asksUsers = asks.startsWith('users');
  // Who changes an account that was closed since.
  const closed = person && asksUsers && method !== 'GET';
  const codes: readonly RefusalCode[] = [
    // What `authenticate()` may refuse on every route.
    ...(['E_TOKEN_INVALID', 'E_TOKEN_EXPIRED'] as const),
    ...(!stateless || renews || closed ? (['E_SESSION_ENDED'] as const) : []),
    ...(asksUsers || apiKeys || renews ? (['E_USERS_UNAVAILABLE'] as const) : []),
    ...(body ? (['E_VALIDATION'] as const) : []),
    ...(person ? (['E_AUTHENTICATION_REQUIRED', 'E_NOT_IN_PERSON'] as const) : []),
    ...(renews && !stateless ? (['E_TOKEN_REUSED'] as const) : []),
    ...(cookies && method !== 'GET' ? (['E_CROSS_SITE'] as const) : []),
    ...(dpop ? (['E_DPOP_PROOF_INVALID'] as const) : []),
    ...(dpop?.nonces ? (['E_DPOP_NONCE'] as const) : []),
    ...(external ? (['E_ISSUER_UNAVAILABLE'] as const) : []),
    ...refusals,
  ];
  const asksStores = asks.endsWith('stores') || !stateless || apiKeys !== undefined || dpop !== undefined;
  const byStatus: Record<number, string[]> = asksStores ? { 503: [...STORES] } : {};
  for (const code of new Set(codes)) (byStatus[errors[code].status] ??= []).push(code);
  for (const list of Object.values(byStatus)) list.sort();
  return byStatus;
}
