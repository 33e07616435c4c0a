import { coreErrors, type ServedRoute, type Stage } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { RefusalCode, Route, RouteDeps } from './route.js';

type Facts = Pick<RouteDeps, 'renews' | 'cookies' | 'dpop' | 'external'>;

/** What `authenticate()` and the stores may refuse on every route. */
const EVERYWHERE: readonly RefusalCode[] = [
  'E_TOKEN_INVALID',
  'E_TOKEN_EXPIRED',
  'E_SESSION_ENDED',
  'E_USERS_UNAVAILABLE',
];
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
  { method, person, body, refusals = [] }: Route,
  { renews, cookies, dpop, external }: Facts,
): ServedRoute['refusals'] {
  const codes: readonly RefusalCode[] = [
    ...EVERYWHERE,
    ...(body ? (['E_VALIDATION'] as const) : []),
    ...(person ? (['E_AUTHENTICATION_REQUIRED', 'E_NOT_IN_PERSON'] as const) : []),
    ...(renews ? (['E_TOKEN_REUSED'] as const) : []),
    ...(cookies && method !== 'GET' ? (['E_CROSS_SITE'] as const) : []),
    ...(dpop ? (['E_DPOP_PROOF_INVALID'] as const) : []),
    ...(dpop?.nonces ? (['E_DPOP_NONCE'] as const) : []),
    ...(external ? (['E_ISSUER_UNAVAILABLE'] as const) : []),
    ...refusals,
  ];
  const byStatus: Record<number, string[]> = { 503: [...STORES] };
  for (const code of new Set(codes)) (byStatus[errors[code].status] ??= []).push(code);
  for (const list of Object.values(byStatus)) list.sort();
  return byStatus;
}
