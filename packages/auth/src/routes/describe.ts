import type { ServedRoute, Stage } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { RefusalCode, Route, RouteDeps } from './route.js';

type Facts = Pick<RouteDeps, 'cookies' | 'dpop'>;

/** What `authenticate()` and the stores may refuse on every route. */
const EVERYWHERE: readonly RefusalCode[] = [
  'E_TOKEN_INVALID',
  'E_TOKEN_EXPIRED',
  'E_SESSION_ENDED',
  'E_USERS_UNAVAILABLE',
];
/** Codes of core. */
const STORES = ['E_STORE_UNAVAILABLE', 'E_STORE_TIMEOUT', 'E_SQL_UNAVAILABLE', 'E_STALE'];

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
  { method, person, body, begins, refusals = [] }: Route,
  { cookies, dpop }: Facts,
): ServedRoute['refusals'] {
  const codes: readonly RefusalCode[] = [
    ...EVERYWHERE,
    ...(body ? (['E_VALIDATION'] as const) : []),
    ...(person ? (['E_AUTHENTICATION_REQUIRED', 'E_NOT_IN_PERSON'] as const) : []),
    ...(cookies ? (['E_TOKEN_REUSED'] as const) : []),
    ...(cookies && method !== 'GET' ? (['E_CROSS_SITE'] as const) : []),
    ...(dpop && begins ? (['E_DPOP_PROOF_INVALID', 'E_DPOP_NONCE'] as const) : []),
    ...refusals,
  ];
  const byStatus: Record<number, string[]> = { 503: [...STORES] };
  for (const code of new Set(codes)) (byStatus[errors[code].status] ??= []).push(code);
  for (const list of Object.values(byStatus)) list.sort();
  return byStatus;
}
