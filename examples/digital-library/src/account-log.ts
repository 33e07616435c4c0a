import type { Audit } from '@portcullis/audit';
import type { AuthRouterOptions } from '@portcullis/auth';

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
