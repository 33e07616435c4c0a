import type { Audit } from '@portcullis/audit';
import type { AuthRouterOptions } from '@portcullis/auth';
import { ALLOW, guard, type Middleware } from '@portcullis/core';
import type { House } from './house.js';

const ACTIONS = {
  registered: 'person.registered',
  'signed-in': 'person.signed-in',
  'sign-in-refused': 'person.sign-in-refused',
  'signed-out': 'person.signed-out',
  'sessions-ended': 'person.sessions-ended',
  'password-changed': 'person.password-changed',
  'api-key-created': 'person.key-created',
  'api-key-revoked': 'person.key-revoked',
  'password-reset': 'person.password-reset-by-mail',
  'login-changed': 'person.login-changed',
  'factors-changed': 'person.factors-changed',
} as const;

/** Begun, without effect on who may do what; or an end of sessions, which nobody is kept from. */
const WITHOUT_INTENT =
  /^(?:sign-in(?:\/complete)?|sign-out|refresh|step-up|reset|totp|sessions(?:\/[^/]*)?|passkeys\/(?:options|(?:sign-in|step-up)(?:\/options)?)|register\/passkey\/options)$/;
/** Done by whoever has the link of a message, signed in or not. */
const BY_ANYBODY = /^(?:(?:register|reset|login)\/complete|register\/passkey)$/;

/** As `recorded()` for pages: what the account endpoints change is in the log before they are asked. What came of it tells `recordAccounts()`. */
export function recordAccountIntents({
  audit,
  registration,
}: Pick<House, 'audit' | 'registration'>): Middleware {
  const changes = (path: string, isSomebody: boolean): boolean =>
    path === 'register'
      ? registration === 'open' // By mail it is only begun.
      : BY_ANYBODY.test(path) || (isSomebody && !WITHOUT_INTENT.test(path));
  return guard('recordAccountIntents', { stage: 'observe' }, async (req) => {
    const path = req.url!.split('?', 1)[0]!.slice(1);
    const isReading = req.method === 'GET' || req.method === 'HEAD';
    if (!isReading && changes(path, req.security!.principal.kind === 'user')) {
      await audit.record({
        action: 'person.account-change-requested',
        outcome: 'success',
        data: { what: `${req.method} ${path}` },
        request: req,
      });
    }
    return ALLOW;
  });
}

/** What the account endpoints of the API do, in the same words as the pages use for it. */
export function recordAccounts(audit: Audit): NonNullable<AuthRouterOptions['record']> {
  return async ({ type, userId }, request) => {
    await audit.record({
      action: ACTIONS[type],
      outcome: type === 'sign-in-refused' ? 'denied' : 'success',
      ...(userId === undefined ? {} : { target: { type: 'person', id: userId } }),
      ...(type === 'signed-in' && userId !== undefined ? { actor: { kind: 'user', id: userId } } : {}),
      request,
    });
  };
}
